package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func siteTests() []test {
	return []test{
		{"a created site reads back as it was written", createdReadsBack},
		{"creating ignores id and status", createIgnoresStatus},
		{"the same URL twice in a blog is refused, in another blog it is not", sameURLTwice},
		{"values that the legacy table cannot hold are refused by name", badValues},
		{"an update writes what is editable and nothing else", updateWrites},
		{"an update to another site's URL is refused", updateToTakenURL},
		{"rows that share blog and URL stay editable", twinsStayEditable},
		{"an unknown site is not found", unknownSite},
		{"deleting closes the open outage unreported", deleteCloses},
		{"of many ids the existing sites are read, each once and by id", sitesByID},
		{"pages by id are whole although sites are added between them", pagesUnderInserts},
		{"queries restrict by blog and host", queries},
		{"page sizes are bounded", pageSizes},
	}
}

// rewrite gives a site all that can be edited of another value.
func rewrite(ctx context.Context, s store.Store, site record.Site) error {
	_, err := s.UpdateSite(ctx, site.ID, noon(), func(record.Site) (record.Site, error) { return site, nil })
	return err
}

func createdReadsBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	want := aSite("https://example.com/ü?q=a'b\"c\\&x=%00#no")
	want.Paused, want.Interval = true, 255*time.Minute
	want.Settings = check.Settings{
		Method: check.MethodGet, RedirectPolicy: check.RedirectFail, SlowAfter: 1500 * time.Millisecond,
		Headers:       []check.Header{{Name: "X-Probe", Value: "ja, <b>&amp;</b>"}},
		RequiredTexts: []string{"Grüße 🙂"}, ForbiddenTexts: []string{"'; --", "\\"},
	}
	want.Tags, want.PublicBadges = []string{"a-z_0.9:x", "zz"}, true
	created := create(t, s, want)
	if created.ID <= 0 {
		t.Fatalf("id %d", created.ID)
	}
	want.ID, want.Status = created.ID, check.StatusRunning
	wantEqual(t, created, want)
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), created.ID)), want)
}

func createIgnoresStatus(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := aSite(url(1))
	site.ID, site.Status, site.StatusSince, site.OutageID = 99, check.StatusConfirmedDown, noon(), 5
	created := create(t, s, site)
	got := get[record.Site](t)(s.Site(t.Context(), created.ID))
	if got.Status != check.StatusRunning || !got.StatusSince.IsZero() || got.OutageID != 0 {
		t.Fatalf("got status %d since %v, outage %d", got.Status, got.StatusSince, got.OutageID)
	}
}

func sameURLTwice(t *testing.T, db Database) {
	s := db.Open(t, true)
	create(t, s, aSite("https://example.com/a"))
	_, err := s.CreateSite(t.Context(), aSite("https://example.com/a"))
	wantKind(t, err, fault.AlreadyExists)
	create(t, s, aSite("https://example.com/A")) // another path, whatever a collation says
	other := aSite("https://example.com/a")
	other.BlogID = 43
	create(t, s, other)
}

func badValues(t *testing.T, db Database) {
	s := db.Open(t, true)
	valid := create(t, s, aSite(url(1)))
	for field, spoil := range map[string]func(*record.Site){
		"url":                                   func(x *record.Site) { x.URL = "" },
		"url: ":                                 func(x *record.Site) { x.URL = "http://" + strings.Repeat("x", 294) },
		"blog_id":                               func(x *record.Site) { x.BlogID = -1 },
		"check_interval":                        func(x *record.Site) { x.Interval = 90 * time.Second },
		"check_interval: must be whole minutes": func(x *record.Site) { x.Interval = 256 * time.Minute },
		"check_interval: ":                      func(x *record.Site) { x.Interval = 0 },
	} {
		site := valid
		spoil(&site)
		_, err := s.CreateSite(t.Context(), site)
		for _, err := range []error{err, rewrite(t.Context(), s, site)} {
			wantKind(t, err, fault.Invalid)
			if !strings.Contains(err.Error(), field) {
				t.Errorf("%q does not name %s", err, field)
			}
		}
	}
	site := aSite(url(2))
	site.Bucket = check.Buckets
	_, err := s.CreateSite(t.Context(), site)
	wantKind(t, err, fault.Invalid)
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), valid.ID)), valid)
}

func updateWrites(t *testing.T, db Database) {
	s := db.Open(t, true)
	site, neighbour := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), opening(site, "k")))
	down := get[record.Site](t)(s.Site(t.Context(), site.ID))

	edit := down
	edit.BlogID, edit.URL, edit.Interval, edit.Paused = 43, url(3), time.Minute, true
	edit.Settings = check.Settings{Method: check.MethodHead}
	want := edit
	want.OutageID, want.Inherited = 0, true // of the earlier URL
	edit.Bucket, edit.Status, edit.StatusSince, edit.OutageID = 300, check.StatusRunning, noon(), 0
	must(t, rewrite(t.Context(), s, edit))
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), site.ID)), want)

	want.Settings = check.Settings{ForbiddenTexts: []string{"x"}}
	must(t, rewrite(t.Context(), s, want))
	must(t, rewrite(t.Context(), s, want)) // the same again is no error
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), site.ID)), want)
	want.Settings = check.Settings{}
	must(t, rewrite(t.Context(), s, want))
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), site.ID)), want)
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), neighbour.ID)), neighbour)
}

func updateToTakenURL(t *testing.T, db Database) {
	s := db.Open(t, true)
	create(t, s, aSite(url(1)))
	site := create(t, s, aSite(url(2)))
	edit := site
	edit.URL = url(1)
	wantKind(t, rewrite(t.Context(), s, edit), fault.AlreadyExists)
	edit.BlogID = 43
	must(t, rewrite(t.Context(), s, edit))
}

func twinsStayEditable(t *testing.T, db Database) {
	s := db.Open(t, true)
	for range 2 {
		db.Exec(t, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) VALUES (42, 7, ?)", url(1))
	}
	twins := get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 10}))
	if len(twins) != 2 {
		t.Fatalf("%d sites", len(twins))
	}
	twins[1].Paused = true
	must(t, rewrite(t.Context(), s, twins[1]))
}

func unknownSite(t *testing.T, db Database) {
	s := db.Open(t, true)
	_, err := s.Site(t.Context(), 77)
	wantKind(t, err, fault.NotFound)
	site := aSite(url(1))
	site.ID = 77
	wantKind(t, rewrite(t.Context(), s, site), fault.NotFound)
	wantKind(t, s.DeleteSite(t.Context(), 77, noon(), nil), fault.NotFound)
}

func deleteCloses(t *testing.T, db Database) {
	s := db.Open(t, true)
	doomed := aSite(url(1))
	doomed.Settings = check.Settings{Method: check.MethodGet}
	doomed = create(t, s, doomed)
	other := create(t, s, aSite(url(2)))
	fence := own(t, s, "a", 7)
	first := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(doomed, "k1")))
	second := get[record.Committed](t)(Commit(t.Context(), s, fence, opening(other, "k2")))

	must(t, s.DeleteSite(t.Context(), doomed.ID, after(3*time.Hour), nil))
	_, err := s.Site(t.Context(), doomed.ID)
	wantKind(t, err, fault.NotFound)
	o := get[record.Outage](t)(s.Outage(t.Context(), first.OutageID))
	if !o.End.Equal(after(3*time.Hour)) || o.Status != check.StatusRunning {
		t.Errorf("outage ended %v with status %d", o.End, o.Status)
	}
	if o := get[record.Outage](t)(s.Outage(t.Context(), second.OutageID)); !o.End.IsZero() {
		t.Error("the outage of another site was closed")
	}
	if got := keysOf(due(t, s, after(24*time.Hour), 10)); got != "k1 k2" {
		t.Errorf("notifications %q; the deletion itself is unreported, what happened before is not", got)
	}
	_, err = Commit(t.Context(), s, fence, closing(doomed, check.StatusDown, "k3"))
	wantKind(t, err, fault.Conflict)
}

func sitesByID(t *testing.T, db Database) {
	s := db.Open(t, true)
	// More ids than one statement takes; those that exist are at the edges of any parts.
	const asked = 1201
	exist := []check.SiteID{1, 2, 499, 500, 501, 999, 1000, 1001, 1200, 1201}
	for _, id := range exist {
		db.Exec(t, "INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url) VALUES (?, 42, 7, ?)", id, url(int(id)))
	}
	rich := get[record.Site](t)(s.Site(t.Context(), 500))
	rich.Paused, rich.Settings = true, check.Settings{Method: check.MethodGet}
	must(t, rewrite(t.Context(), s, rich))
	get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), opening(get[record.Site](t)(s.Site(t.Context(), 1001)), "k")))
	db.Exec(t, "INSERT INTO jetpack_monitor_sites (jetpack_monitor_site_id, blog_id, bucket_no, monitor_url) VALUES (5000, 42, 7, ?)", url(0)) // not asked for

	ids := []check.SiteID{-1, 0, 1000, 1000}
	for id := check.SiteID(asked); id > 0; id-- {
		ids = append(ids, id)
	}
	before := slices.Clone(ids)
	got := get[[]record.Site](t)(s.SitesByID(t.Context(), ids))
	var want []record.Site
	for _, id := range exist {
		want = append(want, get[record.Site](t)(s.Site(t.Context(), id)))
	}
	wantEqual(t, got, want)
	if !slices.Equal(ids, before) {
		t.Error("the caller's ids are in another order now")
	}
	if n := len(get[[]record.Site](t)(s.SitesByID(t.Context(), nil))); n != 0 {
		t.Errorf("%d sites of no ids", n)
	}
	get[[]record.Site](t)(s.SitesByID(t.Context(), make([]check.SiteID, 10000)))
	_, err := s.SitesByID(t.Context(), make([]check.SiteID, 10001))
	wantKind(t, err, fault.Invalid)
}

func pagesUnderInserts(t *testing.T, db Database) {
	s := db.Open(t, true)
	var want, got []check.SiteID
	for i := range 25 {
		want = append(want, create(t, s, aSite(url(i))).ID)
	}
	for _, blog := range []check.BlogID{0, aSite("").BlogID} {
		q := store.SiteQuery{Limit: 4, BlogID: blog}
		got = nil
		for n := 1000; ; n++ {
			page := get[[]record.Site](t)(s.ListSites(t.Context(), q))
			for _, site := range page {
				got = append(got, site.ID)
			}
			if len(page) < q.Limit {
				break
			}
			q.After = page[len(page)-1].ID
			if n < 1003 { // bounded, else the pages never end
				want = append(want, create(t, s, aSite(url(n+len(want)))).ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("of blog %d: read %v, want %v", blog, got, want)
		}
	}
}

func queries(t *testing.T, db Database) {
	s := db.Open(t, true)
	ids := map[string]check.SiteID{}
	for i, u := range []string{
		"https://example.com/", "http://example.com:8080/x", "HTTP://EXAMPLE.com?example.org", "example.com/bare",
		"https://example.com.evil.test/", "https://other.test/example.com", "https://notexample.com/",
		"https://user@example.com/", "https://ex_mple.com/", "https://[::1]:80/", "https://müller.example/",
	} {
		site := aSite(u)
		site.BlogID, site.Bucket, site.Paused = check.BlogID(i%2+1), check.BucketID(i%3), i == 4
		ids[u] = create(t, s, site).ID
	}
	for name, tt := range map[string]struct {
		q    store.SiteQuery
		want []string
	}{
		"a blog":            {store.SiteQuery{BlogID: 2}, []string{"http://example.com:8080/x", "example.com/bare", "https://other.test/example.com", "https://user@example.com/", "https://[::1]:80/"}},
		"a host":            {store.SiteQuery{At: at(t, "example.com")}, []string{"https://example.com/", "http://example.com:8080/x", "HTTP://EXAMPLE.com?example.org", "example.com/bare", "https://user@example.com/"}},
		"a host with port":  {store.SiteQuery{At: at(t, "example.com:8080")}, []string{"http://example.com:8080/x"}},
		"an underscore":     {store.SiteQuery{At: at(t, "ex_mple.com")}, []string{"https://ex_mple.com/"}},
		"a literal address": {store.SiteQuery{At: at(t, "[::1]")}, []string{"https://[::1]:80/"}},
		"beyond ASCII":      {store.SiteQuery{At: at(t, "müller.example")}, []string{"https://müller.example/"}},
		"nothing":           {store.SiteQuery{At: at(t, "nowhere.example")}, nil},
		"a page":            {store.SiteQuery{At: record.Locate("http://EXAMPLE.com:8080/./x#y")}, []string{"http://example.com:8080/x"}},
		"another page":      {store.SiteQuery{At: record.Locate("http://example.com:8080/X")}, nil},
		"a page in a blog":  {store.SiteQuery{At: record.Locate("https://example.com/"), BlogID: 1}, []string{"https://example.com/"}},
		"host in a blog":    {store.SiteQuery{At: at(t, "example.com"), BlogID: 2}, []string{"http://example.com:8080/x", "example.com/bare", "https://user@example.com/"}},
	} {
		for _, limit := range []int{1, 2, 100} {
			var got, want []check.SiteID
			for _, u := range tt.want {
				want = append(want, ids[u])
			}
			tt.q.Limit, tt.q.After = limit, 0
			for {
				page := get[[]record.Site](t)(s.ListSites(t.Context(), tt.q))
				for _, site := range page {
					got = append(got, site.ID)
				}
				if len(page) < limit {
					break
				}
				tt.q.After = page[len(page)-1].ID
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d a page: got %v, want %v", name, limit, got, want)
			}
		}
	}
}

func pageSizes(t *testing.T, db Database) {
	s := db.Open(t, true)
	for _, limit := range []int{-1, 0, 10001} {
		_, err := s.ListSites(t.Context(), store.SiteQuery{Limit: limit})
		wantKind(t, err, fault.Invalid)
		_, err = s.ListOutages(t.Context(), store.OutageQuery{Limit: limit})
		wantKind(t, err, fault.Invalid)
	}
	get[[]record.Site](t)(s.ListSites(t.Context(), store.SiteQuery{Limit: 10000}))
}
