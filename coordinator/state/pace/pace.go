// Package pace notices sites that have become slower than they usually are. When the hours of a
// bucket have been folded, it puts each site's hour beside its week, and tells the engine, which
// remarks it. It keeps nothing between two hours: what an hour was is in the history of checks,
// and what is remarked with the engine's other remarks.
//
// An hour that was folded before is not judged again, whatever came late: it would count twice.
//
// Goroutines: none.
package pace

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/advisory"
	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/obs"
)

const (
	// sitesAtOnce bounds the sites whose week is read together, as History wants it, and those
	// that the engine is told of under one lock.
	sitesAtOnce = 1000
	// readTimeout bounds one reading of weeks.
	readTimeout = 10 * time.Second
)

// Options for New. All are required.
type Options struct {
	Engine  Engine
	History History
	Log     *slog.Logger
}

// Engine is who remarks.
type Engine interface {
	NotePaces([]engine.SitePace)
}

// History has the summaries of days; package logbook implements it.
type History interface {
	// Days calls f with the summaries of at most 1,000 sites of each day from one up to another,
	// without end; of a site by rising day.
	Days(ctx context.Context, sites []record.Site, from, to history.Day, f func(check.SiteID, history.Day, []history.Summary)) (until time.Time, err error)
}

// Watcher judges hours. New makes one. It is not safe for concurrent use.
type Watcher struct {
	o    Options
	edge obs.Edge
}

// New makes a Watcher.
func New(o Options) *Watcher {
	return &Watcher{o: o, edge: obs.Edge{Log: o.Log, What: "reading how quick sites usually are", Level: slog.LevelWarn}}
}

// Hours are hours of a bucket that are over, and that nobody has judged.
type Hours struct {
	Bucket check.BucketID
	// First is the first hour, End the one after the last; they are of one day.
	First, End history.Hour
	// Checks has their turns.
	Checks *history.Sheet
}

// OnFold judges the hours of a fold.
func (w *Watcher) OnFold(ctx context.Context, f logbook.Folded) {
	if !f.Again {
		w.Judge(ctx, Hours{Bucket: f.Bucket, First: f.First, End: f.End, Checks: f.Checks})
	}
}

// Judge judges hours, one after the other. When weeks cannot be read, their hours count for nothing.
func (w *Watcher) Judge(ctx context.Context, h Hours) {
	for hour := h.First; hour < h.End; hour++ {
		sheet := h.Checks
		if h.End-h.First > 1 {
			sheet = history.Merge(hour.Start(), (hour + 1).Start(), sheet)
		}
		if err := w.hour(ctx, h.Bucket, hour, sheet); ctx.Err() == nil {
			w.edge.Note(err)
		}
	}
}

// hourOf is what became of a site's checks in an hour.
type hourOf struct {
	site  check.SiteID
	tally history.Tally
}

// hour judges one hour, some sites at a time.
func (w *Watcher) hour(ctx context.Context, bucket check.BucketID, hour history.Hour, sheet *history.Sheet) error {
	some := make([]hourOf, 0, sitesAtOnce)
	for site, strips := range sheet.Sites() {
		x := hourOf{site: site}
		for i := range strips {
			for _, code := range strips[i].Codes {
				x.tally[code]++
			}
		}
		if x.tally.Times() < advisory.LeastChecks {
			continue
		}
		if some = append(some, x); len(some) == sitesAtOnce {
			if err := w.judge(ctx, bucket, hour, some); err != nil {
				return err
			}
			some = some[:0]
		}
	}
	return w.judge(ctx, bucket, hour, some)
}

// judge judges an hour of some sites. It reads the weeks of those only that nothing else speaks for.
func (w *Watcher) judge(ctx context.Context, bucket check.BucketID, hour history.Hour, some []hourOf) error {
	var asked []record.Site
	paces := make([]engine.SitePace, len(some))
	for i := range some {
		paces[i] = engine.SitePace{Site: some[i].site, Pace: advisory.PaceOf(&some[i].tally, history.None), At: (hour + 1).Start()}
		if paces[i].Pace == advisory.PaceUnknown {
			asked = append(asked, record.Site{ID: some[i].site, Bucket: bucket})
		}
	}
	weeks, err := w.weeks(ctx, asked, hour.Day())
	if err != nil {
		return err
	}
	for i := range some {
		week, known := weeks[some[i].site]
		if !known {
			continue
		}
		if paces[i].Pace = advisory.PaceOf(&some[i].tally, week); paces[i].Pace == advisory.PaceSlower {
			paces[i].Detail = detail(&some[i].tally, week)
		}
	}
	w.o.Engine.NotePaces(paces)
	return nil
}

// weeks returns the medians of the weeks that end before a day, of those sites that have been known
// for long enough.
func (w *Watcher) weeks(ctx context.Context, sites []record.Site, day history.Day) (map[check.SiteID]history.Code, error) {
	if len(sites) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	first := day - advisory.LeastDays
	known, weeks := map[check.SiteID]bool{}, map[check.SiteID]history.Code{}
	_, err := w.o.History.Days(ctx, sites, first, day, func(site check.SiteID, of history.Day, all []history.Summary) {
		for i := range all {
			switch {
			case of == first:
				known[site] = known[site] || hasTimes(&all[i])
			case of == day-1 && known[site] && all[i].Week.IsTime():
				weeks[site] = all[i].Week
			}
		}
	})
	return weeks, err
}

func hasTimes(s *history.Summary) bool {
	return len(s.Counts) > 0 && s.Counts[len(s.Counts)-1].Code.IsTime()
}

// detail says to people how slow a site was.
func detail(hour *history.Tally, week history.Code) string {
	const half = 50
	took, usual := hour.Percentile(half).Time(), week.Time()
	return fmt.Sprintf("half of the checks of an hour took %s or more, %.1f times the %s of the week before",
		round(took), float64(took)/float64(usual), round(usual))
}

// round leaves two or three digits.
func round(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Microsecond)
}
