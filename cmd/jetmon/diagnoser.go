package main

import (
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/probe"
)

// diagnoserFlags configure how a coordinator answers :diagnose.
type diagnoserFlags struct {
	MetadataURL string `name:"metadata-url" default:"${metadata_url}" help:"URL of WordPress.com's public API, for diagnoses; none skips that step."`
	engineFlags `embed:""`
}

// open makes the diagnoser and its check engine, which the caller must close.
func (f diagnoserFlags) open() (*jetpack.Diagnoser, *probe.Prober, error) {
	if _, err := check.ParseURL(f.MetadataURL); err != nil && f.MetadataURL != jetpack.NoMetadata {
		return nil, nil, usagef("--diagnose-metadata-url: %w", err)
	}
	prober, err := f.engineFlags.open()
	if err != nil {
		return nil, nil, err
	}
	d, err := jetpack.New(jetpack.Options{Prober: prober, MetadataURL: f.MetadataURL})
	if err != nil {
		return nil, nil, usageError{err}
	}
	return d, prober, nil
}
