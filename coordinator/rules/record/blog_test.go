package record_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
)

func TestWhatThePastOfASiteSays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(hours int) time.Time { return now.Add(time.Duration(hours) * time.Hour) }
	never, today := time.Time{}, at(-12)
	outage := record.PastOutage{URL: "http://a.example/", Outage: uptime.Outage{Start: at(-5), End: at(-4)}}
	for name, tt := range map[string]struct {
		row  record.Site
		past record.Past
		want uptime.URL
	}{
		"nothing is known": {want: uptime.URL{}},
		"a row that WordPress.com added and that never failed": {
			row:  record.Site{StatusSince: at(-30)},
			want: uptime.URL{Since: at(-30)},
		},
		"such a row that failed later": {
			row: record.Site{StatusSince: at(-4)}, past: record.Past{Outages: []record.PastOutage{outage}},
			want: uptime.URL{Outages: []uptime.Outage{outage.Outage}},
		},
		"paused, nobody knows since when": {
			row:  record.Site{Paused: true},
			want: uptime.URL{Paused: []uptime.Span{{Start: never, End: now}}},
		},
		"added by a caller": {
			past: record.Past{Watched: []uptime.Span{{Start: at(-20)}}},
			want: uptime.URL{Since: at(-20), Paused: []uptime.Span{{Start: at(-20), End: at(-20)}}},
		},
		"paused and resumed": {
			past: record.Past{Watched: []uptime.Span{{Start: at(-20), End: at(-10)}, {Start: at(-8)}}},
			want: uptime.URL{Since: at(-20), Paused: []uptime.Span{{Start: at(-20), End: at(-20)}, {Start: at(-10), End: at(-8)}}},
		},
		"paused": {
			row: record.Site{Paused: true}, past: record.Past{Watched: []uptime.Span{{Start: never, End: at(-10)}}},
			want: uptime.URL{Paused: []uptime.Span{{}, {Start: at(-10), End: now}}},
		},
		"paused by another program, some time": {
			row: record.Site{Paused: true}, past: record.Past{Watched: []uptime.Span{{Start: at(-40)}}},
			want: uptime.URL{Since: at(-40), Paused: []uptime.Span{{Start: at(-40), End: at(-40)}, {Start: today, End: now}}},
		},
		"resumed by another program, some time": {
			past: record.Past{Watched: []uptime.Span{{Start: at(-60), End: at(-40)}}},
			want: uptime.URL{Since: at(-60), Paused: []uptime.Span{{Start: at(-60), End: at(-60)}, {Start: at(-40), End: today}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, tt.past.Of(tt.row, now), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
