package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func tagTests() []test {
	return []test{
		{"tags are kept sorted, and changed one by one", tagsAreKept},
		{"tags that cannot be kept are refused by name", badTags},
		{"nothing is left of the tags of a site that is gone", tagsGoWithTheirSite},
	}
}

func tagsAreKept(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := aSite(url(1))
	site.Tags = []string{"zoo", "a", "m"}
	neighbour := aSite(url(2))
	neighbour.Tags = []string{"m"}
	site, neighbour = create(t, s, site), create(t, s, neighbour)
	wantEqual(t, site.Tags, []string{"a", "m", "zoo"})
	for _, tags := range [][]string{{"m"}, {"m", "b"}, {"1", "2", "3", "4", "5", "6", "7", "8"}, {strings.Repeat("x", 32)}, nil, {"a"}} {
		want := site
		want.Tags = tags
		got := get[record.Site](t)(s.UpdateSite(t.Context(), site.ID, noon(), func(record.Site) (record.Site, error) { return want, nil }))
		read := get[record.Site](t)(s.Site(t.Context(), site.ID))
		wantEqual(t, got, read)
		if len(tags) == 2 {
			tags = []string{"b", "m"}
		}
		wantEqual(t, read.Tags, tags)
		wantEqual(t, get[[]record.Site](t)(s.SitesByID(t.Context(), []check.SiteID{site.ID, neighbour.ID})), []record.Site{read, neighbour})
	}
}

func badTags(t *testing.T, db Database) {
	s := db.Open(t, true)
	valid := create(t, s, aSite(url(1)))
	for _, tags := range [][]string{{""}, {"a", "a"}, {"a,b"}, {"a b"}, {"\u00e4"}, {strings.Repeat("x", 33)}, strings.Split("a b c d e f g h i", " ")} {
		site := valid
		site.URL, site.Tags = url(2), tags
		_, err := s.CreateSite(t.Context(), site)
		for _, err := range []error{err, rewrite(t.Context(), s, site)} {
			if wantKind(t, err, fault.Invalid); !strings.Contains(err.Error(), "tags") {
				t.Errorf("%q does not name the tags", err)
			}
		}
	}
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), valid.ID)), valid)
}

func tagsGoWithTheirSite(t *testing.T, db Database) {
	s := db.Open(t, true)
	tagged := func(n int) record.Site {
		site := aSite(url(n))
		site.Tags, site.Settings.Method = []string{"a", fmt.Sprint(n)}, check.MethodGet
		return create(t, s, site)
	}
	left := func(when string, want int64) {
		t.Helper()
		if tags, settings := db.Int(t, "SELECT COUNT(*) FROM jetmon_site_tags"), db.Int(t, "SELECT COUNT(*) FROM jetmon_site_settings"); tags != 2*want || settings != want {
			t.Fatalf("%s: %d tags and %d settings, want those of %d sites", when, tags, settings, want)
		}
	}
	kept, deleted, gone := tagged(1), tagged(2), tagged(3)
	must(t, s.DeleteSite(t.Context(), deleted.ID, noon().Add(time.Minute), nil))
	left("after a deletion", 2)
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", gone.ID)
	indexAll(t, s)
	left("after WordPress.com has deleted a row", 1)
	wantEqual(t, get[record.Site](t)(s.Site(t.Context(), kept.ID)), kept)

	// An id that is used again: the next row gets it, and tags of the earlier one are there. Which
	// id that is depends on the servers, of which each may have its own.
	const servers = 10
	next := kept.ID + servers
	for id := next + 1; id <= next+servers; id++ {
		db.Exec(t, "INSERT INTO jetmon_site_tags (site_id, tag) VALUES (?, 'old'), (?, 'a')", id, id)
	}
	insert(t, db, record.Site{ID: next, Bucket: 7, URL: url(4)})
	if again := tagged(5); again.ID <= next || again.ID > next+servers {
		t.Fatalf("the site has the id %d, want one of the next after %d", again.ID, next)
	} else {
		wantEqual(t, get[record.Site](t)(s.Site(t.Context(), again.ID)).Tags, []string{"5", "a"})
	}
}
