package maintenance_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// at reads a moment as in a calendar, in a zone.
func at(t testing.TB, zone, text string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	got, err := time.ParseInLocation("2006-01-02 15:04", text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func planOf(t testing.TB, m record.Maintenance) *maintenance.Plan {
	t.Helper()
	p, err := maintenance.NewPlan(m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Skipping must not change what comes: what Windows finds late is what Each has listed.
func TestWindowsYearsLaterAreThoseOfTheRule(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{
		"FREQ=DAILY", "FREQ=DAILY;INTERVAL=7", "FREQ=WEEKLY", "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,SU", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
		"FREQ=DAILY;BYMONTH=2", "FREQ=DAILY;COUNT=900", "FREQ=MONTHLY;INTERVAL=5", "FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR", "FREQ=DAILY;UNTIL=20280101T000000Z",
	} {
		start := at(t, "Europe/Berlin", "2026-01-07 02:30") // a Wednesday
		p := planOf(t, record.Maintenance{Start: start, Duration: 30 * time.Hour, Rule: rule, Zone: "Europe/Berlin"})
		from, to := start.AddDate(2, 1, 3), start.AddDate(3, 0, 0)
		var want []maintenance.Window
		p.Each(time.Time{}, func(w maintenance.Window) bool {
			if w.End.After(from) && w.Start.Before(to) {
				want = append(want, w)
			}
			return w.Start.Before(to)
		})
		if diff := cmp.Diff(want, p.Windows(from, to, 1000)); diff != "" {
			t.Errorf("%s: %s", rule, diff)
		}
	}
}

// The beginnings and ends of windows are in UTC.
func TestWindowsFollowTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		zone, start, rule string
		length            time.Duration
		want              string
	}{
		"once": {"Europe/Berlin", "2026-12-01 22:00", "", 2 * time.Hour, "12-01 21:00/23:00"},
		"every Sunday, over the spring of Berlin": {
			"Europe/Berlin", "2026-03-22 04:00", "FREQ=WEEKLY;BYDAY=SU;COUNT=3", time.Hour,
			"03-22 03:00/04:00, 03-29 02:00/03:00, 04-05 02:00/03:00",
		},
		"at a time that Berlin skips in spring: as by the clock of winter": {
			"Europe/Berlin", "2026-03-28 02:30", "FREQ=DAILY;COUNT=3", time.Hour,
			"03-28 01:30/02:30, 03-29 01:30/02:30, 03-30 00:30/01:30",
		},
		"at a time that comes twice in Berlin's autumn: the first": {
			"Europe/Berlin", "2026-10-24 02:30", "FREQ=DAILY;COUNT=3", time.Hour,
			"10-24 00:30/01:30, 10-25 00:30/01:30, 10-26 01:30/02:30",
		},
		"two hours over the change in autumn are two hours": {
			"Europe/Berlin", "2026-10-25 01:00", "", 2 * time.Hour, "10-24 23:00/01:00",
		},
		"across midnight": {
			"Europe/Berlin", "2026-12-31 23:30", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", time.Hour,
			"12-31 22:30/23:30, 01-31 22:30/23:30",
		},
		"Sao Paulo when it still had summer time, which began at midnight": {
			"America/Sao_Paulo", "2018-11-03 00:00", "FREQ=DAILY;COUNT=3", time.Hour,
			"11-03 03:00/04:00, 11-04 03:00/04:00, 11-05 02:00/03:00",
		},
		"Lord Howe moves by half an hour": {
			"Australia/Lord_Howe", "2026-10-03 02:15", "FREQ=DAILY;COUNT=3", time.Hour,
			"10-02 15:45/16:45, 10-03 15:45/16:45, 10-04 15:15/16:15",
		},
		"Samoa left a day out": {
			"Pacific/Apia", "2011-12-29 12:00", "FREQ=DAILY;COUNT=3", time.Hour,
			"12-29 22:00/23:00, 12-30 22:00/23:00, 12-30 22:00/23:00",
		},
		"until a moment, which is included": {
			"Europe/Berlin", "2026-06-01 12:00", "FREQ=DAILY;UNTIL=20260602T100000Z", time.Hour,
			"06-01 10:00/11:00, 06-02 10:00/11:00",
		},
		"until a day, all of it": {
			"Europe/Berlin", "2026-06-01 23:30", "FREQ=DAILY;UNTIL=20260602", time.Hour,
			"06-01 21:30/22:30, 06-02 21:30/22:30",
		},
		"the last Sunday of each quarter": {
			"UTC", "2026-03-29 01:00", "FREQ=MONTHLY;INTERVAL=3;BYDAY=-1SU;COUNT=3", time.Hour,
			"03-29 01:00/02:00, 06-28 01:00/02:00, 09-27 01:00/02:00",
		},
		"on the leap day": {
			"UTC", "2028-02-29 00:00", "FREQ=YEARLY;COUNT=2", time.Hour, "02-29 00:00/01:00, 02-29 00:00/01:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := planOf(t, record.Maintenance{ID: 1, Start: at(t, tt.zone, tt.start), Duration: tt.length, Rule: tt.rule, Zone: tt.zone})
			var got []string
			p.Each(p.Start, func(w maintenance.Window) bool {
				got = append(got, w.Start.Format("01-02 15:04")+w.End.Format("/15:04"))
				return len(got) < 5
			})
			if diff := cmp.Diff(tt.want, strings.Join(got, ", ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAWindowThatWasEndedIsShorterAndTheNextIsNot(t *testing.T) {
	t.Parallel()
	start := at(t, "UTC", "2026-06-01 12:00")
	p := planOf(t, record.Maintenance{Start: start, Duration: time.Hour, Rule: "FREQ=DAILY;COUNT=2", Cut: start.Add(10 * time.Minute)})
	want := []maintenance.Window{
		{Start: start, End: start.Add(10 * time.Minute)},
		{Start: start.AddDate(0, 0, 1), End: start.AddDate(0, 0, 1).Add(time.Hour)},
	}
	if diff := cmp.Diff(want, p.Windows(start.Add(-time.Hour), start.AddDate(1, 0, 0), 10)); diff != "" {
		t.Error(diff)
	}
	if w, ok := p.Next(start.Add(20 * time.Minute)); !ok || !w.Start.Equal(want[1].Start) {
		t.Errorf("after that comes %v, %t", w, ok)
	}
	if w, ok := p.Next(start.AddDate(0, 0, 2)); ok {
		t.Errorf("after the last comes %v", w)
	}
}

func TestPlansThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	now := at(t, "UTC", "2026-11-30 15:00")
	good := func() record.Maintenance {
		return record.Maintenance{Start: now.Add(time.Hour), Duration: time.Hour, Rule: "FREQ=DAILY"}
	}
	if _, err := maintenance.Check(good(), now); err != nil {
		t.Fatal(err)
	}
	long := "FREQ=YEARLY;BYYEARDAY=" + strings.Repeat("1,", 300) + "1"
	for name, tt := range map[string]struct {
		spoil func(*record.Maintenance)
		field string
	}{
		"too short":                    {func(m *record.Maintenance) { m.Duration = 59 * time.Second }, "duration"},
		"too long":                     {func(m *record.Maintenance) { m.Duration = 31*24*time.Hour + time.Second }, "duration"},
		"over already":                 {func(m *record.Maintenance) { m.Rule, m.Start = "", now.Add(-time.Hour) }, "start_time"},
		"over already, repeatedly":     {func(m *record.Maintenance) { m.Rule, m.Start = "FREQ=DAILY;COUNT=2", now.AddDate(0, 0, -7) }, "start_time"},
		"long ago":                     {func(m *record.Maintenance) { m.Start = now.AddDate(-11, 0, 0) }, "start_time"},
		"no time at all":               {func(m *record.Maintenance) { m.Start = time.Time{} }, "start_time"},
		"far ahead":                    {func(m *record.Maintenance) { m.Start = now.AddDate(11, 0, 0) }, "start_time"},
		"a zone that is none":          {func(m *record.Maintenance) { m.Zone = "Europe/Atlantis" }, "time_zone"},
		"the zone of the host":         {func(m *record.Maintenance) { m.Zone = "Local" }, "time_zone"},
		"a zone that is a path":        {func(m *record.Maintenance) { m.Zone = "../../etc/passwd" }, "time_zone"},
		"every second":                 {func(m *record.Maintenance) { m.Rule = "FREQ=SECONDLY" }, "recurrence"},
		"every hour":                   {func(m *record.Maintenance) { m.Rule = "FREQ=HOURLY" }, "recurrence"},
		"every second of a day":        {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;BYSECOND=0,1,2" }, "recurrence"},
		"no frequency":                 {func(m *record.Maintenance) { m.Rule = "BYDAY=SU" }, "recurrence"},
		"an unknown frequency":         {func(m *record.Maintenance) { m.Rule = "FREQ=OFTEN" }, "recurrence"},
		"a number that is none":        {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;INTERVAL=x" }, "recurrence"},
		"an interval of none":          {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;INTERVAL=0" }, "recurrence"},
		"an interval of aeons":         {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;INTERVAL=4000000000" }, "recurrence"},
		"an interval that goes back":   {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;INTERVAL=-1" }, "recurrence"},
		"no times":                     {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;COUNT=0" }, "recurrence"},
		"very many times":              {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;COUNT=1001" }, "recurrence"},
		"both ends":                    {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z" }, "recurrence"},
		"an end that is none":          {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;UNTIL=soon" }, "recurrence"},
		"a day that is none":           {func(m *record.Maintenance) { m.Rule = "FREQ=WEEKLY;BYDAY=XX" }, "recurrence"},
		"a month that is none":         {func(m *record.Maintenance) { m.Rule = "FREQ=YEARLY;BYMONTH=13" }, "recurrence"},
		"a day that never comes":       {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" }, "start_time"},
		"a place that never comes":     {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;BYSETPOS=5" }, "start_time"},
		"a part that no standard has":  {func(m *record.Maintenance) { m.Rule = "FREQ=YEARLY;BYEASTER=1" }, "recurrence"},
		"a line of its own":            {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY\nATTENDEE:mailto:a@example.com" }, "recurrence"},
		"another property in the rule": {func(m *record.Maintenance) { m.Rule = "DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY" }, "recurrence"},
		"a rule without an end":        {func(m *record.Maintenance) { m.Rule = long }, "recurrence"},
		"a sixth Monday of a month":    {func(m *record.Maintenance) { m.Rule = "FREQ=MONTHLY;BYDAY=1MO,6MO" }, "recurrence"},
		"a 53rd Monday of February":    {func(m *record.Maintenance) { m.Rule = "FREQ=YEARLY;BYMONTH=2;BYDAY=53MO" }, "recurrence"},
		"the 53rd last of February":    {func(m *record.Maintenance) { m.Rule = "FREQ=YEARLY;BYMONTH=2;BYDAY=-53MO" }, "recurrence"},
		"the first Monday of a week":   {func(m *record.Maintenance) { m.Rule = "FREQ=WEEKLY;BYDAY=1MO" }, "recurrence"},
		"some weekdays counted":        {func(m *record.Maintenance) { m.Rule = "FREQ=MONTHLY;BYDAY=TH,2FR" }, "recurrence"},
		"counted beside weeks":         {func(m *record.Maintenance) { m.Rule = "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO" }, "recurrence"},
		"two frequencies":              {func(m *record.Maintenance) { m.Rule = "FREQ=DAILY;FREQ=WEEKLY" }, "recurrence"},
		"empty parts":                  {func(m *record.Maintenance) { m.Rule = ";;;" }, "recurrence"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := good()
			tt.spoil(&m)
			began := time.Now()
			_, err := maintenance.Check(m, now)
			e, ok := errors.AsType[*maintenance.FieldError](err)
			if !ok || e.Field != tt.field || len(err.Error()) > 400 {
				t.Errorf("%v, want one about %s", err, tt.field)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("it took %v to refuse", took)
			}
		})
	}
}

func TestTheBeginningIsThatOfTheFirstWindow(t *testing.T) {
	t.Parallel()
	now := at(t, "UTC", "2026-11-30 15:00") // a Monday
	m, err := maintenance.Check(record.Maintenance{
		Start: at(t, "Europe/Berlin", "2026-12-01 03:00"), Duration: time.Hour, Rule: "FREQ=WEEKLY;BYDAY=SU", Zone: "Europe/Berlin",
	}, now)
	if want := at(t, "Europe/Berlin", "2026-12-06 03:00"); err != nil || !m.Start.Equal(want) {
		t.Errorf("it begins at %v (%v), want %v", m.Start, err, want)
	}
	second := time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC) // 02:30 in Berlin for the second time
	m, err = maintenance.Check(record.Maintenance{Start: second, Duration: time.Hour, Rule: "FREQ=WEEKLY", Zone: "Europe/Berlin"}, now.AddDate(0, -2, 0))
	if err != nil || !m.Start.Equal(second) {
		t.Errorf("the second of two times is %v (%v), want %v", m.Start, err, second)
	}
}
