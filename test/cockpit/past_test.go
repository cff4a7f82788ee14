package cockpit

import (
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/logbook"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
)

// notebook is an engine of which a logbook takes notes that are made up.
type notebook struct{ *history.Book }

// TakeNotes implements logbook.Engine.
func (n notebook) TakeNotes(s shard.ID) history.Taken { return n.Take(s) }

// ReuseNotes implements logbook.Engine.
func (n notebook) ReuseNotes(t history.Taken) { n.Reuse(t) }

// owner holds one shard.
type owner struct {
	shard.Holder
	fence shard.Fence
}

// Fence implements shard.Holder.
func (o owner) Fence(s shard.ID) (shard.Fence, bool) { return o.fence, s == o.fence.Shard }

const (
	pastBucket   = 7
	pastInterval = 15 * time.Minute // a table of all checks of a day is long enough for axe and for pictures
)

// aDay writes a database in which two checkers have looked at a site for a day: it was good, in 120 ms
// from Europe and 300 ms from America, but for an outage of half an hour that ended two hours ago.
func aDay(t *testing.T, file string, now time.Time) (id check.SiteID) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := sqlstore.Open(t.Context(), "sqlite:"+file, sqlstore.Options{LegacyWrites: true, Migrate: true})
	must(err)
	row, err := s.CreateSite(t.Context(), record.Site{BlogID: 7, Bucket: pastBucket, URL: "https://past.example/", Interval: pastInterval, Paused: true})
	must(err)
	_, err = s.UpdateSite(t.Context(), row.ID, now.Add(-24*time.Hour), func(row record.Site) (record.Site, error) { // watched since then
		row.Paused = false
		return row, nil
	})
	must(err)
	lease, err := s.ClaimShard(t.Context(), shard.Of(pastBucket), shard.Owner{Node: "earlier", TTL: time.Hour}, now)
	must(err)
	down, up := now.Add(-150*time.Minute), now.Add(-120*time.Minute)
	for _, c := range []record.Change{
		{Key: "down", From: check.StatusRunning, To: check.StatusDown, Start: down, At: down, Cause: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503}},
		{Key: "up", From: check.StatusDown, To: check.StatusRunning, Start: up, At: up},
	} {
		c.SiteID, c.BlogID, c.Bucket, c.URL = row.ID, row.BlogID, row.Bucket, row.URL
		_, err := storetest.Commit(t.Context(), s, lease.Fence(), c)
		must(err)
	}
	notes := notebook{history.NewBook()}
	places := []uint8{notes.Place("europe", "checker-1"), notes.Place("america", "checker-2")}
	for n := schedule.TurnBefore(row.ID, pastInterval, now.Add(-24*time.Hour)) + 1; ; n++ {
		turn := schedule.TurnTime(row.ID, pastInterval, n)
		if !turn.Before(now.Add(-time.Minute)) {
			break
		}
		code := history.Took([]time.Duration{120 * time.Millisecond, 300 * time.Millisecond}[n%2])
		if !turn.Before(down) && turn.Before(up) {
			code = history.Failed
		}
		notes.Note(pastBucket, history.Note{Site: row.ID, Turn: uint32(n), Interval: uint16(pastInterval / time.Second), Code: code, Region: places[n%2]})
	}
	l, err := logbook.New(logbook.Options{Engine: notes, Store: s, Shards: owner{fence: lease.Fence()}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	must(err)
	l.Tend(t.Context(), shard.Of(pastBucket)) // what is summed up tells since when checks are kept
	must(s.ReleaseShard(t.Context(), lease))
	must(s.Close())
	return row.ID
}

func TestThePastOfASiteIsDrawn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "past.db")
	id := strconv.FormatInt(int64(aDay(t, file, time.Now())), 10)
	p := another(t, file, "/ui/sites/"+id)
	p.forgive("willReadFrequently") // this story reads the picture more than once
	p.sees("Each good check; outages are shaded")
	// The curve and the outage are on the picture, each in its colour.
	p.until("the chart is drawn", `(() => {
		const c = document.querySelector('.chart canvas'); if (!c) return false;
		const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
		const seen = new Map();
		for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) { const k = d[i] + ',' + d[i + 1] + ',' + d[i + 2]; seen.set(k, (seen.get(k) ?? 0) + 1); }
		const probe = document.createElement('p'); document.body.append(probe);
		const rgb = (name) => { probe.style.color = 'var(' + name + ')'; return getComputedStyle(probe).color.match(/\d+/g).slice(0, 3).join(','); };
		const ok = (seen.get(rgb('--link')) ?? 0) > 50 && (seen.get(rgb('--bad-back')) ?? 0) > 500;
		probe.remove(); return ok; })()`)
	if w := p.weigh(); w.Shift > 0.001 {
		t.Errorf("what was drawn first moves by %.4f", w.Shift)
	}
	p.press("Show the figures")
	if cells := eval[string](p, `[...document.querySelectorAll('.chart tbody td:last-child')].map((c) => c.innerText).join()`); !containsAll(cells, "119 ms", "–") && !containsAll(cells, "120 ms", "–") {
		t.Errorf("the figures are %s", cells)
	}
	// Every check of the last hours is a mark in the row of its checker.
	for _, name := range []string{"europe, checker-1", "america, checker-2"} {
		p.until("there is a row of "+name, `[...document.querySelectorAll('.marks-name')].some((e) => e.innerText.startsWith(`+strconv.Quote(name)+`) && /good/.test(e.innerText) && /failed/.test(e.innerText))`)
	}
	if n := eval[int](p, `document.querySelectorAll('.marks svg svg').length`); n < 23 || n > 25 {
		t.Errorf("%d marks, want one each quarter of an hour for six hours", n)
	}
	p.press("Show the checks")
	p.until("the table names checkers", `[...document.querySelectorAll('[aria-label=Checks] td')].some((c) => c.innerText === 'checker-2')`)
	p.audit()
	p.press("Week")
	p.sees("Good checks by hour; outages are shaded")
	p.sees("95 % took no longer")
	if got := p.path(); got != "/ui/sites/"+id+"?period=week" {
		t.Errorf("the address is %s", got)
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
