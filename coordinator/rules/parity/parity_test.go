package parity_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/parity"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

var (
	began = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	now   = began.Add(3 * time.Hour)
)

const (
	down = check.StatusDown
	up   = check.StatusRunning
	conf = check.StatusConfirmedDown
)

// at is a side that began some minutes after the trial.
func at(s check.Status, minutes float64) parity.Side {
	return parity.Side{Status: s, Since: began.Add(time.Duration(minutes * float64(time.Minute)))}
}

// site is a site on trial since began.
func site(v1, ours parity.Side, changes ...parity.Side) *parity.Site {
	return &parity.Site{
		ID: 7, Interval: 5 * time.Minute, V1: v1, Ours: ours, Changes: changes,
		Trial: shard.Trial{Since: began, Until: now.Add(15 * time.Second), Sample: 1},
	}
}

func TestSitesAreComparedByWhoCallsThemDown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v1, ours check.Status
		want     parity.Agreement
	}{
		{up, up, parity.BothUp},
		{up, down, parity.OnlyOursDown},
		{up, conf, parity.OnlyOursDown},
		{down, up, parity.OnlyV1Down},
		{conf, up, parity.OnlyV1Down},
		{down, conf, parity.BothDown},
		{conf, down, parity.BothDown},
	} {
		s := site(parity.Side{Status: tt.v1}, parity.Side{Status: tt.ours})
		if got := s.Compare(now); got != tt.want {
			t.Errorf("v1 %d, ours %d: %d, want %d", tt.v1, tt.ours, got, tt.want)
		}
		s.Trial.Since = now.Add(-2*s.Interval + time.Second)
		if got := s.Compare(now); got != parity.Unwatched {
			t.Errorf("after less than two checks: %d", got)
		}
		s.Trial.Since = now.Add(-2 * s.Interval)
		if got := s.Compare(now); got != tt.want {
			t.Errorf("after two checks: %d", got)
		}
	}
	s, some := site(at(up, 0), at(up, 0)), 0
	s.Trial.Sample = 100
	for s.ID = 1; s.ID <= 100_000; s.ID++ {
		if s.Compare(now) != parity.Unwatched {
			some++
		}
	}
	if some < 950 || some > 1050 {
		t.Errorf("%d of 100,000 sites are in a sample of 1/100", some)
	}
}

func TestTheNearestOfOurChangesTellsWhoWasFirst(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		s    *parity.Site
		want parity.Timing
		ok   bool
	}{
		"v1 never changed it":           {site(parity.Side{Status: up}, at(up, 0)), parity.Timing{}, false},
		"v1 changed it before":          {site(at(down, -1), at(down, 1), at(down, 1)), parity.Timing{}, false},
		"we were earlier":               {site(at(down, 10), at(down, 8), at(down, 8)), parity.Timing{Change: down, Matched: true, Lead: 2 * time.Minute}, true},
		"v1 was earlier":                {site(at(up, 10), at(up, 11), at(up, 11)), parity.Timing{Change: up, Matched: true, Lead: -time.Minute}, true},
		"we said the opposite":          {site(at(down, 10), at(up, 10), at(up, 10)), parity.Timing{Change: down}, true},
		"we said so an hour later":      {site(at(down, 10), at(down, 70), at(down, 70)), parity.Timing{Change: down}, true},
		"just near enough":              {site(at(down, 40), at(down, 10), at(down, 10)), parity.Timing{Change: down, Matched: true, Lead: 30 * time.Minute}, true},
		"just too far":                  {site(at(down, 40.1), at(down, 10), at(down, 10)), parity.Timing{Change: down}, true},
		"the nearest of several counts": {site(at(down, 40), at(down, 43), at(down, 20), at(down, 43)), parity.Timing{Change: down, Matched: true, Lead: -3 * time.Minute}, true},
		"confirmed by both":             {site(at(conf, 70), at(conf, 69), at(down, 10), at(conf, 69)), parity.Timing{Change: conf, Matched: true, Lead: time.Minute}, true},
	} {
		if got, ok := tt.s.Timing(); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %+v %t, want %+v %t", name, got, ok, tt.want, tt.ok)
		}
	}
	ended := site(at(down, 100), at(down, 90), at(down, 90))
	ended.Trial.Until = began.Add(95 * time.Minute)
	if got, ok := ended.Timing(); ok {
		t.Errorf("v1 changed it after the trial: %+v", got)
	}
}

func TestOutagesThatOnlyWeSawAreCounted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		s    *parity.Site
		want int
	}{
		"v1 saw it":                       {site(at(down, 12), at(down, 10), at(down, 10)), 0},
		"v1 saw nothing for long":         {site(parity.Side{Status: up}, at(up, 12), at(down, 10), at(up, 12), at(down, 60), at(up, 61)), 2},
		"v1 may have forgotten it since":  {site(at(up, 60), at(up, 12), at(down, 10), at(up, 12)), 0},
		"v1 may see it in a moment still": {site(parity.Side{Status: up}, at(down, 170), at(down, 170)), 0},
	} {
		if got := tt.s.Alone(now); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}

func TestAReportAddsUp(t *testing.T) {
	t.Parallel()
	var r parity.Report
	add := func(s *parity.Site) { r.Add(now, s, s.Compare(now)) }
	for i := range 9 {
		add(site(at(down, 20), at(down, float64(20-i)), at(down, float64(20-i)))) // 0 to 8 minutes earlier
	}
	add(site(at(down, 20), at(down, 22), at(down, 22)))
	add(site(at(up, 20), at(up, 0)))
	expired := site(parity.Side{Status: up}, at(down, 3))
	expired.Cause = parity.Cause{Failure: check.FailureTLS, Reason: "expired"}
	add(expired)
	add(expired)
	loop := site(parity.Side{Status: up}, at(down, 3))
	loop.Cause = parity.Cause{Failure: check.FailureRedirect, HTTPStatus: 301}
	add(loop)
	if r.Watched() != 14 || r.Sites[parity.BothDown] != 10 || r.Sites[parity.OnlyOursDown] != 3 || r.Sites[parity.BothUp] != 1 {
		t.Errorf("sites %v", r.Sites)
	}
	if r.Down.Both != 10 || r.Down.Earlier != 8 || r.Down.Later != 1 || r.Down.OnlyV1 != 0 || r.Up.OnlyV1 != 1 || r.Up.Both != 0 {
		t.Errorf("changes down %d %d %d %d, up %d %d", r.Down.Both, r.Down.Earlier, r.Down.Later, r.Down.OnlyV1, r.Up.OnlyV1, r.Up.Both)
	}
	for share, want := range map[float64]time.Duration{0: -2 * time.Minute, 0.5: 3 * time.Minute, 0.9: 7 * time.Minute, 1: 8 * time.Minute} {
		if got := r.Down.Lead(share); got != want {
			t.Errorf("lead of %v: %s, want %s", share, got, want)
		}
	}
	if got := r.Up.Lead(0.5); got != 0 {
		t.Errorf("lead of no change: %s", got)
	}
	want := []parity.Reason{{Cause: expired.Cause, Sites: 2}, {Cause: loop.Cause, Sites: 1}}
	if diff := cmp.Diff(want, r.Reasons()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}
