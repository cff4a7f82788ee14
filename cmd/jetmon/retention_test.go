package main

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator"
)

func TestAgesAreReadInDaysToo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want time.Duration // -1: an error
	}{
		{"90d", 90 * day}, {"0", 0}, {"0d", 0}, {"36h", 36 * time.Hour}, {"1h30m", 90 * time.Minute},
		{"", -1}, {"d", -1}, {"-1d", -1}, {"-1h", -1}, {"1.5d", -1}, {"90", -1}, {"99999999d", -1}, {"1d12h", -1},
	}
	for _, tt := range tests {
		var a age
		err := a.UnmarshalText([]byte(tt.text))
		if (err != nil) != (tt.want < 0) || err == nil && time.Duration(a) != tt.want {
			t.Errorf("%q is %s, %v", tt.text, time.Duration(a), err)
		}
	}
}

func TestRetentionAndShadowFlags(t *testing.T) {
	t.Parallel()
	var o coordinator.Options
	if err := (retentionFlags{Retention: age(90 * day), EventRetention: age(day)}).apply(&o); err != nil || o.Retention != 90*day || o.OutageRetention != 0 || o.EventRetention != day {
		t.Errorf("%+v, %v", o, err)
	}
	want := coordinator.History{Off: true, Retention: 35 * day, SummaryRetention: 0, FlushEvery: time.Minute}
	if err := (historyFlags{Retention: age(35 * day), FlushEvery: time.Minute}).apply(&o); err != nil || o.History != want {
		t.Errorf("%+v, %v", o.History, err)
	}
	const fleet = " --veriflier=name=a,region=eu,addr=127.0.0.1:1 --veriflier=name=b,region=us,addr=127.0.0.1:1"
	tests := []struct{ args, want string }{
		{"--retention=90", `--retention`},
		{"--retention=5s", `--retention: must be 0 or at least 1h0m0s, is 5s`},
		{"--outage-retention=1m", `--outage-retention: must be 0 or at least`},
		{"--event-retention=10m", `--event-retention: must be 0 or at least`},
		{"--history-retention=35h", `--history-retention: must be 0 or at least 2d, is 35h`},
		{"--history-summary-retention=1d", `--history-summary-retention: must be 0 or at least 2d`},
		{"--history-flush-every=0s", `--history-flush-every: must be from 1s to 10m0s, is 0s`},
		{"--history-flush-every=1h", `--history-flush-every: must be from 1s to 10m0s, is 1h0m0s`},
		{"--shadow-need=3" + fleet, `--shadow-need: must be from 1 to 2`},
		{"--shadow-need=-1" + fleet, `--shadow-need: must be from 1 to 2`},
		{"--shadow-regions=2" + fleet, `--shadow-regions`},
	}
	for _, tt := range tests {
		args := append([]string{"coordinator", "--db=sqlite:/nonexistent/x.db", "--wpcom-url=http://127.0.0.1:1/"}, strings.Fields(tt.args)...)
		code, _, stderr := run(t, nil, args...)
		if code != exitUsage || !strings.Contains(stderr, tt.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, want 2 and %q: %s", tt.args, code, tt.want, stderr)
		}
	}
}
