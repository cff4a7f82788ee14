package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func spanTests() []test {
	return []test{
		{"swaps, case and separators change the digest of a shard", digestTraps},
		{"commits, and edits of paused sites and other shards, do not change a digest", digestStays},
		{"a span reads the shards that were edited, and no others", spanChanged},
		{"a span reads sites as pages do", spanAsPages},
		{"under edits the digest matches the sites that were read", spanSnapshot},
		{"spans end at their last id", spanEnds},
		{"an empty span is refused, and no read outlives its context", spanRefused},
	}
}

// everywhere is the span of all sites.
var everywhere = record.Span{First: 1, Last: math.MaxInt64}

// digest reads the digest of shard 0 everywhere, 0 on an engine that has none.
func digest(t testing.TB, s store.Store) store.Digest {
	t.Helper()
	return get[store.SpanRead](t)(s.ReadSpan(t.Context(), everywhere, map[shard.ID]store.Digest{0: 0})).Digests[0]
}

// text is what a digest of sites stands for.
func text(sites []record.Site) string {
	var all strings.Builder
	for _, x := range sites {
		fmt.Fprintf(&all, "%d %d %d %q %v %+v\n", x.ID, x.Bucket, x.BlogID, x.URL, x.Interval, x.Settings)
	}
	return all.String()
}

// content is what a digest of shard 0 stands for.
func content(t testing.TB, s store.Store) string {
	t.Helper()
	var sites []record.Site
	for b := range check.BucketID(shard.BucketsPer) {
		sites = append(sites, scan(t, s, b)...)
	}
	slices.SortFunc(sites, func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
	return text(sites)
}

// digestEdits makes random edits and compares what the shard holds with its digest.
func digestEdits(t *testing.T, db Database, random *rand.Rand) {
	s := db.Open(t, true)
	var sites []record.Site
	for i := range 12 {
		site := aSite(url(i))
		if i%3 == 0 {
			site.Settings.RequiredTexts = []string{fmt.Sprint(i)}
		}
		sites = append(sites, create(t, s, site))
	}
	digests, contents := map[string]store.Digest{}, map[store.Digest]string{}
	for n := range 300 {
		edit := randomEdit(t, db, s, random, sites)
		now := content(t, s)
		d := digest(t, s)
		if d == 0 {
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
func randomEdit(t testing.TB, db Database, s store.Store, random *rand.Rand, sites []record.Site) string {
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
		update("bucket_no = ?", a, []int{7, 7, 7, 8, 300}[random.IntN(5)])
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
		ua, ub := get[record.Site](t)(s.Site(t.Context(), a)).URL, get[record.Site](t)(s.Site(t.Context(), b)).URL
		update("monitor_url = ?", a, ub)
		update("monitor_url = ?", b, ua)
		return tmp
	case 7: // one goes, one comes
		update("monitor_active = 0", a)
		update("monitor_active = 1", b)
	default:
		site := get[record.Site](t)(s.Site(t.Context(), a))
		site.Settings = check.Settings{}
		if n := random.IntN(4); n > 0 {
			site.Settings.ForbiddenTexts = []string{fmt.Sprint(n)}
		}
		must(t, rewrite(t.Context(), s, site))
		return fmt.Sprintf("%d has settings %+v", a, site.Settings)
	}
	return fmt.Sprint("an edit of ", a, " and ", b)
}

func digestTraps(t *testing.T, db Database) {
	s := db.Open(t, true)
	const insert = `INSERT INTO jetpack_monitor_sites
	(jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, check_interval) VALUES (?, ?, 7, ?, ?)`
	seen := map[store.Digest]int{}
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
		d := digest(t, s)
		if d == 0 {
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
	paused.Paused, other.Bucket = true, 300
	paused, other = create(t, s, paused), create(t, s, other)
	before := digest(t, s)
	steps := []func(){
		func() { get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1"))) },
		func() { get[record.Committed](t)(Commit(t.Context(), s, fence, confirming(site, "k2"))) },
		func() {
			get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusConfirmedDown, "k3")))
		},
		func() { create(t, s, record.Site{BlogID: 9, Bucket: 16, URL: url(4), Interval: time.Minute}) },
		func() { paused.URL = url(5); must(t, rewrite(t.Context(), s, paused)) },
		func() { other.Settings.Method = check.MethodGet; must(t, rewrite(t.Context(), s, other)) },
		func() { must(t, rewrite(t.Context(), s, site)) },
		func() { must(t, s.DeleteSite(t.Context(), paused.ID, noon(), nil)) },
	}
	for i, step := range steps {
		step()
		if now := digest(t, s); now != before {
			t.Errorf("step %d: the digest was %d and is %d", i, before, now)
		}
	}
	site.Interval = time.Minute
	must(t, rewrite(t.Context(), s, site))
	if now := digest(t, s); before != 0 && now == before {
		t.Error("the digest is still the same after an edit")
	}
}

func spanChanged(t *testing.T, db Database) {
	s := db.Open(t, true)
	var sites []record.Site // four of each of three shards, in turns
	for i := range 12 {
		site := aSite(url(i))
		site.Bucket = check.BucketID(i%3*100 + i)
		sites = append(sites, create(t, s, site))
	}
	of := func(id shard.ID, in record.Span) []record.Site {
		return reread(t, s, sites, func(site record.Site) bool { return shard.Of(site.Bucket) == id && in.Has(site.ID) })
	}
	some := record.Span{First: sites[2].ID, Last: sites[9].ID}
	first := shard.Of(sites[0].Bucket)
	other := shard.Of(sites[1].Bucket)
	known := map[shard.ID]store.Digest{first: 0, other: 0}
	read := get[store.SpanRead](t)(s.ReadSpan(t.Context(), some, known))
	wantEqual(t, read.Changed, []shard.ID{first, other})
	both := append(of(first, some), of(other, some)...)
	slices.SortFunc(both, func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
	wantEqual(t, read.Sites, both)
	wantEqual(t, read.Rows, len(both))
	if len(read.Digests) != 2 {
		t.Errorf("%d digests", len(read.Digests))
	}
	digested := read.Digests[first] != 0
	// Edits in the span, beyond it, and of shards that are not asked for.
	for _, edit := range []struct {
		site    int
		changes []shard.ID
	}{{3, []shard.ID{first}}, {0, nil}, {11, nil}, {5, nil}, {4, []shard.ID{other}}} {
		known = read.Digests
		site := sites[edit.site]
		site.Interval += time.Minute
		must(t, rewrite(t.Context(), s, site))
		if !digested {
			edit.changes = []shard.ID{first, other} // nothing is known
		}
		read = get[store.SpanRead](t)(s.ReadSpan(t.Context(), some, known))
		wantEqual(t, read.Changed, edit.changes)
		var want []record.Site
		for _, id := range edit.changes {
			want = append(want, of(id, some)...)
		}
		slices.SortFunc(want, func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
		wantEqual(t, read.Sites, want)
		wantEqual(t, read.Rows, len(both))
	}
	// The last site of a shard goes.
	for _, site := range of(other, everywhere) {
		must(t, s.DeleteSite(t.Context(), site.ID, noon(), nil))
	}
	known = read.Digests
	read = get[store.SpanRead](t)(s.ReadSpan(t.Context(), some, known))
	if !slices.Contains(read.Changed, other) || len(read.Digests) != 2 || read.Rows != len(of(first, some)) {
		t.Errorf("changed are %v of %v", read.Changed, read.Digests)
	}
}

// reread reads those of some sites again that are wanted.
func reread(t *testing.T, s store.Store, sites []record.Site, wanted func(record.Site) bool) (out []record.Site) {
	t.Helper()
	for _, site := range sites {
		if wanted(site) {
			out = append(out, get[record.Site](t)(s.Site(t.Context(), site.ID)))
		}
	}
	return out
}

func spanAsPages(t *testing.T, db Database) {
	for _, legacyWrites := range []bool{true, false} {
		s := db.Open(t, legacyWrites)
		fence := own(t, s, "a", 7)
		p := fmt.Sprint(legacyWrites)
		for i := range 12 {
			site := aSite(fmt.Sprintf("https://%s-%d.example/", p, i))
			if i%3 == 1 {
				site.Settings = check.Settings{RequiredTexts: []string{p}}
			}
			site.Paused = i == 5
			site = create(t, s, site)
			if i%4 == 2 {
				get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint(p, "-open-", i))))
			}
		}
		db.Exec(t, `INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url, site_status) VALUES (1, 7, 'other', 2)`)
		want := slices.DeleteFunc(sitesIn(t, s, 7), func(site record.Site) bool { return site.Paused })
		wantEqual(t, get[store.SpanRead](t)(s.ReadSpan(t.Context(), everywhere, map[shard.ID]store.Digest{0: 0})).Sites, want)
	}
}

func spanSnapshot(t *testing.T, db Database) {
	s := db.Open(t, true)
	sites := someSites(t, db, s, 7, 30)
	done := make(chan struct{})
	var editor sync.WaitGroup
	editor.Go(func() {
		defer close(done)
		for n := range 400 {
			site := sites[n%len(sites)]
			db.Exec(t, "UPDATE jetpack_monitor_sites SET check_interval = ? WHERE jetpack_monitor_site_id = ?", 1+n%3, site.ID)
			if n%10 == 0 {
				site.Settings.RequiredTexts = []string{fmt.Sprint(n % 20)}
				must(t, rewrite(t.Context(), s, site))
			}
		}
	})
	defer editor.Wait()
	seen := map[store.Digest]string{}
	for {
		read := get[store.SpanRead](t)(s.ReadSpan(t.Context(), everywhere, map[shard.ID]store.Digest{0: 0}))
		now, d := text(read.Sites), read.Digests[0]
		if before, there := seen[d]; there && before != now && d != 0 {
			t.Fatalf("one digest of two contents:\n%s\n%s", before, now)
		}
		seen[d] = now
		select {
		case <-done:
			last := get[store.SpanRead](t)(s.ReadSpan(t.Context(), everywhere, map[shard.ID]store.Digest{0: 0}))
			if now := content(t, s); text(last.Sites) != now || last.Digests[0] != 0 && len(seen) < 5 {
				t.Errorf("%d contents were seen; the last is another than what is there:\n%s\n%s", len(seen), text(last.Sites), now)
			}
			return
		default:
		}
	}
}

func spanEnds(t *testing.T, db Database) {
	s := db.Open(t, true)
	end := func(after check.SiteID, n int) check.SiteID {
		t.Helper()
		id, ok, err := s.SpanEnd(t.Context(), after, n)
		must(t, err)
		if ok != (id != 0) {
			t.Errorf("%d, %v", id, ok)
		}
		return id
	}
	wantEqual(t, end(0, 1), check.SiteID(0))
	for _, id := range []int64{3, 5, 8, 1000, 1 << 40} {
		db.Exec(t, `INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, monitor_active)
	VALUES (?, 1, 300, ?, ?)`, id, url(int(id%1000)), id%2)
	}
	wantEqual(t, end(0, 1), check.SiteID(3))
	wantEqual(t, end(0, 3), check.SiteID(8))
	wantEqual(t, end(3, 2), check.SiteID(8))
	wantEqual(t, end(999, 1), check.SiteID(1000))
	wantEqual(t, end(999, 2), check.SiteID(1<<40))
	wantEqual(t, end(999, 3), check.SiteID(0))
	wantEqual(t, end(math.MaxInt64, 1), check.SiteID(0))
}

func spanRefused(t *testing.T, db Database) {
	s := db.Open(t, true)
	someSites(t, db, s, 7, 3)
	all := map[shard.ID]store.Digest{0: 0}
	for _, span := range []record.Span{{First: 0, Last: 9}, {First: 9, Last: 8}, {First: -3, Last: 3}} {
		_, err := s.ReadSpan(t.Context(), span, all)
		wantKind(t, err, fault.Invalid)
	}
	_, err := s.ReadSpan(t.Context(), everywhere, nil)
	wantKind(t, err, fault.Invalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.ReadSpan(ctx, everywhere, all)
	wantKind(t, err, fault.Unavailable)
	_, _, err = s.SpanEnd(ctx, 0, 1)
	wantKind(t, err, fault.Unavailable)
	wantEqual(t, get[store.SpanRead](t)(s.ReadSpan(t.Context(), everywhere, all)).Rows, 3)
}
