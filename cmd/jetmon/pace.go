package main

import (
	"time"

	"github.com/Automattic/jetmon/coordinator"
)

// paceFlags say how often sites are checked.
type paceFlags struct {
	Interval      time.Duration `default:"0" help:"Check every site at this interval, at least 1s, instead of its own; 0 is its own."`
	ChecksPerHost int           `default:"10" placeholder:"N" help:"Checks that this coordinator has out at once that go to one machine, known by the address it was last reached at; 0 is any number."`
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
