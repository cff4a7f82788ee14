package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

// anchorEvery is how often a node probes its own anchors.
const anchorEvery = 10 * time.Second

// maxSessionMiB bounds --tls-session-cache.
const maxSessionMiB = 1 << 20

// engineFlags are those of the check engine.
type engineFlags struct {
	Resolver        string `placeholder:"HOST:PORT" help:"DNS server to ask; the system's by default."`
	AllowPrivate    bool   `help:"Allow to probe private, loopback and other special addresses. For development only."`
	TLSSessionCache int64  `name:"tls-session-cache" default:"64" placeholder:"MIB" help:"Memory for TLS sessions to resume, at most; 0: every handshake is a full one."`
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

// nodeFlags are those of a node that probes: checker and veriflier.
type nodeFlags struct {
	engineFlags `embed:""`
	Anchor      []string `sep:"none" placeholder:"URL" help:"A site that always works (repeatable; best several hosts, one by name, one by IPv4 and one by IPv6 address): while none answers, or no name is found, this node is no witness of an outage."`
}

func (f nodeFlags) open(log *slog.Logger) (*probe.Prober, *selfcheck.Monitor, error) {
	if err := checkAnchors(f.Anchor); err != nil {
		return nil, nil, err
	}
	p, err := f.engineFlags.open()
	if err != nil {
		return nil, nil, err
	}
	m, err := selfcheck.New(selfcheck.Options{Prober: p, Anchors: f.Anchor, Every: anchorEvery, Log: log})
	if err != nil {
		return nil, nil, usageError{err}
	}
	return p, m, nil
}

func checkAnchors(urls []string) error {
	for _, url := range urls {
		if _, err := check.ParseURL(url); err != nil {
			return usagef("--anchor %s: %w", url, err)
		}
	}
	if len(urls) > selfcheck.MaxAnchors {
		return usagef("--anchor: at most %d, not %d", selfcheck.MaxAnchors, len(urls))
	}
	return nil
}

// nodeName is the name given, else the host's.
func nodeName(given string) (string, error) {
	host, err := os.Hostname()
	if given == "" && err != nil {
		return "", fmt.Errorf("name of this host: %w", err)
	}
	return cmp.Or(given, host), nil
}
