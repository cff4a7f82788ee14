package hush_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/hush"
	"github.com/Automattic/jetmon/internal/check"
)

// world is a store and an engine of sites that are untold.
type world struct {
	mu     sync.Mutex
	plans  []record.Maintenance
	tags   map[check.SiteID][]string
	hushed map[check.SiteID]int64
	away   bool
	// asked counts the calendars that were asked for, read the sites.
	asked, read int
}

func (w *world) Calendar(_ context.Context, now time.Time) (*maintenance.Calendar, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked++; w.away {
		return nil, errors.New("away")
	}
	var plans []*maintenance.Plan
	for _, m := range w.plans {
		p, err := maintenance.NewPlan(m)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	return maintenance.NewCalendar(now, plans), nil
}

func (w *world) SitesByID(_ context.Context, ids []check.SiteID) (rows []record.Site, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read += len(ids)
	for _, id := range ids {
		rows = append(rows, record.Site{ID: id, Tags: w.tags[id]})
	}
	return rows, nil
}

func (w *world) Untold() (sites []engine.Untold) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, in := range w.hushed {
		sites = append(sites, engine.Untold{Site: id, URL: "https://a.example/", Hushed: in})
	}
	return sites
}

func (w *world) Hush(_ time.Time, sites map[check.SiteID]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.hushed, sites)
}

func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) want(t *testing.T, want map[check.SiteID]int64) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(want, w.hushed); diff != "" {
		t.Error(diff)
	}
}

// running runs a Hush in a bubble.
func running(t *testing.T, w *world) *hush.Hush {
	t.Helper()
	h := hush.New(w, w, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestSitesAreQuietUntilTheirMaintenanceIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{hushed: map[check.SiteID]int64{1: 5, 2: 0, 3: 6}, tags: map[check.SiteID][]string{2: {"shop"}}, plans: []record.Maintenance{
			{ID: 5, Covers: record.Covers{SiteID: 1}, Start: time.Now(), Duration: time.Minute},
			{ID: 7, Covers: record.Covers{Tag: "shop"}, Start: time.Now(), Duration: time.Hour},
		}}
		running(t, w)
		w.want(t, map[check.SiteID]int64{1: 5, 2: 7, 3: 0})
		time.Sleep(59 * time.Second)
		w.want(t, map[check.SiteID]int64{1: 5, 2: 7, 3: 0})
		time.Sleep(time.Second)
		w.want(t, map[check.SiteID]int64{1: 0, 2: 7, 3: 0})
		if w.read > 3*7 {
			t.Errorf("%d sites were read in a minute", w.read)
		}
		w.change(func() { w.tags = nil })
		time.Sleep(11 * time.Second)
		w.want(t, map[check.SiteID]int64{1: 0, 2: 0, 3: 0})
	})
}

func TestAnEditIsFollowedAtOnceByThisCoordinatorAndSoonByOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{hushed: map[check.SiteID]int64{1: 0}}
		h := running(t, w)
		w.want(t, map[check.SiteID]int64{1: 0})
		w.change(func() {
			w.plans = []record.Maintenance{{ID: 5, Covers: record.Covers{SiteID: 1}, Start: time.Now(), Duration: time.Hour}}
		})
		w.want(t, map[check.SiteID]int64{1: 0})
		h.Wake()
		h.Wake()
		w.want(t, map[check.SiteID]int64{1: 5})
		w.change(func() { w.plans = nil })
		time.Sleep(time.Second)
		w.want(t, map[check.SiteID]int64{1: 0})
	})
}

func TestNothingChangesWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{away: true, hushed: map[check.SiteID]int64{1: 5, 2: 0}}
		running(t, w)
		time.Sleep(time.Hour)
		w.want(t, map[check.SiteID]int64{1: 5, 2: 0})
		w.change(func() { w.away = false })
		time.Sleep(time.Second)
		w.want(t, map[check.SiteID]int64{1: 0, 2: 0})
	})
}

func TestWithoutUntoldSitesNobodyIsAsked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{hushed: map[check.SiteID]int64{}}
		running(t, w)
		time.Sleep(time.Hour)
		w.want(t, map[check.SiteID]int64{})
		if w.asked != 0 {
			t.Errorf("%d times", w.asked)
		}
	})
}
