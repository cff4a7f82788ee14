package storetest

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func remarkTests() []test {
	return []test{
		{"a remark that opens is on record with its event, and one that closes is gone", remarksOpenAndClose},
		{"what is on record already is written once", remarksAreWrittenOnce},
		{"those of sites that are paused are marked", remarksOfThePaused},
		{"remarks take places among the changes of their site", remarksHavePlaces},
		{"a remark about a site that is gone closes with what was known of it", remarksOfTheGone},
		{"remarks are listed by site, kind and blog, page by page", remarksListed},
		{"a fence that is not the owner's remarks nothing", remarksFenced},
	}
}

func remarkOf(site record.Site, a check.Advisory, open bool, at time.Duration) record.Remark {
	r := record.Remark{SiteID: site.ID, BlogID: site.BlogID, Bucket: site.Bucket, URL: site.URL, Advisory: a, Open: open, At: after(at)}
	if open {
		r.Detail = "why"
	}
	if open && a == check.AdvisoryTLSExpiring {
		r.CertificateExpire = after(240 * time.Hour)
	}
	return r
}

// eventsOf reads the types of the events of a site, in order, as digits.
func eventsOf(t testing.TB, db Database, site check.SiteID) (types []int64) {
	t.Helper()
	for n := int64(0); n < db.Int(t, "SELECT COUNT(*) FROM jetmon_events WHERE site_id = ?", site); n++ {
		types = append(types, db.Int(t, "SELECT type FROM jetmon_events WHERE site_id = ? ORDER BY shard, pos, n LIMIT 1 OFFSET ?", site, n))
	}
	return types
}

func remarksOpenAndClose(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	opened := remarkOf(site, check.AdvisoryTLSExpiring, true, 0)
	must(t, s.Remark(t.Context(), fence, []record.Remark{opened}))
	wantEqual(t, get[[]record.Remark](t)(s.ShardRemarks(t.Context(), fence.Shard)), []record.Remark{opened})
	must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(site, check.AdvisoryTLSExpiring, false, time.Hour)}))
	wantEqual(t, get[[]record.Remark](t)(s.ShardRemarks(t.Context(), fence.Shard)), []record.Remark(nil))
	wantEqual(t, eventsOf(t, db, site.ID), []int64{int64(event.AdvisoryOpened), int64(event.AdvisoryClosed)})
}

func remarksOfThePaused(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site, other := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	for _, row := range []record.Site{site, other} {
		must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(row, check.AdvisorySlow, true, 0)}))
	}
	get[record.Site](t)(s.UpdateSite(t.Context(), other.ID, after(time.Minute), func(row record.Site) (record.Site, error) {
		row.Paused = true
		return row, nil
	}))
	found := map[check.SiteID]bool{}
	for _, r := range get[[]record.Remark](t)(s.ShardRemarks(t.Context(), fence.Shard)) {
		found[r.SiteID] = r.Paused
	}
	wantEqual(t, found, map[check.SiteID]bool{site.ID: false, other.ID: true})
}

func remarksAreWrittenOnce(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site, other := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	slow := remarkOf(site, check.AdvisorySlow, true, 0)
	for i := range 3 {
		again := slow
		again.At = after(time.Duration(i) * time.Minute) // as by the next owner
		must(t, s.Remark(t.Context(), fence, []record.Remark{again, remarkOf(other, check.AdvisorySlow, false, 0)}))
	}
	wantEqual(t, get[[]record.Remark](t)(s.ShardRemarks(t.Context(), fence.Shard)), []record.Remark{slow})
	wantEqual(t, eventsOf(t, db, site.ID), []int64{int64(event.AdvisoryOpened)})
	wantEqual(t, eventsOf(t, db, other.ID), []int64(nil))
}

func remarksHavePlaces(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(site, check.AdvisorySlow, true, 0)}))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(site, check.AdvisorySlow, false, time.Hour)}))
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	wantEqual(t, eventsOf(t, db, site.ID), []int64{
		int64(event.AdvisoryOpened), int64(event.SiteDown), int64(event.AdvisoryClosed), int64(event.SiteUp),
	})
	if last := db.Int(t, "SELECT last_seq FROM jetmon_site_order WHERE site_id = ?", site.ID); last < 4 {
		t.Errorf("the last place is %d, want 4 at least: places follow the ids of rows, which servers hand out in steps", last)
	}
}

func remarksOfTheGone(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	tagged := aSite(url(1))
	tagged.Tags = []string{"eu", "shop"}
	site := create(t, s, tagged)
	must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(site, check.AdvisorySlow, true, 0)}))
	must(t, s.DeleteSite(t.Context(), site.ID, after(time.Minute), nil))
	must(t, s.Remark(t.Context(), fence, []record.Remark{{SiteID: site.ID, Bucket: site.Bucket, Advisory: check.AdvisorySlow, At: after(time.Hour)}}))
	wantEqual(t, eventsOf(t, db, site.ID), []int64{int64(event.AdvisoryOpened), int64(event.AdvisoryClosed)})
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_events WHERE body LIKE ?", "%ADVISORY_CLOSED%"+site.URL+"%eu%shop%"); n != 1 {
		t.Error("the event of the end does not name the URL and the tags")
	}
}

func remarksListed(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var all []record.Remark
	for i := range 5 {
		site := aSite(url(i))
		site.BlogID = check.BlogID(1 + i%2)
		site = create(t, s, site)
		for _, a := range []check.Advisory{check.AdvisoryTLSDeprecated, check.AdvisorySlow} {
			r := remarkOf(site, a, true, 0)
			must(t, s.Remark(t.Context(), fence, []record.Remark{r}))
			all = append(all, r)
		}
	}
	only := func(want func(record.Remark) bool) (out []record.Remark) {
		for _, r := range all {
			if want(r) {
				out = append(out, r)
			}
		}
		return out
	}
	for name, tt := range map[string]struct {
		q    store.RemarkQuery
		want []record.Remark
	}{
		"all":     {store.RemarkQuery{}, all},
		"of site": {store.RemarkQuery{SiteID: all[4].SiteID}, all[4:6]},
		"of kind": {store.RemarkQuery{Advisory: check.AdvisorySlow}, only(func(r record.Remark) bool { return r.Advisory == check.AdvisorySlow })},
		"of blog": {store.RemarkQuery{Blogs: []check.BlogID{2, 3}}, only(func(r record.Remark) bool { return r.BlogID == 2 })},
		"of kind and blog": {store.RemarkQuery{Blogs: []check.BlogID{1}, Advisory: check.AdvisorySlow},
			only(func(r record.Remark) bool { return r.BlogID == 1 && r.Advisory == check.AdvisorySlow })},
		"of no kind": {store.RemarkQuery{Advisory: check.AdvisoryIPv6Broken}, nil},
	} {
		for _, size := range []int{1, 3, 100} {
			q, got := tt.q, []record.Remark(nil)
			q.Limit = size
			for {
				page := get[[]record.Remark](t)(s.ListRemarks(t.Context(), q))
				got = append(got, page...)
				if len(page) < size {
					break
				}
				q.After = page[len(page)-1].Mark()
			}
			t.Log(name, size)
			wantEqual(t, got, tt.want)
		}
	}
	_, err := s.ListRemarks(t.Context(), store.RemarkQuery{})
	wantKind(t, err, fault.Invalid)
}

func remarksFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	old := own(t, s, "a", 7)
	own(t, s, "b", 100)
	remark := []record.Remark{remarkOf(site, check.AdvisorySlow, true, 0)}
	wantKind(t, s.Remark(t.Context(), shard.Fence{Shard: old.Shard, Node: "a", Term: old.Term + 1}, remark), fault.Fenced)
	wantKind(t, s.Remark(t.Context(), shard.Fence{Shard: old.Shard + 1, Node: "b", Term: 1}, remark), fault.Fenced)
	wantKind(t, s.Remark(t.Context(), old, append(remark, remark...)), fault.Invalid)
	wantEqual(t, get[[]record.Remark](t)(s.ShardRemarks(t.Context(), old.Shard)), []record.Remark(nil))
	wantEqual(t, eventsOf(t, db, site.ID), []int64(nil))
}
