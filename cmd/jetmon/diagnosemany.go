package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/symptom"
)

// check finds mistakes in the flags, and the symptom that they name.
func (c *diagnoseSiteCommand) check() (seen *symptom.Symptom, err error) {
	switch {
	case c.URL == "" && c.From == "":
		return nil, usagef("give a <url>, or --from FILE")
	case c.URL != "" && c.From != "":
		return nil, usagef("give a <url> or --from, not both")
	case c.From != "" && c.TokenFile+c.Report+c.Symptom != "":
		return nil, usagef("--from: goes with none of --token-file, --report and --symptom, which are about one site")
	case c.Parallel < 1 || c.Parallel > cli.MaxParallel:
		return nil, usagef("--parallel: must be from 1 to %d, is %d", cli.MaxParallel, c.Parallel)
	case c.Timeout < time.Second || c.Timeout > maxDiagnosis:
		return nil, usagef("--timeout: must be from 1s to %s, is %s", maxDiagnosis, c.Timeout)
	case c.StepTimeout < 100*time.Millisecond || c.StepTimeout > check.MaxTimeout:
		return nil, usagef("--step-timeout: must be from 100ms to %s, is %s", check.MaxTimeout, c.StepTimeout)
	}
	if c.URL != "" {
		if _, err := check.ParseURL(c.URL); err != nil {
			return nil, usagef("%s: %w", c.URL, err)
		}
	}
	if _, err := check.ParseURL(c.MetadataURL); err != nil && c.MetadataURL != jetpack.NoMetadata {
		return nil, usagef("--metadata-url: %w", err)
	}
	if c.Symptom == "" {
		return nil, nil
	}
	found, ok := symptom.Find(c.Symptom)
	if !ok {
		return nil, usagef("--symptom: none is like %q; jetmon diagnose --symptom list shows all", c.Symptom)
	}
	return &found, nil
}

// runMany diagnoses the sites of a file.
func (c *diagnoseSiteCommand) runMany(ctx context.Context, p *program) error {
	file := io.ReadCloser(io.NopCloser(p.stdin(ctx)))
	if c.From != stdin {
		f, err := os.Open(c.From)
		if err != nil {
			return usagef("--from: %w", err)
		}
		if info, err := f.Stat(); err != nil || info.IsDir() {
			_ = f.Close()
			return usagef("--from: %s is no file", c.From)
		}
		file = pipe{interruptible(ctx, f), f}
	}
	crowd, err := cli.ReadTargets(file, c.From, p.Err)
	_ = file.Close() // it is read
	switch {
	case ctx.Err() != nil:
		return cli.Interrupt("interrupted: no site was diagnosed")
	case err != nil:
		return fmt.Errorf("%s: %w", c.From, err)
	case len(crowd.URLs) == 0:
		return fmt.Errorf("%s: no site is in it", c.From)
	}
	prober, d, err := c.open()
	if err != nil {
		return err
	}
	defer prober.Close()
	show := c.reportFlags.report(p)
	output := io.Writer(io.Discard) // a table is printed when the meter is gone
	if show.JSON {
		output = p.Out
	}
	crowd.Parallel, crowd.Meter = c.Parallel, p.meter(output)
	worst, err := cli.DiagnoseMany(ctx, d, crowd, show)
	if err == nil && crowd.Refused > 0 {
		return refusedLines(crowd.Refused)
	}
	return verdict(worst, err)
}

func refusedLines(n int) error {
	if n == 1 {
		return errors.New("1 line was refused")
	}
	return fmt.Errorf("%d lines were refused", n)
}

// createReport creates a file that only its owner can read. It overwrites nothing.
func createReport(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s exists: give another name, so that nothing is overwritten", path)
	}
	return file, err
}

// kinds says which tokens are given.
func kinds(t jetpack.Target) string {
	var all []string
	if !t.Blog.IsZero() {
		all = append(all, "blog")
	}
	if !t.User.IsZero() {
		all = append(all, "user")
	}
	return strings.Join(all, " and ")
}

// symptomNames are what --symptom can be, beside words on a screen.
func symptomNames() []string {
	names := []string{"list"}
	for _, s := range symptom.All() {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}
