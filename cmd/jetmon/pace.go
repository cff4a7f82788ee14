package main

import (
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/internal/check"
)

// paceFlags set the pace of checks.
type paceFlags struct {
	Interval      time.Duration `default:"0" help:"Check every site at this interval, at least 1s, instead of its own; 0: its own."`
	TLSErrors     string        `name:"tls-errors" default:"down" enum:"down,advise" help:"What a certificate means that does not verify (expired, of another name, of an unknown issuer), where settings.tls_errors of the site does not say: down: the site is down, since visitors see a warning instead; advise: an advisory, as v1 did."`
	ChecksPerHost int           `default:"10" placeholder:"N" help:"Maximum number of this coordinator's concurrent checks of one host, which it knows by the address it last connected to; 0: no limit."`

	pageCheckFlag `embed:""`
}

// pageCheckFlag says what broken pages mean.
type pageCheckFlag struct {
	PageCheck string `default:"down" enum:"off,advise,down" help:"What the page of a site means that is a failure of WordPress or PHP although its status is good: down: the site is down; advise: an advisory; off: no page is judged. One routine check in twelve is a GET whose page is judged, and every check of a site in trouble is."`
}

func (f paceFlags) apply(o *coordinator.Options) error {
	if f.Interval != 0 && f.Interval < time.Second {
		return usagef("--interval: must be at least 1s, is %s", f.Interval)
	}
	if f.ChecksPerHost < 0 {
		return usagef("--checks-per-host: must not be negative, is %d", f.ChecksPerHost)
	}
	o.IntervalOverride, o.ChecksPerHost = f.Interval, f.ChecksPerHost
	o.Pages, o.TLSErrors = pageRule(f.PageCheck), tlsErrors(f.TLSErrors)
	return nil
}

// tlsErrors converts the value of a flag.
func tlsErrors(flag string) check.TLSErrors {
	return map[string]check.TLSErrors{"advise": check.TLSErrorsAdvise, "down": check.TLSErrorsDown}[flag]
}

// pageRule returns the rule for a value of --page-check.
func pageRule(flag string) check.PageRule {
	return map[string]check.PageRule{"advise": check.PageAdvised, "down": check.PageDecides}[flag]
}
