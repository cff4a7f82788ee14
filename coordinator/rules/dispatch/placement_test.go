package dispatch

import (
	"testing"
	"time"
)

// nodes joins nodes that have credit for so many checks, and as much room.
func (s *sessions) nodes(t *testing.T, credit map[string]int) map[string]*Session {
	t.Helper()
	joined := map[string]*Session{}
	s.slowStart = -1
	for node, n := range credit {
		joined[node] = s.join(t, 0, Hello{Node: node, MaxInFlight: n})
		joined[node].grant(n)
	}
	return joined
}

func TestALaneAvoidsNodesAsFarAsThereAreOthers(t *testing.T) {
	t.Parallel()
	three := map[string]int{"a": 9, "b": 9, "c": 9}
	for name, test := range map[string]struct {
		among       map[string]int
		terms       terms
		avoid, lost string
	}{
		"nobody":                                 {among: three},
		"one":                                    {among: three, terms: terms{avoid: "a"}, avoid: "a"},
		"one that is not there":                  {among: three, terms: terms{avoid: "x"}},
		"the one that lost it":                   {among: three, terms: terms{lost: "b", returned: true}, lost: "b"},
		"both":                                   {among: three, terms: terms{avoid: "a", lost: "b"}, avoid: "a", lost: "b"},
		"one that is both":                       {among: three, terms: terms{avoid: "a", lost: "a"}, avoid: "a"},
		"the first alone when there is no third": {among: map[string]int{"a": 9, "b": 9}, terms: terms{avoid: "a", lost: "b"}, avoid: "a"},
		"nobody when there is one":               {among: map[string]int{"a": 9}, terms: terms{avoid: "a", lost: "a"}},
		"nobody when the other may not have checks": {among: map[string]int{"a": 9, "b": 0}, terms: terms{avoid: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSessions()
			nodes := s.nodes(t, test.among)
			v := viewOf(&lane{terms: test.terms}, s, s.takers())
			if v.avoid != nodes[test.avoid] || v.lost != nodes[test.lost] {
				t.Errorf("it avoids %+v and %+v", v.avoid, v.lost)
			}
			if v.anywhere() != (test.avoid == "" && test.lost == "") {
				t.Errorf("anywhere: %t", v.anywhere())
			}
			for node, o := range nodes {
				if want := node == test.avoid || node == test.lost; v.spares(o) != want {
					t.Errorf("it spares %s: %t", node, !want)
				}
			}
		})
	}
}

// Candidates get checks until they have no room; those under their bound stand first.
func TestCandidatesLeaveWhenTheyHaveNoRoom(t *testing.T) {
	t.Parallel()
	s := newTestSessions()
	s.nodes(t, map[string]int{"a": 3, "b": 5, "c": 0, "d": 7})
	var r ready
	r.gather(second(0), s, 100)
	if len(r.list) != 3 || r.under != 3 || r.even {
		t.Fatalf("%d candidates, %d under their bound, even: %t", len(r.list), r.under, r.even)
	}
	for n := range 15 {
		if len(r.list) == 0 {
			t.Fatalf("nobody has room after %d checks of 15", n)
		}
		r.give(n % len(r.list))
		for i, k := range r.list {
			if k.room < 1 || (i < r.under) && k.out >= k.bound {
				t.Fatalf("after %d checks candidate %d of %d, %d under their bounds, is %+v", n+1, i, len(r.list), r.under, k)
			}
		}
	}
	if len(r.list) != 0 || r.under != 0 {
		t.Errorf("%d have room for more", len(r.list))
	}
}

func TestTheFirstCheckThatSomebodyMayHaveIsNext(t *testing.T) {
	t.Parallel()
	s := newTestSessions()
	// b is there and has no credit: checks that avoid a wait for it.
	nodes := s.nodes(t, map[string]int{"a": 10, "b": 10})
	nodes["b"].credit = 0
	q := newQueue()
	for i, e := range newEntries(Check{Site: 1, Avoid: "a"}, Check{Site: 2}, Check{Site: 3, Avoid: "a"}, Check{Site: 4, Avoid: "b"}) {
		q.push(e, time.Duration(i)*time.Second)
	}
	for _, turn := range []struct {
		clock time.Duration
		sites []int64
	}{
		{3 * time.Second, []int64{2, 4}},
		{6 * time.Second, []int64{1}}, // it has waited long enough
		{6 * time.Second, nil},
		{7 * time.Second, []int64{3}},
	} {
		p := placement{avoidFor: 5 * time.Second}
		p.ready.gather(second(0), s, q.count)
		p.look(&q, s)
		var got []int64
		for e, to := p.next(turn.clock); e != nil; e, to = p.next(turn.clock) {
			if to != nodes["a"] {
				t.Errorf("site %d goes to %s", e.check.Site, to.Node())
			}
			q.remove(e)
			got = append(got, int64(e.check.Site))
		}
		if len(got) != len(turn.sites) || len(got) > 0 && got[0] != turn.sites[0] {
			t.Errorf("after %s the sites %v go out, want %v", turn.clock, got, turn.sites)
		}
	}
}

func TestTheBacklogIsTheLongestWaitForNothingButCredit(t *testing.T) {
	t.Parallel()
	s := newTestSessions()
	s.nodes(t, map[string]int{"a": 0, "b": 10, "c": 10})
	p := placement{avoidFor: 5 * time.Second}
	q := newQueue()
	entries := newEntries(Check{Site: 1, Avoid: "b"}, Check{Site: 2}, Check{Site: 3, Avoid: "a"})
	for i, e := range entries {
		q.push(e, time.Duration(i)*time.Second)
	}
	backlog := func(clock, want time.Duration) {
		t.Helper()
		if got := p.backlog(&q, s, clock); got != want {
			t.Errorf("at %s the backlog is %s, want %s", clock, got, want)
		}
	}
	backlog(4*time.Second, 3*time.Second) // site 1 waits for another than b
	backlog(5*time.Second, 5*time.Second) // and does not any more
	q.remove(entries[0])
	backlog(5*time.Second, 4*time.Second)
	q.remove(entries[1])
	backlog(5*time.Second, 3*time.Second) // a takes no checks, so there is nobody to avoid
	q.remove(entries[2])
	backlog(5*time.Second, 0)
}
