package engine

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// bare makes an engine without checkers.
func bare(now time.Time) *Engine {
	return New(Options{
		Policy: lifecycle.DefaultPolicy(), Panel: &world{}, Committer: &world{}, Outliers: outlier.DefaultRule(),
		Random: func() uint64 { return 1 }, Log: slog.New(slog.DiscardHandler),
		Dispatch: dispatch.Config{Lease: time.Minute, SessionTimeout: time.Minute, MaxBatch: 100, MaxQueue: 1000, Random: func() uint64 { return 1 }},
	}, now)
}

// A row that is read makes the same site as one that is put, mostly by another code path.
func TestReadingAndPuttingARowMakeTheSameSite(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for name, edit := range map[string]func(*record.Site){
		"a plain one":      func(*record.Site) {},
		"one that came up": func(s *record.Site) { s.StatusSince = now.Add(-time.Hour) },
		"one with settings": func(s *record.Site) {
			s.Settings = check.Settings{Method: check.MethodGet, RequiredTexts: []string{"größer"}}
		},
		"one of a long time":            func(s *record.Site) { s.Interval = 255 * time.Minute },
		"a paused one":                  func(s *record.Site) { s.Paused = true },
		"one that is down":              func(s *record.Site) { s.Status, s.StatusSince, s.OutageID = check.StatusDown, now.Add(-time.Hour), 7 },
		"one that runs, with an outage": func(s *record.Site) { s.OutageID = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := row()
			row.StatusSince = time.Time{}
			edit(&row)
			put, read := bare(now), bare(now)
			put.watch.put(moment{Time: now}, row)
			r := read.Read(now, row.Bucket)
			if taken := r.Put([]record.Site{row}); taken != 1 {
				t.Errorf("%d rows were taken", taken)
			}
			r.Done()
			want, _ := put.View(now, row.ID)
			got, ok := read.View(now, row.ID)
			if !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			rows := [2]record.Site{put.sites.Load(0).Row, read.sites.Load(0).Row}
			if !reflect.DeepEqual(rows[0], rows[1]) || len(put.cases.open) != len(read.cases.open) || put.agenda.Len() != read.agenda.Len() {
				t.Errorf("%+v, %d cases, %d turns; %+v, %d cases, %d turns", rows[1], len(read.cases.open), read.agenda.Len(), rows[0], len(put.cases.open), put.agenda.Len())
			}
		})
	}
}
