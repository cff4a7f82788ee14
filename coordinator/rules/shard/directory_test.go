package shard_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// at is a moment of the stories below.
func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func lease(s shard.ID, node string, until int) shard.Lease {
	return shard.Lease{Shard: s, Node: node, Endpoint: node + ":1", Term: 1, Expires: at(until)}
}

func TestADirectoryKnowsSinceWhenAShardIsNobodys(t *testing.T) {
	t.Parallel()
	var d shard.Directory
	for _, step := range []struct {
		name   string
		at     int
		leases []shard.Lease
		// orphaned are of shards 0, 1 and 2, in seconds; -1 is somebody's.
		orphaned [3]int
	}{
		{"at first", 0, []shard.Lease{lease(0, "a", 100), lease(1, "b", 3)}, [3]int{-1, -1, 0}},
		{"a lease ended between two readings", 5, []shard.Lease{lease(0, "a", 100), lease(1, "b", 3)}, [3]int{-1, 3, 0}},
		{"one is given back, one taken over", 7, []shard.Lease{{Shard: 0, Term: 1}, lease(1, "a", 100)}, [3]int{7, -1, 0}},
		{"what was nobody's stays so since then", 9, []shard.Lease{{Shard: 0, Term: 1}, lease(2, "a", 100)}, [3]int{7, 9, -1}},
		{"there is no shard 32", 10, []shard.Lease{lease(0, "a", 100), lease(1, "a", 100), lease(2, "a", 100), lease(32, "a", 100)}, [3]int{-1, -1, -1}},
	} {
		d = d.Read(step.leases, nil, at(step.at))
		if d.At != at(step.at) || d.Err != nil {
			t.Errorf("%s: read at %v, %v", step.name, d.At, d.Err)
		}
		for s, want := range step.orphaned {
			var since time.Time
			if want >= 0 {
				since = at(want)
			}
			if e := d.Entries[s]; !e.Orphaned.Equal(since) || e.Shard != shard.ID(s) {
				t.Errorf("%s: shard %d, orphaned since %v, want %v", step.name, e.Shard, e.Orphaned, since)
			}
		}
	}
}

func TestOurOwnLeasesAreLaidOverTheDirectoryUnlessTheyAreOlder(t *testing.T) {
	t.Parallel()
	renewed, later, given := lease(0, "a", 110), lease(1, "b", 100), shard.Lease{Shard: 2, Term: 4}
	later.Term = 3
	var d shard.Directory
	d = d.Read([]shard.Lease{lease(0, "a", 100), later, given, lease(4, "a", -1)}, nil, at(0))
	claimed, over := lease(3, "a", 15), lease(2, "a", 15)
	over.Term = 3
	for _, l := range []shard.Lease{renewed, lease(1, "a", 200), over, claimed, lease(4, "a", 20)} {
		d.Put(l)
	}
	want := map[shard.ID]shard.Entry{
		0: {Lease: renewed}, 1: {Lease: later}, 2: {Lease: given, Orphaned: at(0)}, 3: {Lease: claimed}, 4: {Lease: lease(4, "a", 20)},
	}
	for s, w := range want {
		if diff := cmp.Diff(w, d.Entries[s]); diff != "" {
			t.Errorf("shard %d (-want +got):\n%s", s, diff)
		}
	}
	d.Put(lease(5, "a", -3)) // unsure for long, and still not another's
	if d.Entries[5].Orphaned.IsZero() {
		t.Error("a lease that has ended makes it somebody's")
	}
}

func TestWhoOwnsABucket(t *testing.T) {
	t.Parallel()
	var d shard.Directory
	d = d.Read([]shard.Lease{lease(0, "a", 60), lease(1, "b", 60), lease(2, "b", -1), {Shard: 3, Endpoint: "b"}}, nil, at(0))
	for _, tt := range []struct {
		name   string
		bucket check.BucketID
		at     int
		want   string
	}{
		{"the first bucket", 0, 0, "a"}, {"the first of another", 16, 0, "b"}, {"its last", 31, 59, "b"},
		{"as soon as its lease has ended", 31, 60, ""}, {"one whose lease had ended when it was read", 32, 0, ""},
		{"one that was given back", 48, 0, ""}, {"one that nobody claimed", 511, 0, ""},
		{"a bucket beyond the last counts from the first", 512, 0, "a"},
	} {
		if l, ok := d.Owner(tt.bucket, at(tt.at)); ok != (tt.want != "") || ok && l.Node != tt.want {
			t.Errorf("%s: %v %v, want %q", tt.name, l, ok, tt.want)
		}
	}
}

func TestMembersAreByNameAndTheCallersListIsLetBe(t *testing.T) {
	t.Parallel()
	given := []shard.Member{{Node: "b"}, {Node: "a"}}
	var d shard.Directory
	d = d.Read(nil, given, at(0))
	if want := []shard.Member{{Node: "a"}, {Node: "b"}}; !slices.Equal(d.Members, want) || given[0].Node != "b" {
		t.Errorf("members %v of %v", d.Members, given)
	}
}
