package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func snapshotTests() []test {
	return []test{
		{"the newest snapshots read back by site", snapshotsReadBack},
		{"hundreds of snapshots are kept and forgotten in one call", snapshotsInBulk},
		{"a fence that is not the owner's keeps and forgets nothing", snapshotsFenced},
		{"an invalid snapshot is refused with its whole call", badSnapshots},
		{"snapshots of sites that were deleted or moved away are forgotten", snapshotsOfTheGone},
		{"owners of many shards keep snapshots concurrently", raceSnapshots},
	}
}

// snapshotOf is a snapshot with bytes that no text has.
func snapshotOf(site record.Site, at time.Duration) record.Snapshot {
	return record.Snapshot{SiteID: site.ID, Bucket: site.Bucket, At: after(at), URL: site.URL, State: []byte("\x00\xff'\\" + at.String())}
}

func snapshots(t testing.TB, s store.Store, id shard.ID) []record.Snapshot {
	t.Helper()
	return get[[]record.Snapshot](t)(s.ListSnapshots(t.Context(), id))
}

// someSites creates n sites of a bucket, behind the store's back.
func someSites(t testing.TB, db Database, s store.Store, bucket check.BucketID, n int) []record.Site {
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
	return sitesIn(t, s, bucket)
}

func snapshotsReadBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	sites := []record.Site{create(t, s, aSite(url(1))), create(t, s, aSite(url(2))), create(t, s, aSite(strings.Repeat("ü", 140)))}
	a, b, c := snapshotOf(sites[0], 0), snapshotOf(sites[1], time.Second), snapshotOf(sites[2], 2*time.Second)
	c.State = nil
	must(t, s.KeepSnapshots(t.Context(), fence, []record.Snapshot{c, a, b}, nil))
	wantEqual(t, snapshots(t, s, 0), []record.Snapshot{a, b, c})
	wantEqual(t, snapshots(t, s, 1), []record.Snapshot(nil))

	b.At, b.URL, b.State = after(time.Minute), url(3), bytes.Repeat([]byte("\x00\xff"), 32<<10) // the longest
	for range 2 {                                                                               // b is kept although it is also to be forgotten; a was never there the second time
		must(t, s.KeepSnapshots(t.Context(), fence, []record.Snapshot{b}, []check.SiteID{a.SiteID, b.SiteID, 12345}))
		wantEqual(t, snapshots(t, db.Open(t, false), 0), []record.Snapshot{b, c})
	}
	must(t, s.KeepSnapshots(t.Context(), fence, nil, nil))
	must(t, s.KeepSnapshots(t.Context(), fence, nil, []check.SiteID{b.SiteID, c.SiteID}))
	wantEqual(t, snapshots(t, s, 0), []record.Snapshot(nil))
}

func snapshotsInBulk(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var want []record.Snapshot
	var ids []check.SiteID
	for i, site := range someSites(t, db, s, 7, 1200) {
		x := snapshotOf(site, time.Duration(i)*time.Millisecond)
		if i%40 == 0 { // more in all than one statement takes
			x.State = bytes.Repeat([]byte{byte(i)}, 60000)
		}
		want = append(want, x)
		ids = append(ids, site.ID)
	}
	for range 2 {
		must(t, s.KeepSnapshots(t.Context(), fence, want, nil))
		if !reflect.DeepEqual(snapshots(t, s, 0), want) { // showing how would take minutes
			t.Error("snapshots are not as they were kept")
		}
	}
	must(t, s.KeepSnapshots(t.Context(), fence, want[:3], ids[1:]))
	wantEqual(t, snapshots(t, s, 0), want[:3])
}

func snapshotsFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	x := snapshotOf(create(t, s, aSite(url(1))), 0)
	wantKind(t, s.KeepSnapshots(t.Context(), shard.Fence{Shard: 0, Node: "a", Term: 1}, []record.Snapshot{x}, nil), fault.Fenced)
	valid, other := own(t, s, "a", 7), own(t, s, "a", 100)
	must(t, s.KeepSnapshots(t.Context(), valid, []record.Snapshot{x}, nil))
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
		wantKind(t, s.KeepSnapshots(t.Context(), f, []record.Snapshot{later}, nil), fault.Fenced)
		if f != other {
			wantKind(t, s.KeepSnapshots(t.Context(), f, nil, []check.SiteID{x.SiteID}), fault.Fenced)
		}
	}
	must(t, s.KeepSnapshots(t.Context(), other, nil, []check.SiteID{x.SiteID})) // it is not there
	wantEqual(t, snapshots(t, s, 0), []record.Snapshot{x})
	own(t, s, "a", 7) // its next life
	wantKind(t, s.KeepSnapshots(t.Context(), valid, []record.Snapshot{later}, nil), fault.Fenced)
	wantEqual(t, snapshots(t, s, 0), []record.Snapshot{x})
}

func badSnapshots(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	good := snapshotOf(create(t, s, aSite(url(1))), 0)
	nobody, large := good, snapshotOf(create(t, s, aSite(url(2))), 0)
	nobody.SiteID = 0
	large.State = make([]byte, 64<<10+1)
	for name, keep := range map[string][]record.Snapshot{
		"no site": {good, nobody}, "twice": {good, good}, "a large state": {good, large},
		"too many": slices.Repeat([]record.Snapshot{good}, 10001),
	} {
		if err := s.KeepSnapshots(t.Context(), fence, keep, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantKind(t, s.KeepSnapshots(t.Context(), fence, []record.Snapshot{good}, make([]check.SiteID, 10001)), fault.Invalid)
	wantEqual(t, snapshots(t, s, 0), []record.Snapshot(nil))
}

func snapshotsOfTheGone(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	var all []record.Snapshot
	for i := range 5 {
		all = append(all, snapshotOf(create(t, s, aSite(url(i))), 0))
	}
	must(t, s.KeepSnapshots(t.Context(), fence, all, nil))
	must(t, s.DeleteSite(t.Context(), all[0].SiteID, noon(), nil))
	db.Exec(t, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", all[1].SiteID)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET bucket_no = 300 WHERE jetpack_monitor_site_id = ?", all[2].SiteID)
	db.Exec(t, "UPDATE jetpack_monitor_sites SET bucket_no = 8 WHERE jetpack_monitor_site_id = ?", all[3].SiteID)
	wantEqual(t, snapshots(t, s, 0), all[3:])
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_suspects"); n != 2 {
		t.Errorf("%d rows are left, want 2", n)
	}
}

func raceSnapshots(t *testing.T, db Database) {
	s := db.Open(t, true)
	var fences [racers]shard.Fence
	var want [racers][]record.Snapshot
	for n := range racers {
		bucket := check.BucketID(n * shard.BucketsPer)
		fences[n] = own(t, s, fmt.Sprint("node-", n), bucket)
		for _, site := range someSites(t, db, s, bucket, 20) {
			want[n] = append(want[n], snapshotOf(site, time.Duration(n)*time.Second))
		}
	}
	won, lost := race(t, db, func(n int, s store.Store) error {
		for i := range 10 {
			if err := s.KeepSnapshots(t.Context(), fences[n], want[n][i:], []check.SiteID{want[n][9-i].SiteID}); err != nil {
				return err
			}
		}
		return s.KeepSnapshots(t.Context(), fences[n], want[n], nil)
	})
	if won != racers {
		t.Errorf("%d of %d, the others failed as %v", won, racers, lost)
	}
	for n := range racers {
		wantEqual(t, snapshots(t, s, fences[n].Shard), want[n])
	}
}
