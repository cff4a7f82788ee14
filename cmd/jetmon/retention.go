package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator"
)

const day = 24 * time.Hour

// age is a time that may be given in days, as 90d.
type age time.Duration

// UnmarshalText reads days, or what time.ParseDuration reads.
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

// retentionFlags say how long history is kept.
type retentionFlags struct {
	Retention       age `default:"90d" placeholder:"TIME" help:"How long the evidence of ballots that opened no outage is kept; 0: for ever."`
	OutageRetention age `default:"0s" placeholder:"TIME" help:"How long outages that are over are kept, with their evidence; 0: for ever."`
}

// leastRetention is what a mistyped unit cannot get below.
const leastRetention = time.Hour

func (f retentionFlags) apply(o *coordinator.Options) error {
	o.Retention, o.OutageRetention = time.Duration(f.Retention), time.Duration(f.OutageRetention)
	for flag, kept := range map[string]time.Duration{"retention": o.Retention, "outage-retention": o.OutageRetention} {
		if kept > 0 && kept < leastRetention {
			return usagef("--%s: must be 0 or at least %s, is %s", flag, leastRetention, kept)
		}
	}
	return nil
}
