package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func modelTests() []test {
	return []test{
		{"any sequence of calls does what a model in memory does", func(t *testing.T, db Database) { walk(t, db, true) }},
		{"and so it does without legacy writes", func(t *testing.T, db Database) { walk(t, db, false) }},
	}
}

// model is what the store should hold.
type model struct {
	status  map[check.SiteID]check.Status
	open    map[check.SiteID]int64
	done    map[string]store.Committed
	changes []store.Change
	outbox  []string
	nextKey int
}

// walk makes a few hundred random calls, also with used keys and wrong expectations.
func walk(t *testing.T, db Database, legacyWrites bool) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	s := db.Open(t, legacyWrites)
	fence := own(t, s, "a", 7)
	m := model{status: map[check.SiteID]check.Status{}, open: map[check.SiteID]int64{}, done: map[string]store.Committed{}}
	var sites []store.Site
	for i := range 3 {
		site := create(t, s, aSite(url(i)))
		sites = append(sites, site)
		m.status[site.ID] = check.StatusRunning
	}
	for range 250 {
		switch n := random.IntN(10); {
		case n < 6:
			m.commit(t, s, fence, m.invent(random, sites))
		case n < 8 && len(m.changes) > 0:
			m.commit(t, s, fence, m.changes[random.IntN(len(m.changes))])
		default:
			m.deliver(t, s)
		}
	}
	for _, site := range sites {
		got := get[store.Site](t)(s.Site(t.Context(), site.ID))
		if got.Status != m.status[site.ID] || got.OutageID != m.open[site.ID] {
			t.Errorf("site %d has status %d and outage %d, want %d and %d",
				site.ID, got.Status, got.OutageID, m.status[site.ID], m.open[site.ID])
		}
	}
	if n := get[int](t)(s.CountNotices(t.Context(), allShards())); n != len(m.outbox) {
		t.Errorf("%d notices, want %d", n, len(m.outbox))
	}
}

// invent makes a change that is often, but not always, the next one of a site.
func (m *model) invent(random *rand.Rand, sites []store.Site) store.Change {
	site := sites[random.IntN(len(sites))]
	from := m.status[site.ID]
	if random.IntN(4) == 0 {
		from = check.Status(random.IntN(3))
	}
	to := check.StatusRunning
	if from == check.StatusRunning || from == check.StatusDown && random.IntN(2) == 0 {
		to = map[check.Status]check.Status{check.StatusRunning: check.StatusDown, check.StatusDown: check.StatusConfirmedDown}[from]
	}
	m.nextKey++
	c := change(site, from, to, fmt.Sprint("key-", m.nextKey))
	if to == check.StatusDown {
		c = opening(site, c.Key)
	}
	return c
}

func (m *model) commit(t *testing.T, s store.Store, f store.Fence, c store.Change) {
	t.Helper()
	got, err := s.Commit(t.Context(), f, c)
	if first, again := m.done[c.Key]; again {
		must(t, err)
		wantEqual(t, got, first)
		return
	}
	if m.status[c.SiteID] != c.From {
		wantKind(t, err, fault.Conflict)
		return
	}
	must(t, err)
	switch {
	case c.To == check.StatusDown:
		m.open[c.SiteID] = got.OutageID
	case got.OutageID != m.open[c.SiteID]:
		t.Fatalf("%s concerns outage %d, want %d", c.Key, got.OutageID, m.open[c.SiteID])
	case c.To == check.StatusRunning:
		delete(m.open, c.SiteID)
	}
	m.status[c.SiteID] = c.To
	m.done[c.Key] = got
	m.changes = append(m.changes, c)
	m.outbox = append(m.outbox, c.Key)
}

// deliver takes the first notice off, after a look at all heads.
func (m *model) deliver(t *testing.T, s store.Store) {
	t.Helper()
	var want []string
	seen := map[check.SiteID]bool{}
	for _, key := range m.outbox {
		i := slices.IndexFunc(m.changes, func(c store.Change) bool { return c.Key == key })
		if site := m.changes[i].SiteID; !seen[site] {
			seen[site] = true
			want = append(want, key)
		}
	}
	notices := due(t, s, after(24*time.Hour), 100)
	var got []string
	for _, n := range notices {
		got = append(got, n.Key)
	}
	wantEqual(t, got, want)
	if len(notices) > 0 {
		must(t, s.Delivered(t.Context(), notices[0], after(24*time.Hour)))
		m.outbox = slices.DeleteFunc(m.outbox, func(key string) bool { return key == notices[0].Key })
	}
}
