package main

import (
	"time"

	"github.com/Automattic/jetmon/coordinator"
)

// paceFlags set the pace of checks.
type paceFlags struct {
	Interval      time.Duration `default:"0" help:"Check every site at this interval, at least 1s, instead of its own; 0: its own."`
	ChecksPerHost int           `default:"10" placeholder:"N" help:"Maximum number of this coordinator's concurrent checks of one host, which it knows by the address it last connected to; 0: no limit."`
}

func (f paceFlags) apply(o *coordinator.Options) error {
	if f.Interval != 0 && f.Interval < time.Second {
		return usagef("--interval: must be at least 1s, is %s", f.Interval)
	}
	if f.ChecksPerHost < 0 {
		return usagef("--checks-per-host: must not be negative, is %d", f.ChecksPerHost)
	}
	o.IntervalOverride, o.ChecksPerHost = f.Interval, f.ChecksPerHost
	return nil
}
