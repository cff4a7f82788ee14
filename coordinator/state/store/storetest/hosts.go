package storetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

func hostTests() []test {
	return []test{
		{"a host is found as browsers compare hosts, by a search and by the index", hostsAsInBrowsers},
		{"what another program wrote is found once it is indexed, and never by what it was", hostsFollowTheTable},
		{"an edit through us is found at once", hostsFollowEdits},
		{"all sites of a host are found, page by page, also of one blog", manySitesOfAHost},
		{"rows that are gone are forgotten by a sweep", hostsAreSwept},
		{"indexing beside edits loses none", indexingBesideEdits},
	}
}

func randomHostTests() []random {
	return []random{{"after any edits by anybody the index finds what the table has", randomHosts}}
}

// whole is the span of all sites.
var whole = record.Span{First: 1, Last: math.MaxInt64}

// at is what is looked for by a host.
func at(t testing.TB, host string) record.Location {
	t.Helper()
	return get[record.Location](t)(record.LocateHost(host))
}

// indexAll has every site in the index, and notes it.
func indexAll(t testing.TB, s store.Store) {
	t.Helper()
	for id := range shard.ID(shard.Count) {
		own(t, s, "a", check.BucketID(id)*shard.BucketsPer)
	}
	must(t, s.IndexHosts(t.Context(), whole, allShards(), true))
	must(t, s.HostsIndexed(t.Context(), allShards(), noon()))
}

// found lists the sites that are found, in pages of two.
func found(t testing.TB, s store.Store, wanted record.Location) (ids []check.SiteID) {
	t.Helper()
	q := store.SiteQuery{At: wanted, Limit: 2}
	for {
		page := get[[]record.Site](t)(s.ListSites(t.Context(), q))
		for _, site := range page {
			ids = append(ids, site.ID)
		}
		if len(page) < q.Limit {
			return ids
		}
		q.After = page[len(page)-1].ID
	}
}

// insert writes a row as WordPress.com does: id, bucket, whether it is paused, and URL.
func insert(t testing.TB, db Database, row record.Site) {
	t.Helper()
	db.Exec(t, "INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_active, monitor_url) VALUES (?, ?, ?, ?, ?)",
		row.ID, 42, row.Bucket, !row.Paused, row.URL)
}

func hostsAsInBrowsers(t *testing.T, db Database) {
	s := db.Open(t, true)
	urls := []string{
		"https://example.com/", "HTTP://Example.COM.:8080/x", "example.com/bare", "http://user@example.com", "https://EXAMPLE.com/?a",
		"https://m\u00fcller.example/", "https://M\u00dcLLER.example/", "https://xn--mller-kva.example/x", "https://[::1]/", "http://[0:0::1]:80/",
		"https://sub.example.com/", "https://example.com.example/", "https://example.org/example.com", "", "%", "https://a_b.example/", "https://aXb.example/",
	}
	for i, u := range urls {
		insert(t, db, record.Site{ID: check.SiteID(i + 1), Bucket: check.BucketID(i * 31 % check.Buckets), Paused: i%2 == 0, URL: u})
	}
	insert(t, db, record.Site{ID: 100, Bucket: 600, URL: "https://example.com/of-no-bucket"})
	for _, how := range []string{"searched", "indexed"} {
		if how == "indexed" {
			indexAll(t, s)
		}
		for host, want := range map[string][]check.SiteID{
			"example.com": {1, 2, 3, 4, 5, 100}, "EXAMPLE.com.": {1, 2, 3, 4, 5, 100}, "example.com:8080": {2}, "example.com:443": {1, 5, 100},
			"M\u00dcller.example": {6, 7, 8}, "xn--mller-kva.example": {6, 7, 8}, "[::1]": {9, 10}, "[::1]:80": {10},
			"example": nil, "com": nil, "a_b.example": {16},
		} {
			if got := found(t, s, at(t, host)); !slices.Equal(got, want) {
				t.Errorf("%s by %s: %v, want %v", how, host, got, want)
			}
		}
		for url, want := range map[string][]check.SiteID{
			"https://EXAMPLE.com": {1}, "https://example.com:443/./#x": {1}, "http://example.com": nil, "http://example.com:8080/x": {2},
			"https://m\u00fcller.example": {6, 7}, "https://example.com/bare": nil, "https://[0::1]": {9},
		} {
			if got := found(t, s, record.Locate(url)); !slices.Equal(got, want) {
				t.Errorf("%s by %s: %v, want %v", how, url, got, want)
			}
		}
	}
}

func hostsFollowTheTable(t *testing.T, db Database) {
	s := db.Open(t, true)
	insert(t, db, record.Site{ID: 1, Bucket: 7, URL: "https://one.example/"})
	insert(t, db, record.Site{ID: 2, Bucket: 7, Paused: true, URL: "https://two.example/"})
	insert(t, db, record.Site{ID: 3, Bucket: 100, URL: "https://three.example/"})
	indexAll(t, s)
	wantFound := func(when string, want map[string][]check.SiteID) {
		t.Helper()
		for host, ids := range want {
			if got := found(t, s, at(t, host)); !slices.Equal(got, ids) {
				t.Errorf("%s, %s: %v, want %v", when, host, got, ids)
			}
		}
	}
	wantFound("at first", map[string][]check.SiteID{"one.example": {1}, "two.example": {2}, "three.example": {3}, "new.example": nil})
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = 'https://new.example/' WHERE jetpack_monitor_site_id IN (1, 2)")
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = 3")
	insert(t, db, record.Site{ID: 4, Bucket: 7, URL: "https://one.example/"})
	wantFound("before it is indexed", map[string][]check.SiteID{"one.example": nil, "two.example": nil, "three.example": nil, "new.example": nil})
	must(t, s.IndexHosts(t.Context(), whole, []shard.ID{shard.Of(100)}, false))
	wantFound("after another shard", map[string][]check.SiteID{"one.example": nil, "new.example": nil})
	must(t, s.IndexHosts(t.Context(), record.Span{First: 1, Last: 1}, allShards(), false))
	wantFound("after another span", map[string][]check.SiteID{"one.example": nil, "new.example": {1}})
	must(t, s.IndexHosts(t.Context(), whole, []shard.ID{shard.Of(7)}, false))
	wantFound("afterwards", map[string][]check.SiteID{"one.example": {4}, "two.example": nil, "three.example": nil, "new.example": {1, 2}})
	// By bytes: some collations take the two for equal.
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = 'https://new.example:8080/' WHERE jetpack_monitor_site_id = 1")
	db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = 'HTTPS://n\u00e9w.example/' WHERE jetpack_monitor_site_id = 2")
	must(t, s.IndexHosts(t.Context(), whole, []shard.ID{shard.Of(7)}, false))
	wantFound("later", map[string][]check.SiteID{"new.example": {1}, "new.example:8080": {1}, "n\u00e9w.example": {2}})
}

func hostsFollowEdits(t *testing.T, db Database) {
	s := db.Open(t, true)
	indexAll(t, s)
	site := create(t, s, aSite("https://one.example/"))
	if got := found(t, s, at(t, "one.example")); !slices.Equal(got, []check.SiteID{site.ID}) {
		t.Errorf("created: %v", got)
	}
	site.URL = "https://two.example/"
	must(t, rewrite(t.Context(), s, site))
	if one, two := found(t, s, at(t, "one.example")), found(t, s, at(t, "two.example")); len(one) != 0 || !slices.Equal(two, []check.SiteID{site.ID}) {
		t.Errorf("changed: %v and %v", one, two)
	}
	// One that WordPress.com has inserted, and nobody indexed.
	insert(t, db, record.Site{ID: 50, Bucket: 7, URL: "https://three.example/"})
	_, err := s.UpdateSite(t.Context(), 50, noon(), func(x record.Site) (record.Site, error) { x.URL = "https://four.example/"; return x, nil })
	must(t, err)
	if got := found(t, s, at(t, "four.example")); !slices.Equal(got, []check.SiteID{50}) {
		t.Errorf("changed before it was indexed: %v", got)
	}
	must(t, s.DeleteSite(t.Context(), 50, noon(), nil))
	insert(t, db, record.Site{ID: 50, Bucket: 7, URL: "https://four.example/"})
	if got := found(t, s, at(t, "four.example")); len(got) != 0 {
		t.Errorf("its entry outlived it: %v", got)
	}
}

func manySitesOfAHost(t *testing.T, db Database) {
	s := db.Open(t, true)
	const all, apart = 2600, 25
	for first := 0; first < all; first += 100 {
		values, args := "", []any{}
		for i := first; i < first+100; i++ {
			values += ", (?, ?, ?)"
			args = append(args, 40+i%apart, i%check.Buckets, fmt.Sprintf("https://big.example/%d", i))
		}
		db.Exec(t, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) VALUES "+values[2:], args...)
	}
	indexAll(t, s)
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_site_hosts WHERE host = 'big.example'"); n != all {
		t.Errorf("%d entries", n)
	}
	for blog, want := range map[check.BlogID]int{0: all, 41: all / apart} {
		q, n := store.SiteQuery{At: at(t, "big.example"), Limit: 1000, BlogID: blog}, 0
		for {
			page := get[[]record.Site](t)(s.ListSites(t.Context(), q))
			n += len(page)
			if len(page) < q.Limit {
				break
			}
			q.After = page[len(page)-1].ID
		}
		if n != want {
			t.Errorf("%d sites of blog %d, want %d", n, blog, want)
		}
	}
}

func hostsAreSwept(t *testing.T, db Database) {
	s := db.Open(t, true)
	for id := range check.SiteID(1200) {
		insert(t, db, record.Site{ID: id + 1, Bucket: 7, URL: url(int(id))})
	}
	indexAll(t, s)
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id > 50")
	must(t, s.IndexHosts(t.Context(), record.Span{First: 1, Last: 1100}, allShards(), true))
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_site_hosts"); n != 150 {
		t.Errorf("%d entries, want 50 of sites and 100 beyond the span", n)
	}
}

func indexingBesideEdits(t *testing.T, db Database) {
	const sites, rounds = 20, 12
	s, other := db.Open(t, true), db.Open(t, true)
	var ids []check.SiteID
	for i := range sites {
		insert(t, db, record.Site{ID: check.SiteID(i + 1), Bucket: 7, URL: url(i)})
		ids = append(ids, check.SiteID(i+1))
	}
	indexAll(t, s)
	for round := range rounds {
		db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = ?", fmt.Sprintf("https://wordpress-%d.example/", round))
		if round%3 == 2 {
			db.Exec(t, "DELETE FROM jetmon_site_hosts") // as before the first walk
		}
		begin := make(chan struct{})
		var all sync.WaitGroup
		for _, by := range []store.Store{s, other} {
			all.Go(func() {
				<-begin
				if err := by.IndexHosts(t.Context(), whole, allShards(), true); err != nil {
					t.Error(err)
				}
			})
		}
		want := fmt.Sprintf("https://ours-%d.example/", round)
		for _, id := range ids[:sites/2] {
			all.Go(func() {
				<-begin
				_, err := other.UpdateSite(t.Context(), id, noon(), func(x record.Site) (record.Site, error) {
					x.BlogID, x.URL = check.BlogID(1000*round+int(id)), want
					return x, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		close(begin)
		all.Wait()
		if got := found(t, s, record.Locate(want)); !slices.Equal(got, ids[:sites/2]) {
			t.Fatalf("round %d: edited through us are %v, want %v", round, got, ids[:sites/2])
		}
		if got := found(t, s, at(t, fmt.Sprintf("wordpress-%d.example", round))); !slices.Equal(got, ids[sites/2:]) {
			t.Fatalf("round %d: edited in the table are %v, want %v", round, got, ids[sites/2:])
		}
	}
}

func randomHosts(t *testing.T, db Database, random *rand.Rand) {
	s := db.Open(t, true)
	indexAll(t, s)
	hosts := []string{"a.example", "b.example", "A.EXAMPLE.", "b.example:81", "\u00e4.example", "[::1]", "127.0.0.1", "0x7f.1"}
	url := func() string { return fmt.Sprintf("http://%s/%d", hosts[random.IntN(len(hosts))], random.IntN(3)) }
	for range 40 {
		for range 8 {
			id := check.SiteID(1 + random.IntN(30))
			switch random.IntN(6) {
			case 0:
				if db.Int(t, "SELECT COUNT(*) FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id) == 0 {
					insert(t, db, record.Site{ID: id, Bucket: check.BucketID(random.IntN(check.Buckets)), Paused: random.IntN(2) == 0, URL: url()})
				}
			case 1:
				db.Exec(t, "UPDATE jetpack_monitor_sites SET monitor_url = ?, bucket_no = ? WHERE jetpack_monitor_site_id = ?", url(), random.IntN(check.Buckets), id)
			case 2:
				db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id)
			case 3:
				_ = s.DeleteSite(t.Context(), id, noon(), nil) // perhaps it is not there
			case 4:
				_, _ = s.UpdateSite(t.Context(), id, noon(), func(x record.Site) (record.Site, error) { x.URL = url(); return x, nil })
			case 5:
				site := aSite(url())
				site.BlogID, site.Paused = check.BlogID(1+random.IntN(1<<40)), random.IntN(2) == 0
				create(t, s, site)
			}
		}
		must(t, s.IndexHosts(t.Context(), whole, allShards(), random.IntN(2) == 0))
		rows := get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 10000}))
		for _, host := range hosts {
			wanted := at(t, host)
			var want []check.SiteID
			for _, row := range rows {
				if record.Locate(row.URL).Fits(wanted) {
					want = append(want, row.ID)
				}
			}
			if got := found(t, s, wanted); !slices.Equal(got, want) {
				t.Fatalf("%s: found %v, the table has %v", host, got, want)
			}
		}
	}
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_shards WHERE hosts_ms = ?", noon().UnixMilli()); n != shard.Count {
		t.Errorf("%d shards are noted", n)
	}
	must(t, s.HostsIndexed(t.Context(), allShards(), noon().Add(time.Hour)))
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_shards WHERE hosts_ms = ?", noon().UnixMilli()); n != shard.Count {
		t.Errorf("%d shards keep their first note", n)
	}
}
