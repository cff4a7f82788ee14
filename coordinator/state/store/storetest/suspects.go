package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func suspectTests() []test {
	return []test{
		{"suspects read back by site as they were kept last", suspectsReadBack},
		{"hundreds are kept and forgotten in one call", suspectsInBulk},
		{"a fence that is not the owner's keeps and forgets nothing", suspectsFenced},
		{"suspects that cannot be are refused, all of the call", badSuspects},
		{"suspects of sites that are gone or moved away are forgotten", suspectsOfTheGone},
		{"owners of many shards keep theirs at once, none another's", raceSuspects},
	}
}

// suspectOf is a suspect with bytes that no text has.
func suspectOf(site store.Site, at time.Duration) store.Suspect {
	return store.Suspect{SiteID: site.ID, Bucket: site.Bucket, At: after(at), URL: site.URL, State: []byte("\x00\xff'\\" + at.String())}
}

func suspects(t testing.TB, s store.Store, id shard.ID) []store.Suspect {
	t.Helper()
	return get[[]store.Suspect](t)(s.ListSuspects(t.Context(), id))
}

// someSites creates n sites of a bucket, behind the store's back.
func someSites(t testing.TB, db Database, s store.Store, bucket check.BucketID, n int) []store.Site {
	t.Helper()
	for first := 0; first < n; first += 500 {
		var values []string
		var args []any
		for i := first; i < min(first+500, n); i++ {
			values = append(values, "(?, ?, ?)")
			args = append(args, i, bucket, url(i))
		}
		db.Exec(t, "INSERT INTO jetpack_monitor_sites (blog_id, bucket_no, monitor_url) VALUES "+strings.Join(values, ","), args...)
	}
	return get[[]store.Site](t)(s.ListSites(t.Context(), store.SiteQuery{InBucket: true, Bucket: bucket, Limit: 10000}))
}

func suspectsReadBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	sites := []store.Site{create(t, s, aSite(url(1))), create(t, s, aSite(url(2))), create(t, s, aSite(strings.Repeat("ü", 140)))}
	a, b, c := suspectOf(sites[0], 0), suspectOf(sites[1], time.Second), suspectOf(sites[2], 2*time.Second)
	c.State = nil
	must(t, s.KeepSuspects(t.Context(), fence, []store.Suspect{c, a, b}, nil))
	wantEqual(t, suspects(t, s, 0), []store.Suspect{a, b, c})
	wantEqual(t, suspects(t, s, 1), []store.Suspect(nil))

	b.At, b.URL, b.State = after(time.Minute), url(3), bytes.Repeat([]byte("\x00\xff"), 32<<10) // the longest
	for range 2 {                                                                               // b is kept although it is also to be forgotten; a was never there the second time
		must(t, s.KeepSuspects(t.Context(), fence, []store.Suspect{b}, []check.SiteID{a.SiteID, b.SiteID, 12345}))
		wantEqual(t, suspects(t, db.Open(t, false), 0), []store.Suspect{b, c})
	}
	must(t, s.KeepSuspects(t.Context(), fence, nil, nil))
	must(t, s.KeepSuspects(t.Context(), fence, nil, []check.SiteID{b.SiteID, c.SiteID}))
	wantEqual(t, suspects(t, s, 0), []store.Suspect(nil))
}

func suspectsInBulk(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var want []store.Suspect
	var ids []check.SiteID
	for i, site := range someSites(t, db, s, 7, 1200) {
		x := suspectOf(site, time.Duration(i)*time.Millisecond)
		if i%40 == 0 { // more in all than one statement takes
			x.State = bytes.Repeat([]byte{byte(i)}, 60000)
		}
		want = append(want, x)
		ids = append(ids, site.ID)
	}
	for range 2 {
		must(t, s.KeepSuspects(t.Context(), fence, want, nil))
		if !reflect.DeepEqual(suspects(t, s, 0), want) { // showing how would take minutes
			t.Error("suspects are not as they were kept")
		}
	}
	must(t, s.KeepSuspects(t.Context(), fence, want[:3], ids[1:]))
	wantEqual(t, suspects(t, s, 0), want[:3])
}

func suspectsFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	x := suspectOf(create(t, s, aSite(url(1))), 0)
	wantKind(t, s.KeepSuspects(t.Context(), shard.Fence{Shard: 0, Node: "a", Term: 1}, []store.Suspect{x}, nil), fault.Fenced)
	valid, other := own(t, s, "a", 7), own(t, s, "a", 100)
	must(t, s.KeepSuspects(t.Context(), valid, []store.Suspect{x}, nil))
	later := x
	later.At = after(time.Hour)
	for _, f := range []shard.Fence{
		{Shard: valid.Shard, Node: valid.Node, Term: valid.Term + 1},
		{Shard: valid.Shard, Node: "b", Term: valid.Term},
		{Shard: valid.Shard, Term: valid.Term},
		{Shard: 200, Node: "a", Term: 1},
		other, // owned, but not the site's
		{},
	} {
		wantKind(t, s.KeepSuspects(t.Context(), f, []store.Suspect{later}, nil), fault.Fenced)
		if f != other {
			wantKind(t, s.KeepSuspects(t.Context(), f, nil, []check.SiteID{x.SiteID}), fault.Fenced)
		}
	}
	must(t, s.KeepSuspects(t.Context(), other, nil, []check.SiteID{x.SiteID})) // it is not there
	wantEqual(t, suspects(t, s, 0), []store.Suspect{x})
	own(t, s, "a", 7) // its next life
	wantKind(t, s.KeepSuspects(t.Context(), valid, []store.Suspect{later}, nil), fault.Fenced)
	wantEqual(t, suspects(t, s, 0), []store.Suspect{x})
}

func badSuspects(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	good := suspectOf(create(t, s, aSite(url(1))), 0)
	nobody, large := good, suspectOf(create(t, s, aSite(url(2))), 0)
	nobody.SiteID = 0
	large.State = make([]byte, 64<<10+1)
	for name, keep := range map[string][]store.Suspect{
		"no site": {good, nobody}, "twice": {good, good}, "a large state": {good, large},
		"too many": slices.Repeat([]store.Suspect{good}, 10001),
	} {
		if err := s.KeepSuspects(t.Context(), fence, keep, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantKind(t, s.KeepSuspects(t.Context(), fence, []store.Suspect{good}, make([]check.SiteID, 10001)), fault.Invalid)
	wantEqual(t, suspects(t, s, 0), []store.Suspect(nil))
}

func suspectsOfTheGone(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var all []store.Suspect
	for i := range 5 {
		all = append(all, suspectOf(create(t, s, aSite(url(i))), 0))
	}
	must(t, s.KeepSuspects(t.Context(), fence, all, nil))
	must(t, s.DeleteSite(t.Context(), all[0].SiteID, noon()))
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", all[1].SiteID)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET bucket_no = 300 WHERE jetpack_monitor_site_id = ?", all[2].SiteID)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET bucket_no = 8 WHERE jetpack_monitor_site_id = ?", all[3].SiteID)
	wantEqual(t, suspects(t, s, 0), all[3:])
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_suspects"); n != 2 {
		t.Errorf("%d rows are left, want 2", n)
	}
}

func raceSuspects(t *testing.T, db Database) {
	s := db.Open(t, true)
	var fences [racers]shard.Fence
	var want [racers][]store.Suspect
	for n := range racers {
		bucket := check.BucketID(n * shard.BucketsPer)
		fences[n] = own(t, s, fmt.Sprint("node-", n), bucket)
		for _, site := range someSites(t, db, s, bucket, 20) {
			want[n] = append(want[n], suspectOf(site, time.Duration(n)*time.Second))
		}
	}
	won, lost := race(t, db, func(n int, s store.Store) error {
		for i := range 10 {
			if err := s.KeepSuspects(t.Context(), fences[n], want[n][i:], []check.SiteID{want[n][9-i].SiteID}); err != nil {
				return err
			}
		}
		return s.KeepSuspects(t.Context(), fences[n], want[n], nil)
	})
	if won != racers {
		t.Errorf("%d of %d, the others failed as %v", won, racers, lost)
	}
	for n := range racers {
		wantEqual(t, suspects(t, s, fences[n].Shard), want[n])
	}
}
