package main

import (
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/internal/check"
)

// paceFlags set the pace of checks.
type paceFlags struct {
	Interval      time.Duration `default:"0" help:"Check every site at this interval, at least 1s, instead of its own; 0: its own."`
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
	o.Pages = pageRule(f.PageCheck)
	return nil
}

// pageRule returns the rule for a value of --page-check.
func pageRule(flag string) check.PageRule {
	return map[string]check.PageRule{"advise": check.PageAdvised, "down": check.PageDecides}[flag]
}
