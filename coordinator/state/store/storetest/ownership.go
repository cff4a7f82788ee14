package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

func ownershipTests() []test {
	return []test{
		{"a free shard is claimed in term 1 and listed", claimFree},
		{"a held shard is a conflict until it expires", claimHeld},
		{"a node that claims again fences its former life", claimAgain},
		{"a lease is renewed while nobody else has taken it", renew},
		{"concurrent renewals succeed or fail independently", renewMany},
		{"a released shard is free at once", release},
		{"invalid claims are refused", badClaims},
	}
}

func anOwner(node string) shard.Owner {
	return shard.Owner{Node: node, Endpoint: node + ".example:7800", TTL: 15 * time.Second}
}

func claimFree(t *testing.T, db Database) {
	s := db.Open(t, true)
	if n := len(get[[]shard.Lease](t)(s.ListShards(t.Context()))); n != 0 {
		t.Fatalf("%d shards in a fresh database", n)
	}
	var want []shard.Lease
	for id := range shard.ID(shard.Count) {
		l := get[shard.Lease](t)(s.ClaimShard(t.Context(), id, anOwner("a"), noon()))
		want = append(want, shard.Lease{Shard: id, Node: "a", Endpoint: "a.example:7800", Term: 1, Expires: after(15 * time.Second)})
		wantEqual(t, l, want[id])
	}
	wantEqual(t, get[[]shard.Lease](t)(s.ListShards(t.Context())), want)
}

func claimHeld(t *testing.T, db Database) {
	s := db.Open(t, true)
	get[shard.Lease](t)(s.ClaimShard(t.Context(), 3, anOwner("a"), noon()))
	for _, now := range []time.Duration{0, 15*time.Second - time.Millisecond} {
		_, err := s.ClaimShard(t.Context(), 3, anOwner("b"), after(now))
		wantKind(t, err, fault.Conflict)
	}
	l := get[shard.Lease](t)(s.ClaimShard(t.Context(), 3, anOwner("b"), after(15*time.Second)))
	if l.Term != 2 || l.Node != "b" || !l.Expires.Equal(after(30*time.Second)) {
		t.Errorf("got %+v", l)
	}
	wantEqual(t, get[[]shard.Lease](t)(s.ListShards(t.Context())), []shard.Lease{l})
}

func claimAgain(t *testing.T, db Database) {
	s := db.Open(t, true)
	old := get[shard.Lease](t)(s.ClaimShard(t.Context(), 0, anOwner("a"), noon()))
	l := get[shard.Lease](t)(s.ClaimShard(t.Context(), 0, anOwner("a"), after(time.Second)))
	if l.Term != old.Term+1 {
		t.Errorf("term %d after %d", l.Term, old.Term)
	}
	_, err := s.RenewShard(t.Context(), old, after(time.Minute))
	wantKind(t, err, fault.Fenced)
	get[shard.Lease](t)(s.RenewShard(t.Context(), l, after(time.Minute)))
}

func renew(t *testing.T, db Database) {
	s := db.Open(t, true)
	l := get[shard.Lease](t)(s.ClaimShard(t.Context(), 31, anOwner("a"), noon()))
	for _, expires := range []time.Duration{20 * time.Second, 20 * time.Second, time.Hour} {
		renewed := get[shard.Lease](t)(s.RenewShard(t.Context(), l, after(expires)))
		l.Expires = after(expires)
		wantEqual(t, renewed, l)
		wantEqual(t, get[[]shard.Lease](t)(s.ListShards(t.Context())), []shard.Lease{l})
	}
	taken := get[shard.Lease](t)(s.ClaimShard(t.Context(), 31, anOwner("b"), after(time.Hour)))
	_, err := s.RenewShard(t.Context(), l, after(2*time.Hour))
	wantKind(t, err, fault.Fenced)
	wantEqual(t, get[[]shard.Lease](t)(s.ListShards(t.Context())), []shard.Lease{taken})
	_, err = s.RenewShard(t.Context(), shard.Lease{Shard: 5, Node: "a", Term: 1}, after(time.Hour))
	wantKind(t, err, fault.Fenced) // never claimed
}

func renewMany(t *testing.T, db Database) {
	s := db.Open(t, true)
	var want []shard.Lease
	for id := range shard.ID(8) {
		l := get[shard.Lease](t)(s.ClaimShard(t.Context(), id, anOwner("a"), noon()))
		fenced := true
		switch id % 4 {
		case 0: // ours, as long as nobody takes it: here it expires before it is renewed
			fenced = false
		case 1: // taken, when it had expired
			want = append(want, get[shard.Lease](t)(s.ClaimShard(t.Context(), id, anOwner("b"), after(time.Minute))))
		case 2: // taken by a duplicate node
			want = append(want, get[shard.Lease](t)(s.ClaimShard(t.Context(), id, anOwner("a"), after(time.Second))))
		case 3: // given back
			l.Expires = after(3 * time.Second) // until which its checks were made
			must(t, s.ReleaseShard(t.Context(), l))
			want = append(want, shard.Lease{Shard: id, Term: 1, Endpoint: l.Endpoint, Expires: l.Expires})
		}
		renewed, err := s.RenewShard(t.Context(), l, after(time.Hour))
		if fenced {
			wantKind(t, err, fault.Fenced)
			continue
		}
		must(t, err)
		want = append(want, renewed)
	}
	wantEqual(t, get[[]shard.Lease](t)(s.ListShards(t.Context())), want)
}

func release(t *testing.T, db Database) {
	s := db.Open(t, true)
	l := get[shard.Lease](t)(s.ClaimShard(t.Context(), 0, anOwner("a"), noon()))
	for range 2 { // twice is no error
		must(t, s.ReleaseShard(t.Context(), l))
	}
	_, err := s.RenewShard(t.Context(), l, after(time.Minute))
	wantKind(t, err, fault.Fenced)
	_, err = s.RenewShard(t.Context(), shard.Lease{Shard: 0, Term: l.Term}, after(time.Minute))
	wantKind(t, err, fault.Fenced) // to be nobody is not to be the owner
	b := get[shard.Lease](t)(s.ClaimShard(t.Context(), 0, anOwner("b"), noon()))
	if b.Term != l.Term+1 {
		t.Errorf("term %d after %d", b.Term, l.Term)
	}
	must(t, s.ReleaseShard(t.Context(), l)) // late, and not a's any more
	wantEqual(t, get[[]shard.Lease](t)(s.ListShards(t.Context())), []shard.Lease{b})
}

func badClaims(t *testing.T, db Database) {
	s := db.Open(t, true)
	_, err := s.ClaimShard(t.Context(), shard.Count, anOwner("a"), noon())
	wantKind(t, err, fault.Invalid)
	for _, node := range []string{"", strings.Repeat("n", 256)} {
		_, err = s.ClaimShard(t.Context(), 0, anOwner(node), noon())
		wantKind(t, err, fault.Invalid)
	}
}
