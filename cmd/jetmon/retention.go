package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
)

const day = 24 * time.Hour

// age is a duration that also has days as a unit, as in 90d.
type age time.Duration

// UnmarshalText parses days, or a duration as time.ParseDuration does.
func (a *age) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		var n uint64
		if n, err = strconv.ParseUint(days, 10, 16); err == nil {
			d = time.Duration(n) * day
		}
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not a time like 90d or 36h", text)
	}
	*a = age(d)
	return nil
}

// retentionFlags set how long history is kept.
type retentionFlags struct {
	Retention       age `default:"90d" placeholder:"TIME" help:"How long to keep the evidence of ballots that opened no outage; 0: for ever."`
	OutageRetention age `default:"0s" placeholder:"TIME" help:"How long to keep finished outages with their evidence; 0: for ever."`
	EventRetention  age `default:"7d" placeholder:"TIME" help:"How long to keep events, for those who watch changes and were away; 0: for ever."`
}

// historyFlags say what is kept of every check.
type historyFlags struct {
	Keep             bool          `name:"history" default:"true" negatable:"" help:"Keep what became of every check, a byte each (the default): response times, coverage, and what is computed from them. With --no-history what is there is kept until it is too old."`
	Retention        age           `name:"history-retention" default:"35d" placeholder:"TIME" help:"How long to keep every check, in whole days; 0: for ever."`
	SummaryRetention age           `name:"history-summary-retention" default:"400d" placeholder:"TIME" help:"How long to keep what checks come to by day; 0: for ever."`
	FlushEvery       time.Duration `name:"history-flush-every" default:"10m" placeholder:"DURATION" help:"How often to write checks, from 1s to 10m: a process that is killed loses what it has not written."`
}

// apply needs days to be whole ones: a day is deleted as a whole.
func (f historyFlags) apply(o *coordinator.Options) error {
	o.History = coordinator.History{
		Off: !f.Keep, Retention: time.Duration(f.Retention), SummaryRetention: time.Duration(f.SummaryRetention), FlushEvery: f.FlushEvery,
	}
	for flag, kept := range map[string]time.Duration{"history-retention": o.History.Retention, "history-summary-retention": o.History.SummaryRetention} {
		if kept > 0 && kept < 2*day {
			return usagef("--%s: must be 0 or at least 2d, is %s", flag, kept)
		}
	}
	if f.FlushEvery < time.Second || f.FlushEvery > logbook.DefaultFlushEvery {
		return usagef("--history-flush-every: must be from 1s to %s, is %s", logbook.DefaultFlushEvery, f.FlushEvery)
	}
	return nil
}

// leastRetention protects history from a mistyped unit.
const leastRetention = time.Hour

func (f retentionFlags) apply(o *coordinator.Options) error {
	o.Retention, o.OutageRetention, o.EventRetention = time.Duration(f.Retention), time.Duration(f.OutageRetention), time.Duration(f.EventRetention)
	for flag, kept := range map[string]time.Duration{"retention": o.Retention, "outage-retention": o.OutageRetention, "event-retention": o.EventRetention} {
		if kept > 0 && kept < leastRetention {
			return usagef("--%s: must be 0 or at least %s, is %s", flag, leastRetention, kept)
		}
	}
	return nil
}
