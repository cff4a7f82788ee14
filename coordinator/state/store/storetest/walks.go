package storetest

import (
	"context"
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

func randomWalkTests() []random {
	return []random{
		{"a walk by pages sees each site that was there all the time exactly once", walkSites},
		{"and so do walks over outages, tokens and the audit trail", walkOthers},
	}
}

// RunWalks runs the part of the suite that is about walks, as for a store to which few sites are
// many.
func RunWalks(t *testing.T, seed uint64, fresh func(t testing.TB) Database) {
	for _, one := range randomWalkTests() {
		one.start(t, seed, fresh)
	}
}

// crowd are sites of which some are edited while somebody walks over all.
type crowd struct {
	db     Database
	s      store.Store
	random *rand.Rand
	fence  shard.Fence
	// still stay as they are; restless are edited.
	still, restless []check.SiteID
	made            int
}

const crowded = 24

func newCrowd(t testing.TB, db Database, random *rand.Rand) *crowd {
	c := &crowd{db: db, s: db.Open(t, random.IntN(2) == 0), random: random}
	indexAll(t, c.s)
	c.fence = own(t, c.s, "a", 0)
	for i := range crowded {
		id := c.create(t)
		for range random.IntN(3) {
			c.changeStatus(t, id)
		}
		if random.IntN(4) == 0 { // by v1, or by WordPress.com
			db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ? WHERE jetpack_monitor_site_id = ?",
				random.IntN(3), after(time.Duration(i)*time.Hour).Format("2006-01-02 15:04:05"), id)
		}
		if random.IntN(4) == 0 { // what is told of it is of another URL, then
			c.move(t, id)
		}
		if c.restless = append(c.restless, id); random.IntN(3) > 0 {
			c.still, c.restless = append(c.still, id), c.restless[:len(c.restless)-1]
		}
	}
	must(t, c.s.IndexHosts(t.Context(), whole, allShards(), true))
	return c
}

var (
	crowdTags  = []string{"a", "b", "c"}
	crowdHosts = []string{"one.example", "two.example"}
)

// create adds a site of any kind, in a bucket of one shard.
func (c *crowd) create(t testing.TB) check.SiteID {
	t.Helper()
	c.made++
	site := record.Site{
		BlogID: check.BlogID(1 + c.random.IntN(3)), Bucket: check.BucketID(c.random.IntN(3)), Interval: time.Minute, Paused: c.random.IntN(4) == 0,
		URL: fmt.Sprintf("https://%s/%d", crowdHosts[c.random.IntN(2)], c.made), Tags: c.tags(),
	}
	return create(t, c.s, site).ID
}

func (c *crowd) tags() (tags []string) {
	for _, tag := range crowdTags {
		if c.random.IntN(2) == 0 {
			tags = append(tags, tag)
		}
	}
	return tags
}

// changeStatus commits the next change of a site.
func (c *crowd) changeStatus(t testing.TB, id check.SiteID) {
	t.Helper()
	site, err := c.s.Site(t.Context(), id)
	if fault.Is(err, fault.NotFound) {
		return
	}
	must(t, err)
	c.made++
	key := fmt.Sprint("k", c.made)
	change := map[check.Status]record.Change{
		check.StatusRunning: opening(site, key), check.StatusDown: confirming(site, key), check.StatusConfirmedDown: closing(site, site.Status, key),
	}[site.Status]
	change.Muted = c.random.IntN(3) == 0
	change.Since, change.At = site.StatusSince, after(time.Duration(c.made)*time.Minute)
	if _, err := Commit(t.Context(), c.s, c.fence, change); err != nil && !fault.Is(err, fault.Conflict) {
		t.Fatal(err)
	}
}

// move gives a site another URL.
func (c *crowd) move(t testing.TB, id check.SiteID) {
	t.Helper()
	c.made++
	_, err := c.s.UpdateSite(t.Context(), id, after(time.Hour), func(x record.Site) (record.Site, error) {
		x.URL = fmt.Sprintf("https://%s/%d", crowdHosts[c.random.IntN(2)], c.made)
		return x, nil
	})
	if err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
}

// disturb edits a restless site in some way, or adds one.
func (c *crowd) disturb(t testing.TB) {
	t.Helper()
	id := c.restless[c.random.IntN(len(c.restless))]
	update := func(edit func(*record.Site)) {
		_, err := c.s.UpdateSite(t.Context(), id, after(time.Hour), func(x record.Site) (record.Site, error) { edit(&x); return x, nil })
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	}
	switch c.random.IntN(7) {
	case 0:
		c.restless = append(c.restless, c.create(t))
	case 1:
		if err := c.s.DeleteSite(t.Context(), id, after(time.Hour), nil); err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
	case 2:
		c.move(t, id)
	case 3:
		update(func(x *record.Site) { x.Paused = !x.Paused })
	case 4:
		update(func(x *record.Site) { x.Tags, x.BlogID = c.tags(), check.BlogID(1+c.random.IntN(3)) })
	default:
		c.changeStatus(t, id)
	}
}

// walkSites walks by every filter, and some of them together.
func walkSites(t *testing.T, db Database, random *rand.Rand) {
	c := newCrowd(t, db, random)
	for range 60 {
		limit := 1 + random.IntN(5)
		q, fits := c.query(t, limit)
		c.walk(t, fmt.Sprintf("%+v", q), fits, true, func(after check.SiteID) ([]check.SiteID, check.SiteID) {
			q.After = after
			var ids []check.SiteID
			for _, site := range get[[]record.Site](t)(c.s.ListSites(t.Context(), q)) {
				ids = append(ids, site.ID)
			}
			if len(ids) < limit {
				return ids, 0
			}
			return ids, ids[limit-1]
		})
		status := check.Status(2 * random.IntN(2))
		by := store.StandingQuery{Limit: limit, Descending: random.IntN(2) == 0, Status: &status}
		known := func(site record.Site) bool {
			return site.Status == status || site.Untold != nil && site.Untold.Status == status
		}
		if random.IntN(2) == 0 {
			by.Status, by.Since = nil, after(time.Duration(random.IntN(c.made+1))*time.Minute)
			known = func(site record.Site) bool {
				return !site.StatusSince.Before(by.Since) || site.Untold != nil && !site.Untold.Since.Before(by.Since)
			}
		}
		c.walk(t, fmt.Sprintf("%+v", by), known, false, func(after check.SiteID) ([]check.SiteID, check.SiteID) {
			by.After = after
			page := get[store.StandingPage](t)(c.s.FindStanding(t.Context(), by))
			if len(page.IDs) > limit {
				t.Fatalf("%d ids on a page of %d", len(page.IDs), limit)
			}
			return page.IDs, page.Next
		})
	}
}

// query is any query, and what fits it.
func (c *crowd) query(t testing.TB, limit int) (store.SiteQuery, func(record.Site) bool) {
	q := store.SiteQuery{Limit: limit, Descending: c.random.IntN(2) == 0}
	if c.random.IntN(3) == 0 {
		q.Tag = crowdTags[c.random.IntN(3)]
	}
	if c.random.IntN(3) == 0 {
		q.BlogID = check.BlogID(1 + c.random.IntN(3))
	}
	if c.random.IntN(3) == 0 {
		q.Bucket = new(check.BucketID(c.random.IntN(3)))
	}
	if c.random.IntN(3) == 0 {
		q.At = at(t, crowdHosts[c.random.IntN(2)])
	}
	return q, func(site record.Site) bool {
		return (q.Tag == "" || slices.Contains(site.Tags, q.Tag)) && (q.BlogID == 0 || q.BlogID == site.BlogID) &&
			(q.Bucket == nil || *q.Bucket == site.Bucket) && record.Locate(site.URL).Fits(q.At)
	}
}

// walk follows the pages, edits what is restless between them, and compares. exact means that
// nothing else may be on a page.
func (c *crowd) walk(t testing.TB, what string, fits func(record.Site) bool, exact bool, page func(after check.SiteID) ([]check.SiteID, check.SiteID)) {
	t.Helper()
	seen := map[check.SiteID]int{}
	pages := 0
	for next := check.SiteID(0); ; pages++ {
		var ids []check.SiteID
		if ids, next = page(next); next == 0 || pages > 500 {
			count(seen, ids)
			break
		}
		count(seen, ids)
		c.disturb(t)
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s: site %d is seen %d times", what, id, n)
		}
	}
	for _, id := range c.still {
		site := get[record.Site](t)(c.s.Site(t.Context(), id))
		if want := fits(site); want && seen[id] == 0 || exact && !want && seen[id] > 0 {
			t.Fatalf("%s: fits %v, seen %d times: %+v", what, want, seen[id], site)
		}
	}
}

func count[T comparable](seen map[T]int, ids []T) {
	for _, id := range ids {
		seen[id]++
	}
}

// walkOthers walks over the other lists while outages come and go, and tokens and records of the
// audit trail come.
func walkOthers(t *testing.T, db Database, random *rand.Rand) {
	c := newCrowd(t, db, random)
	for range 12 {
		size := 1 + random.IntN(4)
		all := get[[]record.Outage](t)(c.s.ListOutages(t.Context(), store.OutageQuery{Limit: 1000}))
		q := store.OutageQuery{Limit: size, OpenOnly: random.IntN(2) == 0}
		if random.IntN(3) == 0 {
			q.Blogs = []check.BlogID{1, 2}
		}
		seen := steps(t, c.disturb, func() ([]int64, bool) {
			rows := get[[]record.Outage](t)(c.s.ListOutages(t.Context(), q))
			if len(rows) > 0 {
				q.Before = rows[len(rows)-1].Mark()
			}
			return idsOf(rows, func(o record.Outage) int64 { return o.ID }), len(rows) == size
		})
		for _, o := range all {
			now := get[record.Outage](t)(c.s.Outage(t.Context(), o.ID))
			fits := (!q.OpenOnly || now.End.IsZero()) && (q.Blogs == nil || slices.Contains(q.Blogs, o.BlogID))
			if fits && seen[o.ID] != 1 || seen[o.ID] > 1 {
				t.Fatalf("%+v: outage %d is seen %d times: %+v", q, o.ID, seen[o.ID], now)
			}
		}
		walkTokens(t, c, size)
		walkAudit(t, c, size)
	}
}

// steps reads pages until there are no more, disturbs between the first of them, and counts what
// it saw.
func steps(t testing.TB, disturb func(testing.TB), page func() ([]int64, bool)) map[int64]int {
	t.Helper()
	seen := map[int64]int{}
	for n := range 1000 {
		ids, more := page()
		if count(seen, ids); !more {
			return seen
		}
		if n < 30 {
			disturb(t)
		}
	}
	t.Fatal("the walk does not end")
	return nil
}

func idsOf[T any](rows []T, id func(T) int64) (ids []int64) {
	for _, row := range rows {
		ids = append(ids, id(row))
	}
	return ids
}

func walkTokens(t testing.TB, c *crowd, size int) {
	t.Helper()
	create := func(t testing.TB) {
		c.made++
		token := record.Token{Name: "n", Hash: [32]byte{byte(c.made), byte(c.made >> 8)}, Scopes: []string{"admin"}, Created: noon()}
		get[record.Token](t)(c.s.CreateToken(t.Context(), token, func(record.Token) record.Audit { return record.Audit{At: noon()} }))
	}
	create(t)
	list := func(after int64, limit int) []int64 {
		return idsOf(get[[]record.Token](t)(c.s.ListTokens(t.Context(), after, limit)), func(x record.Token) int64 { return x.ID })
	}
	all, last := list(0, 1000), int64(0)
	disturb := func(t testing.TB) {
		if create(t); c.random.IntN(2) == 0 {
			get[record.Token](t)(c.s.RevokeToken(t.Context(), all[0], noon(), func(record.Token) record.Audit { return record.Audit{At: noon()} }))
		}
	}
	seen := steps(t, disturb, func() ([]int64, bool) {
		ids := list(last, size)
		if len(ids) > 0 {
			last = ids[len(ids)-1]
		}
		return ids, len(ids) == size
	})
	for _, id := range all {
		if seen[id] != 1 {
			t.Fatalf("token %d is seen %d times", id, seen[id])
		}
	}
}

func walkAudit(t testing.TB, c *crowd, size int) {
	t.Helper()
	at := 0
	ctx := store.WithWitness(t.Context(), func(_, _ *record.Site) record.Audit {
		at++ // coordinators do not agree about the time
		return record.Audit{At: after(time.Duration(c.random.IntN(at+1)) * time.Second), Resource: fmt.Sprint("sites/", c.random.IntN(3))}
	})
	edit := func(ctx context.Context) {
		_, err := c.s.UpdateSite(ctx, c.still[0], noon(), func(x record.Site) (record.Site, error) {
			x.Settings.SlowAfter += time.Millisecond
			return x, nil
		})
		must(t, err)
	}
	for range 5 {
		edit(ctx)
	}
	q := store.AuditQuery{Limit: 1000}
	if c.random.IntN(2) == 0 {
		q.Resource = "sites/1"
	}
	all := get[[]record.Audit](t)(c.s.ListAudit(t.Context(), q))
	q.Limit = size
	seen := steps(t, func(testing.TB) { edit(ctx) }, func() ([]int64, bool) {
		rows := get[[]record.Audit](t)(c.s.ListAudit(t.Context(), q))
		if len(rows) > 0 {
			q.Before = rows[len(rows)-1].Mark()
		}
		return idsOf(rows, func(a record.Audit) int64 { return a.ID }), len(rows) == size
	})
	for _, a := range all {
		if seen[a.ID] != 1 {
			t.Fatalf("record %d of the audit trail is seen %d times", a.ID, seen[a.ID])
		}
	}
}
