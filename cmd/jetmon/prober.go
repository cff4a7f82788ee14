package main

import (
	"time"

	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/secondopinion"
)

const (
	// maxSessionMiB limits --tls-session-cache.
	maxSessionMiB = 1 << 20
	// maxDNSCache limits --dns-cache-max.
	maxDNSCache = 24 * time.Hour
)

// engineFlags configure the check engine.
type engineFlags struct {
	Resolver        string `placeholder:"HOST:PORT" help:"DNS server; the system's by default."`
	AllowPrivate    bool   `help:"Allow probing private, loopback and other special addresses, except the metadata services of clouds. For development only."`
	AllowMetadata   bool   `help:"With --allow-private, allow also the metadata services of clouds, which hand out credentials."`
	TLSSessionCache int64  `name:"tls-session-cache" default:"64" placeholder:"MIB" help:"Memory limit for resumable TLS sessions; 0: every handshake is a full one."`

	dnsCacheFlag `embed:""`
}

// dnsCacheFlag limits the age of answers of name servers.
type dnsCacheFlag struct {
	DNSCacheMax time.Duration `name:"dns-cache-max" default:"60s" placeholder:"DUR" help:"Longest use of a DNS answer, whatever its time to live; 0: every check asks. A failing check always asks anew."`
}

// maxAge returns the limit as the check engine takes it.
func (f dnsCacheFlag) maxAge() (time.Duration, error) {
	switch {
	case f.DNSCacheMax < 0 || f.DNSCacheMax > maxDNSCache:
		return 0, usagef("--dns-cache-max: must be from 0 to %s, is %s", maxDNSCache, f.DNSCacheMax)
	case f.DNSCacheMax == 0:
		return -1, nil
	}
	return f.DNSCacheMax, nil
}

func (f engineFlags) options() (probe.Options, error) {
	o := probe.Options{AllowPrivate: f.AllowPrivate, AllowMetadata: f.AllowMetadata, Resolver: f.Resolver}
	if f.AllowMetadata && !f.AllowPrivate {
		return o, usagef("--allow-metadata: needs --allow-private")
	}
	if f.Resolver != "" {
		if err := checkAddr(f.Resolver, 1); err != nil {
			return o, usagef("--resolver: %w", err)
		}
	}
	var err error
	if o.DNSCacheMax, err = f.maxAge(); err != nil {
		return o, err
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
