package ownership_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestTheDirectoryListsOwnersAndMembers(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a, b := start(t, r, "a", part{last: 15}), start(t, r, "b", part{first: 16})
		after(3 * time.Second)
		for _, n := range []*node{a, b} {
			d := n.Directory()
			if d.Entries[15].Node != "a" || d.Entries[16].Node != "b" || d.Entries[16].Endpoint != "b:7800" || d.Entries[16].Shard != 16 {
				t.Errorf("%s reads %+v", n.name, d.Entries)
			}
			if m := d.Members; len(m) != 2 || m[0].Node != "a" || m[1].First != 16 || m[1].Endpoint != "b:7800" {
				t.Errorf("%s reads %+v", n.name, m)
			}
			if d.Err != nil || time.Since(d.At) > time.Second {
				t.Errorf("%s read it %s ago, %v", n.name, time.Since(d.At), d.Err)
			}
		}
		// Our own leases come from memory, which is newer than the read.
		a.set(faults{away: true})
		b.set(faults{away: true})
		away := time.Now()
		after(time.Minute)
		d := a.Directory()
		if e := d.Entries[3]; e.Node != "a" || e.Term != 1 {
			t.Errorf("a knows %+v", e)
		}
		if !fault.Is(d.Err, fault.Unavailable) || d.At.After(away) {
			t.Errorf("without a database it was read at %s, %v", d.At, d.Err)
		}
		a.end(t)
		b.end(t)
	})
}

func TestTheDirectoryListsAClaimedShardBeforeItIsRead(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a := start(t, r, "a", part{faults: faults{slow: 300 * time.Millisecond}})
		watch(t, []*node{a}, 5*time.Second, func() bool { return a.Held()[0].Term == 1 })
		d := a.Directory()
		if e := d.Entries[0]; e.Node != "a" || e.Term != 1 || !e.Orphaned.IsZero() {
			t.Errorf("a knows %+v", e)
		}
		if e := d.Entries[31]; a.Held()[31].Term == 0 && (e.Node != "" || e.Orphaned.IsZero()) {
			t.Errorf("a knows %+v of a shard that nobody has", e)
		}
		a.end(t)
	})
}

func TestRefreshReadsTheDirectoryAtOnce(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a := start(t, r, "a", part{first: 1})
		after(5*time.Second + 400*time.Millisecond) // between two looks
		if _, err := r.ClaimShard(t.Context(), 0, shard.Owner{Node: "b", Endpoint: "b", TTL: time.Minute}, time.Now()); err != nil {
			t.Fatal(err)
		}
		a.set(faults{slow: 100 * time.Millisecond})
		before, began := r.read(), time.Now()
		var asking sync.WaitGroup
		for i := range 50 {
			asking.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				<-a.Refresh()
				if d := a.Directory(); d.Entries[0].Node != "b" || d.At.Before(began) {
					t.Errorf("shard 0 is %+v, read at %s", d.Entries[0], d.At)
				}
			})
		}
		asking.Wait()
		if n, took := r.read()-before, time.Since(began); n != 1 || took != 100*time.Millisecond {
			t.Errorf("read %d times for fifty that ask, for %s", n, took)
		}
		// A directory that was just read is not read again; an older one is.
		<-a.Refresh()
		after(190 * time.Millisecond)
		<-a.Refresh()
		if n := r.read() - before; n != 1 {
			t.Errorf("read %d times within a moment", n)
		}
		after(20 * time.Millisecond)
		<-a.Refresh()
		if n := r.read() - before; n != 2 {
			t.Errorf("read %d times, want once more", n)
		}
		a.end(t)
	})
}

func TestRefreshDoesNotWaitForAnUnreachableDatabase(t *testing.T) {
	t.Parallel()
	story(t, func(t *testing.T, r *registry) {
		a := start(t, r, "a", part{})
		after(5*time.Second + 400*time.Millisecond)
		a.set(faults{slow: time.Hour})
		began := time.Now()
		<-a.Refresh()
		if took := time.Since(began); took > time.Second {
			t.Errorf("waited for %s", took)
		}
		if d := a.Directory(); !fault.Is(d.Err, fault.Unavailable) {
			t.Errorf("the directory says %v", d.Err)
		}
		a.set(faults{})
		after(6 * time.Second) // the look that hangs is over
		if d := a.Directory(); d.Err != nil || time.Since(d.At) > time.Second {
			t.Errorf("then it was read %s ago, %v", time.Since(d.At), d.Err)
		}
		a.end(t)
		synctest.Wait()
		<-a.Refresh() // nobody reads any more, and nobody is left waiting
	})
}
