package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// model is what the store should hold.
type model struct {
	status  map[check.SiteID]check.Status
	open    map[check.SiteID]int64
	done    map[string]record.Committed
	changes []record.Change
	outbox  []string
	nextKey int
}

// walk makes a few hundred random calls, also with used keys and wrong expectations.
func walk(t *testing.T, s store.Store, random *rand.Rand) {
	fence := own(t, s, "a", 7)
	m, sites := newModel(t, s, 3)
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
	m.compare(t, s, sites)
}

// walkGroups does the same with groups.
func walkGroups(t *testing.T, s store.Store, random *rand.Rand) {
	fence := own(t, s, "a", 7)
	m, sites := newModel(t, s, 12)
	for range 60 {
		var group []record.Change
		used := map[check.SiteID]bool{}
		for range 1 + random.IntN(len(sites)) {
			c := m.invent(random, sites)
			if random.IntN(4) == 0 && len(m.changes) > 0 {
				c = m.changes[random.IntN(len(m.changes))]
			}
			if !used[c.SiteID] {
				used[c.SiteID] = true
				group = append(group, c)
			}
		}
		results := get[[]store.CommitResult](t)(s.CommitAll(t.Context(), fence, group))
		if len(results) != len(group) {
			t.Fatalf("%d answers to %d changes", len(results), len(group))
		}
		for i, c := range group {
			m.take(t, c, results[i].Committed, results[i].Err)
		}
		if random.IntN(3) == 0 {
			m.deliver(t, s)
		}
	}
	m.compare(t, s, sites)
}

// newModel makes some sites, and the model of them.
func newModel(t testing.TB, s store.Store, n int) (m model, sites []record.Site) {
	t.Helper()
	m = model{status: map[check.SiteID]check.Status{}, open: map[check.SiteID]int64{}, done: map[string]record.Committed{}}
	for i := range n {
		site := create(t, s, aSite(url(i)))
		sites = append(sites, site)
		m.status[site.ID] = check.StatusRunning
	}
	return m, sites
}

// compare looks whether the store holds what the model does.
func (m *model) compare(t testing.TB, s store.Store, sites []record.Site) {
	t.Helper()
	for _, site := range sites {
		got := get[record.Site](t)(s.Site(t.Context(), site.ID))
		if got.Status != m.status[site.ID] || got.OutageID != m.open[site.ID] {
			t.Errorf("site %d has status %d and outage %d, want %d and %d",
				site.ID, got.Status, got.OutageID, m.status[site.ID], m.open[site.ID])
		}
	}
	if n := get[int](t)(CountNotifications(t.Context(), s, allShards())); n != len(m.outbox) {
		t.Errorf("%d notifications, want %d", n, len(m.outbox))
	}
}

// invent makes a change that is often, but not always, the next one of a site.
func (m *model) invent(random *rand.Rand, sites []record.Site) record.Change {
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

func (m *model) commit(t *testing.T, s store.Store, f shard.Fence, c record.Change) {
	t.Helper()
	got, err := Commit(t.Context(), s, f, c)
	m.take(t, c, got, err)
}

// take compares the result of a change with the expected one.
func (m *model) take(t *testing.T, c record.Change, got record.Committed, err error) {
	t.Helper()
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

// deliver checks the first notifications of all sites and delivers the oldest.
func (m *model) deliver(t *testing.T, s store.Store) {
	t.Helper()
	var want []string
	var first []record.Change
	seen := map[check.SiteID]bool{}
	for _, key := range m.outbox {
		i := slices.IndexFunc(m.changes, func(c record.Change) bool { return c.Key == key })
		if site := m.changes[i].SiteID; !seen[site] {
			seen[site] = true
			first = append(first, m.changes[i])
		}
	}
	// Recoveries go first, and then what happened first.
	slices.SortStableFunc(first, func(a, b record.Change) int {
		if up := a.To == check.StatusRunning; up != (b.To == check.StatusRunning) {
			return map[bool]int{true: -1, false: 1}[up]
		} else if up {
			return 0
		}
		return a.At.Compare(b.At)
	})
	for _, c := range first {
		want = append(want, c.Key)
	}
	notifications := due(t, s, after(24*time.Hour), 100)
	var got []string
	for _, n := range notifications {
		got = append(got, n.Key)
	}
	wantEqual(t, got, want)
	if len(notifications) > 0 {
		must(t, Accept(t.Context(), s, notifications[0], after(24*time.Hour)))
		m.outbox = slices.DeleteFunc(m.outbox, func(key string) bool { return key == notifications[0].Key })
	}
}
