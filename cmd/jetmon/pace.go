package main

import (
	"time"

	"github.com/Automattic/jetmon/coordinator"
)

// paceFlags say how often sites are checked.
type paceFlags struct {
	Interval time.Duration `default:"0" help:"Check every site at this interval, at least 1s, instead of its own; 0 is its own."`
}

func (f paceFlags) apply(o *coordinator.Options) error {
	if f.Interval != 0 && f.Interval < time.Second {
		return usagef("--interval: must be at least 1s, is %s", f.Interval)
	}
	o.IntervalOverride = f.Interval
	return nil
}
