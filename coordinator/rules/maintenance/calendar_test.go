package maintenance_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

func host(t testing.TB, name string) record.Location {
	t.Helper()
	l, err := record.LocateHost(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// shop is a site of host shop.example with two tags.
func shop() maintenance.Subject {
	return maintenance.Subject{ID: 7, URL: "https://Shop.example:443/?a", Tags: []string{"eu", "shop"}}
}

func TestWhichSitesAMaintenanceCovers(t *testing.T) {
	t.Parallel()
	now := at(t, "UTC", "2026-11-30 15:00")
	for name, tt := range map[string]struct {
		covers record.Covers
		want   bool
	}{
		"the site":                   {record.Covers{SiteID: 7}, true},
		"another site":               {record.Covers{SiteID: 8}, false},
		"one of its tags":            {record.Covers{Tag: "shop"}, true},
		"another tag":                {record.Covers{Tag: "sho"}, false},
		"its host":                   {record.Covers{Host: host(t, "shop.EXAMPLE.")}, true},
		"its host and port":          {record.Covers{Host: host(t, "shop.example:443")}, true},
		"another port of its host":   {record.Covers{Host: host(t, "shop.example:8443")}, false},
		"the domain above its host":  {record.Covers{Host: host(t, "example")}, false},
		"a host that is its address": {record.Covers{Host: host(t, "192.0.2.1")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := planOf(t, record.Maintenance{ID: 3, Covers: tt.covers, Start: now.Add(-time.Minute), Duration: time.Hour})
			w, ok := maintenance.NewCalendar(now, []*maintenance.Plan{p}).At(shop(), now)
			if ok != tt.want || ok && w.MaintenanceID != 3 {
				t.Errorf("%v, %t", w, ok)
			}
		})
	}
}

func TestOfSeveralWindowsTheOneThatEndsLastCounts(t *testing.T) {
	t.Parallel()
	now := at(t, "UTC", "2026-11-30 15:00")
	var plans []*maintenance.Plan
	for i, minutes := range []time.Duration{10, 30, 20} {
		plans = append(plans, planOf(t, record.Maintenance{
			ID: int64(i + 1), Covers: record.Covers{Tag: "eu"}, Start: now, Duration: minutes * time.Minute,
		}))
	}
	c := maintenance.NewCalendar(now, plans)
	for minute, want := range map[time.Duration]int64{-1: 0, 0: 2, 29: 2, 30: 0} {
		if w, _ := c.At(shop(), now.Add(minute*time.Minute)); w.MaintenanceID != want {
			t.Errorf("at minute %d it is %d, want %d", minute, w.MaintenanceID, want)
		}
	}
}

func TestACalendarFollowsAnEdit(t *testing.T) {
	t.Parallel()
	now := at(t, "UTC", "2026-11-30 15:00")
	of := func(id int64, minutes time.Duration) *maintenance.Plan {
		return planOf(t, record.Maintenance{ID: id, Covers: record.Covers{Tag: "eu"}, Start: now, Duration: minutes * time.Minute})
	}
	kept := of(1, 10)
	c := maintenance.NewCalendar(now, []*maintenance.Plan{kept, of(2, 30)})
	for name, tt := range map[string]struct {
		plans []*maintenance.Plan
		want  int64
	}{
		"as it was": {[]*maintenance.Plan{kept, of(2, 30)}, 2},
		"shorter":   {[]*maintenance.Plan{kept, of(2, 5)}, 1},
		"deleted":   {[]*maintenance.Plan{kept}, 1},
		"added":     {[]*maintenance.Plan{kept, of(2, 30), of(3, 60)}, 3},
		"none":      {nil, 0},
	} {
		if w, _ := c.With(tt.plans).At(shop(), now); w.MaintenanceID != tt.want {
			t.Errorf("%s: %d, want %d", name, w.MaintenanceID, tt.want)
		}
	}
	if w, _ := c.At(shop(), now); w.MaintenanceID != 2 {
		t.Errorf("the calendar has changed itself: %d", w.MaintenanceID)
	}
}

func TestSpansOfSeveralMaintenancesAreOne(t *testing.T) {
	t.Parallel()
	start := at(t, "UTC", "2026-11-01 00:00")
	c := maintenance.NewCalendar(start, []*maintenance.Plan{
		planOf(t, record.Maintenance{ID: 1, Covers: record.Covers{SiteID: 7}, Start: start, Duration: time.Hour, Rule: "FREQ=DAILY"}),
		planOf(t, record.Maintenance{ID: 2, Covers: record.Covers{Tag: "eu"}, Start: start.Add(time.Hour), Duration: time.Hour}),
		planOf(t, record.Maintenance{ID: 3, Covers: record.Covers{SiteID: 8}, Start: start, Duration: 24 * time.Hour}),
	})
	span := func(from, to float64) uptime.Span {
		hour := func(h float64) time.Time { return start.Add(time.Duration(h * float64(time.Hour))) }
		return uptime.Span{Start: hour(from), End: hour(to)}
	}
	want := []uptime.Span{span(0.5, 2), span(24, 25), span(48, 48.25)}
	if diff := cmp.Diff(want, c.Spans(shop(), start.Add(30*time.Minute), start.Add(48*time.Hour+15*time.Minute))); diff != "" {
		t.Error(diff)
	}
}

// fixed are the seeds of every run.
func fixed() (all []uint64) {
	for i := range uint64(200) {
		all = append(all, i)
	}
	return all
}

// The rule: the wall shows the time of day of the start, on the days of the rule in turn, unless
// the clocks skip that time; windows rise, and At finds exactly those that Windows lists.
func TestWindowsOfAnyRuleInAnyZone(t *testing.T) {
	t.Parallel()
	zones := []string{"", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "America/New_York", "Africa/Casablanca", "Asia/Gaza"}
	rules := []string{"FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,SA", "FREQ=MONTHLY;BYDAY=-1SU", "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=SU", "FREQ=YEARLY"}
	seeds.Run(t, fixed(), func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := record.Maintenance{
			ID: 1, Covers: record.Covers{SiteID: 7}, Zone: zones[r.IntN(len(zones))], Rule: rules[r.IntN(len(rules))],
			Start:    time.Unix(1_200_000_000+r.Int64N(900_000_000), 0).UTC().Truncate(time.Minute),
			Duration: time.Minute + time.Duration(r.Int64N(int64(48*time.Hour))),
		}
		p := planOf(t, m)
		zone, _ := time.LoadLocation(m.Zone)
		wall := m.Start.In(zone).Format("15:04")
		var last time.Time
		n := 0
		p.Each(m.Start, func(w maintenance.Window) bool {
			n++
			shows, before := w.Start.In(zone).Format("15:04"), w.Start.Add(-25*time.Hour).In(zone)
			_, o1 := before.Zone()
			_, o2 := w.Start.In(zone).Zone()
			if shows != wall && o1 == o2 {
				t.Errorf("%v in %s: window %d begins at %s, want %s", m, m.Zone, n, shows, wall)
			}
			if w.Start.Before(last) || w.Start.Before(m.Start) || w.End.Sub(w.Start) != m.Duration {
				t.Errorf("%v in %s: window %d is %v to %v, after %v", m, m.Zone, n, w.Start, w.End, last)
			}
			last = w.Start
			return n < 60
		})
		moment := m.Start.Add(time.Duration(r.Int64N(int64(400 * 24 * time.Hour))))
		_, in := maintenance.NewCalendar(moment, []*maintenance.Plan{p}).At(maintenance.Subject{ID: 7}, moment)
		if listed := len(p.Windows(moment, moment.Add(1), 10)) > 0; listed != in {
			t.Errorf("%v at %v: %t by the calendar, %t by the list", m, moment, in, listed)
		}
	})
}

func BenchmarkTenThousandMaintenances(b *testing.B) {
	now := time.Date(2026, 11, 30, 15, 0, 0, 0, time.UTC)
	var plans []*maintenance.Plan
	for i := range 10_000 {
		plans = append(plans, planOf(b, record.Maintenance{
			ID: int64(i), Covers: record.Covers{SiteID: check.SiteID(i)}, Start: now.AddDate(-2, 0, 0), Duration: time.Hour,
			Rule: "FREQ=WEEKLY;BYDAY=SU", Zone: "Europe/Berlin",
		}))
	}
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			maintenance.NewCalendar(now, plans)
		}
	})
	c := maintenance.NewCalendar(now, plans)
	b.Run("edit", func(b *testing.B) {
		for b.Loop() {
			c.With(plans[1:])
		}
	})
	for _, tags := range [][]string{nil, {"a", "b"}} {
		b.Run(fmt.Sprintf("ask/tags=%d", len(tags)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.At(maintenance.Subject{ID: 77, URL: "https://example.com/", Tags: tags}, now)
			}
		})
	}
}
