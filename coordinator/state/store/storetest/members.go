package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

func memberTests() []test {
	return []test{
		{"a member is listed until it expires", memberExpires},
		{"announcing again replaces the membership", memberAgain},
		{"a retired member is gone, once or twice", memberRetires},
		{"invalid members are refused", badMembers},
		{"the rows of members that never returned are deleted", membersForgotten},
		{"concurrent announcements are all kept", raceAnnounce},
	}
}

func aMember(node string, expires time.Duration) shard.Member {
	return shard.Member{Node: node, Endpoint: node + ".example:7800", First: 0, Last: shard.Count - 1, Expires: after(expires)}
}

func members(t testing.TB, s store.Store, now time.Duration) []shard.Member {
	t.Helper()
	return get[[]shard.Member](t)(s.ListMembers(t.Context(), after(now)))
}

func memberExpires(t *testing.T, db Database) {
	s := db.Open(t, true)
	a, b := aMember("b-node", 15*time.Second), aMember("A-node", 20*time.Second)
	must(t, s.Announce(t.Context(), a))
	must(t, s.Announce(t.Context(), b))
	wantEqual(t, members(t, s, 0), []shard.Member{b, a}) // by bytes
	wantEqual(t, members(t, db.Open(t, false), 15*time.Second-time.Millisecond), []shard.Member{b, a})
	wantEqual(t, members(t, s, 15*time.Second), []shard.Member{b})
	wantEqual(t, members(t, s, time.Hour), []shard.Member(nil))
}

func memberAgain(t *testing.T, db Database) {
	s := db.Open(t, true)
	must(t, s.Announce(t.Context(), aMember("a", time.Second)))
	other := aMember("other", time.Minute)
	must(t, s.Announce(t.Context(), other))
	m := shard.Member{Node: "a", Endpoint: "", First: 3, Last: 3, Expires: after(time.Minute)}
	for range 2 {
		must(t, s.Announce(t.Context(), m))
		wantEqual(t, members(t, s, 0), []shard.Member{m, other})
	}
}

func memberRetires(t *testing.T, db Database) {
	s := db.Open(t, true)
	must(t, s.Announce(t.Context(), aMember("a", time.Minute)))
	must(t, s.Announce(t.Context(), aMember("b", time.Minute)))
	for range 2 {
		must(t, s.Retire(t.Context(), "a"))
		wantEqual(t, members(t, s, 0), []shard.Member{aMember("b", time.Minute)})
	}
	must(t, s.Announce(t.Context(), aMember("a", time.Hour)))
	wantEqual(t, members(t, s, 0), []shard.Member{aMember("a", time.Hour), aMember("b", time.Minute)})
}

func badMembers(t *testing.T, db Database) {
	s := db.Open(t, true)
	for name, spoil := range map[string]func(*shard.Member){
		"no name":             func(m *shard.Member) { m.Node = "" },
		"a long name":         func(m *shard.Member) { m.Node = strings.Repeat("n", 256) },
		"a long endpoint":     func(m *shard.Member) { m.Endpoint = strings.Repeat("e", 256) },
		"shards in disorder":  func(m *shard.Member) { m.First, m.Last = 4, 3 },
		"a shard beyond them": func(m *shard.Member) { m.Last = shard.Count },
	} {
		m := aMember("a", time.Minute)
		spoil(&m)
		if err := s.Announce(t.Context(), m); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantEqual(t, members(t, s, 0), []shard.Member(nil))
}

func membersForgotten(t *testing.T, db Database) {
	s := db.Open(t, true)
	for i := range 5 {
		must(t, s.Announce(t.Context(), aMember(fmt.Sprint("pod-", i), time.Duration(i)*12*time.Hour)))
	}
	// Those that expired more than a day before the newest one will.
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_members"); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

func raceAnnounce(t *testing.T, db Database) {
	for round := range 2 { // as new ones, then as known ones
		won, lost := race(t, db, func(n int, s store.Store) error {
			return s.Announce(t.Context(), aMember(fmt.Sprint("node-", n/2), time.Duration(round+1)*time.Minute))
		})
		if won != racers {
			t.Errorf("%d of %d, the others failed as %v", won, racers, lost)
		}
		if n := len(members(t, db.Open(t, true), 0)); n != racers/2 {
			t.Errorf("%d members, want %d", n, racers/2)
		}
	}
}
