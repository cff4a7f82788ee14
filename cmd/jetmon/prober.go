package main

import (
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/secondopinion"
)

// maxSessionMiB limits --tls-session-cache.
const maxSessionMiB = 1 << 20

// engineFlags configure the check engine.
type engineFlags struct {
	Resolver        string `placeholder:"HOST:PORT" help:"DNS server; the system's by default."`
	AllowPrivate    bool   `help:"Allow probing private, loopback and other special addresses. For development only."`
	TLSSessionCache int64  `name:"tls-session-cache" default:"64" placeholder:"MIB" help:"Memory limit for resumable TLS sessions; 0: every handshake is a full one."`
}

func (f engineFlags) options() (probe.Options, error) {
	o := probe.Options{AllowPrivate: f.AllowPrivate, Resolver: f.Resolver}
	if f.Resolver != "" {
		if err := checkAddr(f.Resolver, 1); err != nil {
			return o, usagef("--resolver: %w", err)
		}
	}
	switch {
	case f.TLSSessionCache < 0 || f.TLSSessionCache > maxSessionMiB:
		return o, usagef("--tls-session-cache: must be from 0 to %d, is %d", maxSessionMiB, f.TLSSessionCache)
	case f.TLSSessionCache == 0:
		o.SessionCacheBytes = -1
	default:
		o.SessionCacheBytes = f.TLSSessionCache << 20
	}
	return o, nil
}

func (f engineFlags) open() (*probe.Prober, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	return newProber(o)
}

func newProber(o probe.Options) (*probe.Prober, error) {
	p, err := probe.New(o)
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// secondReader makes the second reader beside the engine.
func (f engineFlags) secondReader() (*secondopinion.Reader, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	return newSecondReader(o)
}

func newSecondReader(o probe.Options) (*secondopinion.Reader, error) {
	r, err := secondopinion.New(o)
	if err != nil {
		return nil, usageError{err}
	}
	return r, nil
}
