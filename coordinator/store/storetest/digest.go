package storetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
)

func digestTests() []test {
	return []test{
		{"every edit changes the digest of a bucket, and undoing it changes it back", digestEdits},
		{"swaps, case and separators change the digest of a bucket", digestTraps},
		{"commits, and edits of paused sites and other buckets, do not change a digest", digestStays},
	}
}

// digest reads the digest of bucket 7; ok is false on an engine that has none, for
// every bucket.
func digest(t testing.TB, s store.Store) (d uint64, ok bool) {
	t.Helper()
	d, ok, err := s.BucketDigest(t.Context(), 7)
	must(t, err)
	if !ok && d != 0 {
		t.Errorf("no digest, yet it is %d", d)
	}
	return d, ok
}

// content is what a digest of bucket 7 stands for.
func content(t testing.TB, s store.Store) string {
	t.Helper()
	var all strings.Builder
	for _, x := range scan(t, s, 7) {
		fmt.Fprintf(&all, "%d %d %q %v %+v\n", x.ID, x.BlogID, x.URL, x.Interval, x.Settings)
	}
	return all.String()
}

// digestEdits makes random edits and compares what the bucket holds with its digest.
func digestEdits(t *testing.T, db Database) {
	random, s := seeded(t), db.Open(t, true)
	var sites []store.Site
	for i := range 12 {
		site := aSite(url(i))
		if i%3 == 0 {
			site.Settings.RequiredTexts = []string{fmt.Sprint(i)}
		}
		sites = append(sites, create(t, s, site))
	}
	digests, contents := map[string]uint64{}, map[uint64]string{}
	for n := range 300 {
		edit := randomEdit(t, db, s, random, sites)
		now := content(t, s)
		d, ok := digest(t, s)
		if !ok {
			return
		}
		if before, seen := digests[now]; seen && before != d {
			t.Fatalf("edit %d, %s: the digest of the same content was %d and is %d:\n%s", n, edit, before, d, now)
		}
		if before, seen := contents[d]; seen && before != now {
			t.Fatalf("edit %d, %s: one digest of two contents:\n%s\n%s", n, edit, before, now)
		}
		digests[now], contents[d] = d, now
	}
	if len(contents) < 50 {
		t.Errorf("only %d contents were seen", len(contents))
	}
}

// randomEdit makes one or two edits as WordPress.com, or through the store. Values come
// from few, so that edits are often undone.
func randomEdit(t testing.TB, db Database, s store.Store, random *rand.Rand, sites []store.Site) string {
	t.Helper()
	a, b := sites[random.IntN(len(sites))].ID, sites[random.IntN(len(sites))].ID
	update := func(set string, id check.SiteID, args ...any) {
		db.Exec(t, "UPDATE jetpack_monitor_sites SET "+set+" WHERE jetpack_monitor_site_id = ?", append(args, id)...)
	}
	switch what := random.IntN(10); what {
	case 0:
		u := []string{url(1), strings.ToUpper(url(1)), url(2), url(2) + "/", url(1) + "é", url(1) + "e"}[random.IntN(6)]
		update("monitor_url = ?", a, u)
		return fmt.Sprint(a, " has URL ", u)
	case 1:
		update("blog_id = ?", a, 40+random.IntN(3))
	case 2:
		update("check_interval = ?", a, 1+random.IntN(3))
	case 3:
		update("monitor_active = ?", a, min(1, random.IntN(4)))
	case 4:
		update("bucket_no = ?", a, 7+random.IntN(4)/3)
	case 5, 6: // swap a value
		column := []string{"monitor_url", "blog_id", "check_interval"}[random.IntN(3)]
		tmp := fmt.Sprint("swap-", column)
		if column != "monitor_url" {
			va := db.Int(t, "SELECT "+column+" FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", a)
			vb := db.Int(t, "SELECT "+column+" FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", b)
			update(column+" = ?", a, vb)
			update(column+" = ?", b, va)
			return tmp
		}
		ua, ub := get[store.Site](t)(s.Site(t.Context(), a)).URL, get[store.Site](t)(s.Site(t.Context(), b)).URL
		update("monitor_url = ?", a, ub)
		update("monitor_url = ?", b, ua)
		return tmp
	case 7: // one goes, one comes
		update("monitor_active = 0", a)
		update("monitor_active = 1", b)
	default:
		site := get[store.Site](t)(s.Site(t.Context(), a))
		site.Settings = check.Settings{}
		if n := random.IntN(4); n > 0 {
			site.Settings.ForbiddenTexts = []string{fmt.Sprint(n)}
		}
		must(t, s.UpdateSite(t.Context(), site))
		return fmt.Sprintf("%d has settings %+v", a, site.Settings)
	}
	return fmt.Sprint("an edit of ", a, " and ", b)
}

func digestTraps(t *testing.T, db Database) {
	s := db.Open(t, true)
	const insert = `INSERT INTO jetpack_monitor_sites
	(jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, check_interval) VALUES (?, ?, 7, ?, ?)`
	seen := map[uint64]int{}
	for i, rows := range [][][4]any{
		{{11, 1, "https://a.example/", 5}, {12, 2, "https://b.example/", 6}},
		{{11, 1, "https://b.example/", 5}, {12, 2, "https://a.example/", 6}}, // swapped
		{{11, 2, "https://a.example/", 5}, {12, 1, "https://b.example/", 6}},
		{{11, 1, "https://a.example/", 6}, {12, 2, "https://b.example/", 5}},
		{{12, 1, "https://a.example/", 5}, {11, 2, "https://b.example/", 6}},
		{{11, 1, "https://A.example/", 5}, {12, 2, "https://b.example/", 6}}, // case
		{{11, 1, "https://a.example/ ", 5}, {12, 2, "https://b.example/", 6}},
		{{11, 1, "https://á.example/", 5}, {12, 2, "https://b.example/", 6}},
		{{11, 1, "https://a.example/", 5}},
		{{11, 1, "", 5}},
		{{1, 11, "", 5}},
		{{11, 15, "", 1}}, // separators
		{{11, 1, "5", 5}},
		{{11, 1, "5/", 5}},
		{{111, 5, "", 5}},
		{},
		{{11, 1, "x", 5}, {12, 1, "x", 5}}, // alike
		{{11, 1, "x", 5}, {13, 1, "x", 5}},
		{{13, 1, "y", 5}, {14, 1, "y", 5}},
		{{15, 1, "x", 5}, {16, 1, "x", 5}, {17, 1, "x", 5}, {18, 1, "x", 5}},
	} {
		db.Exec(t, "DELETE FROM jetpack_monitor_sites")
		for _, row := range rows {
			db.Exec(t, insert, row[:]...)
		}
		d, ok := digest(t, s)
		if !ok {
			return
		}
		if before, there := seen[d]; there {
			t.Errorf("contents %d and %d have one digest", before, i)
		}
		seen[d] = i
	}
}

func digestStays(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site, paused, other := create(t, s, aSite(url(1))), aSite(url(2)), aSite(url(3))
	paused.Paused, other.Bucket = true, 8
	paused, other = create(t, s, paused), create(t, s, other)
	before, ok := digest(t, s)
	steps := []func(){
		func() { get[store.Committed](t)(s.Commit(t.Context(), fence, opening(site, "k1"))) },
		func() { get[store.Committed](t)(s.Commit(t.Context(), fence, confirming(site, "k2"))) },
		func() {
			get[store.Committed](t)(s.Commit(t.Context(), fence, closing(site, check.StatusConfirmedDown, "k3")))
		},
		func() { create(t, s, store.Site{BlogID: 9, Bucket: 8, URL: url(4), Interval: time.Minute}) },
		func() { paused.URL = url(5); must(t, s.UpdateSite(t.Context(), paused)) },
		func() { other.Settings.Method = check.MethodGet; must(t, s.UpdateSite(t.Context(), other)) },
		func() { must(t, s.UpdateSite(t.Context(), site)) },
		func() { must(t, s.DeleteSite(t.Context(), paused.ID, noon())) },
	}
	for i, step := range steps {
		step()
		if now, still := digest(t, s); now != before || still != ok {
			t.Errorf("step %d: the digest was %d and is %d", i, before, now)
		}
	}
	site.Interval = time.Minute
	must(t, s.UpdateSite(t.Context(), site))
	if now, _ := digest(t, s); ok && now == before {
		t.Error("the digest is still the same after an edit")
	}
}
