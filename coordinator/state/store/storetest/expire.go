package storetest

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func expireTests() []test {
	return []test{
		{"ballots that opened nothing expire, in batches, the oldest first", expireBallots},
		{"ballots of outages stay as long as their outage", expireKeepsEvidence},
		{"closed outages expire with their ballots and transitions", expireOutages},
		{"an outage stays while it is open, and while its site has notifications", expireWaits},
		{"nothing expires in a shard of another owner", expireFenced},
	}
}

func expire(t *testing.T, s store.Store, f shard.Fence, e store.Expiry, limit int) int {
	t.Helper()
	return get[int](t)(s.Expire(t.Context(), f, e, limit))
}

func expireBallots(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	neighbour := aSite(url(2))
	neighbour.Bucket = 8
	other := create(t, s, neighbour)
	for i := range 5 {
		b := aBallot(site)
		b.Decided = after(time.Duration(i) * time.Hour)
		must(t, s.KeepBallot(t.Context(), fence, b))
	}
	b := aBallot(other)
	b.Decided = after(time.Hour)
	must(t, s.KeepBallot(t.Context(), fence, b))

	before := store.Expiry{Ballots: after(3 * time.Hour)} // that of exactly then stays
	left := func() (list []time.Time) {
		for _, b := range get[[]record.Ballot](t)(s.ListBallots(t.Context(), site.ID, 10)) {
			list = append(list, b.Decided)
		}
		return list
	}
	if n := expire(t, s, fence, store.Expiry{}, 10); n != 0 {
		t.Errorf("%d expired, and nothing may", n)
	}
	if n := expire(t, s, fence, before, 2); n != 2 {
		t.Errorf("%d expired, want the limit of 2", n)
	}
	wantEqual(t, left(), []time.Time{after(4 * time.Hour), after(3 * time.Hour), after(2 * time.Hour)})
	if n := expire(t, s, fence, before, 10); n != 2 {
		t.Errorf("%d expired, want the last of the site and the other's", n)
	}
	wantEqual(t, left(), []time.Time{after(4 * time.Hour), after(3 * time.Hour)})
	if n := expire(t, s, fence, before, 10); n != 0 {
		t.Errorf("%d expired, want none", n)
	}
	_, err := s.Expire(t.Context(), fence, before, 0)
	wantKind(t, err, fault.Invalid)
}

// outageOver makes an outage and its end, both told.
func outageOver(t *testing.T, s store.Store, f shard.Fence, site record.Site, key string) int64 {
	t.Helper()
	done := get[record.Committed](t)(Commit(t.Context(), s, f, opening(site, key+"-down")))
	get[record.Committed](t)(Commit(t.Context(), s, f, closing(site, check.StatusDown, key+"-up")))
	return done.OutageID
}

func tellAll(t *testing.T, s store.Store) {
	t.Helper()
	for notifications := due(t, s, after(100*time.Hour), 10); len(notifications) > 0; notifications = due(t, s, after(100*time.Hour), 10) {
		for _, n := range notifications {
			must(t, Accept(t.Context(), s, n, after(3*time.Hour)))
		}
	}
}

func expireKeepsEvidence(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	site := create(t, s, aSite(url(1)))
	id := outageOver(t, s, fence, site, "k")
	tellAll(t, s)
	before := footprint(t, db)
	if n := expire(t, s, fence, store.Expiry{Ballots: after(1000 * time.Hour)}, 10); n != 0 {
		t.Errorf("%d expired", n)
	}
	wantEqual(t, footprint(t, db), before)
	if o := get[record.Outage](t)(s.Outage(t.Context(), id)); o.Ballot == nil || len(o.Checks) == 0 {
		t.Errorf("the outage has lost its evidence: %+v", o)
	}
}

func expireOutages(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	gone, stays := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	id := outageOver(t, s, fence, gone, "k1")
	var kept [2]int64
	for i, key := range []string{"k2", "k3"} {
		open := opening(stays, key)
		end := closing(stays, check.StatusDown, key+"-up")
		end.At = after(time.Duration(10+i) * time.Hour)
		kept[i] = get[record.Committed](t)(Commit(t.Context(), s, fence, open)).OutageID
		get[record.Committed](t)(Commit(t.Context(), s, fence, end))
	}
	tellAll(t, s)
	if n := expire(t, s, fence, store.Expiry{Outages: after(10 * time.Hour)}, 10); n != 1 {
		t.Errorf("%d expired, want the one that was over in time", n)
	}
	_, err := s.Outage(t.Context(), id)
	wantKind(t, err, fault.NotFound)
	for _, k := range kept {
		if o := get[record.Outage](t)(s.Outage(t.Context(), k)); o.Ballot == nil || len(o.Checks) == 0 {
			t.Errorf("outage %d has lost its evidence: %+v", k, o)
		}
	}
	wantEqual(t, footprint(t, db), [5]int64{2, 2, 4, 0, 0})
	if n := expire(t, s, fence, store.Expiry{Outages: after(100 * time.Hour)}, 1); n != 1 {
		t.Errorf("%d expired, want the limit of 1", n)
	}
	_, err = s.Outage(t.Context(), kept[0])
	wantKind(t, err, fault.NotFound)
	wantEqual(t, footprint(t, db), [5]int64{1, 1, 2, 0, 0})
}

func expireWaits(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	open, untold := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	all := store.Expiry{Ballots: after(1000 * time.Hour), Outages: after(1000 * time.Hour)}
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(open, "k1")))
	tellAll(t, s)
	outageOver(t, s, fence, untold, "k2")
	before := footprint(t, db)
	if n := expire(t, s, fence, all, 10); n != 0 {
		t.Errorf("%d expired, want none", n)
	}
	wantEqual(t, footprint(t, db), before)
	tellAll(t, s)
	if n := expire(t, s, fence, all, 10); n != 1 {
		t.Errorf("%d expired, want the one that was told", n)
	}
	wantEqual(t, footprint(t, db), [5]int64{1, 1, 1, 0, 1})
}

func expireFenced(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	old := own(t, s, "a", 7)
	must(t, s.KeepBallot(t.Context(), old, aBallot(site)))
	other := own(t, s, "a", 100)
	own(t, s, "a", 7) // its next life
	all := store.Expiry{Ballots: after(1000 * time.Hour), Outages: after(1000 * time.Hour)}
	for _, f := range []shard.Fence{old, {}, {Shard: old.Shard, Node: "b", Term: old.Term + 1}, {Shard: 200, Node: "a", Term: 1}} {
		_, err := s.Expire(t.Context(), f, all, 10)
		wantKind(t, err, fault.Fenced)
	}
	if n := expire(t, s, other, all, 10); n != 0 {
		t.Errorf("%d expired of a shard without history", n)
	}
	if n := len(get[[]record.Ballot](t)(s.ListBallots(t.Context(), site.ID, 10))); n != 1 {
		t.Errorf("%d ballots are left, want 1", n)
	}
}
