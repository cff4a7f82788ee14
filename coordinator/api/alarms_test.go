package api

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/coverage"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/ledger"
	"github.com/Automattic/jetmon/coordinator/ownership"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func TestAlarmsAboutCheckers(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	well, unwell := engine.CheckerView{Node: "a"}, engine.CheckerView{Node: "b", UnwellSince: since}
	stormy, both := engine.CheckerView{Node: "c", Quarantined: since}, engine.CheckerView{Node: "d", UnwellSince: since, Quarantined: since}
	const quarantine, connectivity = monitorpb.AlarmKind_ALARM_KIND_QUARANTINE, monitorpb.AlarmKind_ALARM_KIND_CONNECTIVITY
	tests := []struct {
		name     string
		checkers []engine.CheckerView
		want     []monitorpb.AlarmKind
	}{
		{"all is well", []engine.CheckerView{well, well}, nil},
		{"each quarantine is an alarm", []engine.CheckerView{well, stormy, stormy}, []monitorpb.AlarmKind{quarantine, quarantine}},
		{"all that do not reach their anchors are one", []engine.CheckerView{well, unwell, unwell}, []monitorpb.AlarmKind{connectivity}},
		{"failures that are explained by the own network are no quarantine besides", []engine.CheckerView{both, both}, []monitorpb.AlarmKind{connectivity}},
		{"two checkers with different trouble are two", []engine.CheckerView{stormy, unwell}, []monitorpb.AlarmKind{quarantine, connectivity}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []monitorpb.AlarmKind
			for _, a := range checkerAlarms(engine.Summary{Checkers: tt.checkers}) {
				got = append(got, a.GetKind())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheAlarmOfOverload(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	s := &fleet{began: map[monitorpb.AlarmKind]time.Time{}}
	for _, step := range []struct {
		name     string
		after    time.Duration
		stretch  float64
		coverage float64 // below 0: not known
		lonely   bool
		want     string
		since    time.Duration
	}{
		{"the first minutes say nothing", 4 * time.Minute, 1.5, 0.5, false, "", 0},
		{"a little stretch is no alarm", 5 * time.Minute, 1.05, -1, false, "", 0},
		{"without checkers another alarm is raised", 5 * time.Minute, 9, 0, true, "", 0},
		{"more stretch is one", 6 * time.Minute, 1.5, -1, false, "checkers do not keep up: intervals are stretched by 1.50", 6 * time.Minute},
		{"it goes on since then", 7 * time.Minute, 1.2, 0.985, false, "checkers do not keep up: intervals are stretched by 1.20, 98.5 % of the checks were made on time", 6 * time.Minute},
		{"it ends", 8 * time.Minute, 1, 0.99, false, "", 0},
		{"another begins", 9 * time.Minute, 1, 0.1, false, "checkers do not keep up: 10.0 % of the checks were made on time", 9 * time.Minute},
	} {
		c := &monitorpb.CoordinatorStatus{StartTime: timestamp(start), Stretch: step.stretch}
		if step.coverage >= 0 {
			c.Coverage = &step.coverage
		}
		alarms := s.overload(c, step.lonely, start.Add(step.after))
		if step.want == "" {
			if len(alarms) > 0 {
				t.Errorf("%s: %v", step.name, alarms)
			}
			continue
		}
		if len(alarms) != 1 || alarms[0].GetMessage() != step.want || alarms[0].GetRaiseTime().AsTime().Sub(start) != step.since {
			t.Errorf("%s: %v", step.name, alarms)
		}
	}
}

func TestTheAlarmOfTheStore(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	s := &fleet{began: map[monitorpb.AlarmKind]time.Time{}}
	failing := start.Add(-time.Hour)
	unsure := ownership.Counts{Unsure: 16, UnsureSince: start.Add(4*time.Minute - 12*time.Second)}
	waits := func(n int, d time.Duration) ledger.Status {
		return ledger.Status{Uncommitted: n, OldestSince: start.Add(d)}
	}
	for _, step := range []struct {
		name   string
		after  time.Duration
		status ledger.Status
		shards ownership.Counts
		want   string
		since  time.Time
	}{
		{"changes that wait a moment are no alarm", 0, waits(7, -10*time.Second), ownership.Counts{}, "", time.Time{}},
		{"too many are", time.Minute, ledger.Status{Uncommitted: 70, Full: true}, ownership.Counts{},
			"the database takes status changes too slowly (70 wait); until it has caught up, judging is held back", start.Add(time.Minute)},
		{"a database that is away is one, with its time", 2 * time.Minute, ledger.Status{Uncommitted: 7, FailingSince: failing, Err: "away"}, ownership.Counts{},
			"the database does not take status changes (7 wait): away", failing},
		{"for long", 3 * time.Minute, ledger.Status{Uncommitted: 70, Full: true, FailingSince: failing, Err: "away"}, ownership.Counts{},
			"the database does not take status changes (70 wait): away; until it has caught up, judging is held back", failing},
		{"it is back and catches up", 4 * time.Minute, ledger.Status{Uncommitted: 60, Full: true}, ownership.Counts{},
			"the database takes status changes too slowly (60 wait); until it has caught up, judging is held back", start.Add(3 * time.Minute)},
		{"it has", 5 * time.Minute, ledger.Status{}, ownership.Counts{}, "", time.Time{}},
		{"a change that waits for long is one, alone as it is", 6 * time.Minute, waits(1, 5*time.Minute+49*time.Second), ownership.Counts{},
			"the database takes status changes too slowly (1 waits, for 11 s)", start.Add(5*time.Minute + 49*time.Second)},
		{"the oldest of some", 6 * time.Minute, waits(2, 5*time.Minute), ownership.Counts{},
			"the database takes status changes too slowly (2 wait, the oldest for 60 s)", start.Add(5 * time.Minute)},
		{"leases that cannot be renewed are one, though nothing waits yet", 4 * time.Minute, ledger.Status{}, unsure,
			"the leases of 16 shards have not been renewed for 12 s: while the database cannot be reached, nothing is written for their sites (0 changes wait)", unsure.UnsureSince},
		{"and when something does", 5 * time.Minute, waits(3, 4*time.Minute+time.Second), unsure,
			"the leases of 16 shards have not been renewed for 72 s: while the database cannot be reached, nothing is written for their sites (3 changes wait)", unsure.UnsureSince},
		{"the older of two signs says since when", 5 * time.Minute, ledger.Status{Uncommitted: 3, FailingSince: start.Add(4 * time.Minute), Err: "away"}, unsure,
			"the database does not take status changes (3 wait): away; the leases of 16 shards have not been renewed for 72 s", unsure.UnsureSince},
	} {
		alarms := s.storeAlarm(step.status, step.shards, start.Add(step.after))
		if step.want == "" {
			if len(alarms) > 0 {
				t.Errorf("%s: %v", step.name, alarms)
			}
			continue
		}
		if len(alarms) != 1 || alarms[0].GetMessage() != step.want || !alarms[0].GetRaiseTime().AsTime().Equal(step.since) {
			t.Errorf("%s: %v", step.name, alarms)
		}
	}
}

func TestHowWellCheckersKeepUpIsShown(t *testing.T) {
	t.Parallel()
	c := &monitorpb.CoordinatorStatus{}
	keepingUp(c, coverage.Report{Stretch: 1})
	if c.Coverage != nil || c.GetStretch() != 1 || c.GetLatenessP99Millis() != 0 {
		t.Errorf("nothing is known yet, and said is %v", c)
	}
	keepingUp(c, coverage.Report{Known: true, Stretch: 2.5, P50: time.Microsecond, P99: 1500 * time.Millisecond})
	if c.Coverage == nil || c.GetCoverage() != 0 || c.GetStretch() != 2.5 || c.GetLatenessP50Millis() != 1 || c.GetLatenessP99Millis() != 1500 {
		t.Errorf("said is %v", c)
	}
	keepingUp(c, coverage.Report{Known: true, Coverage: 0.75, Stretch: 1, P99: 1 << 62})
	if c.GetCoverage() != 0.75 || c.GetLatenessP99Millis() != math.MaxUint32 {
		t.Errorf("said is %v", c)
	}
}
