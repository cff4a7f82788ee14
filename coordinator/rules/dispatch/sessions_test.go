package dispatch

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func newTestSessions() *sessions {
	s := newSessions(&Config{SessionTimeout: 15 * time.Second, YieldAfter: 10 * time.Second, SlowStart: 10 * time.Second})
	return &s
}

// second is a moment so many seconds after the first.
func second(n float64) time.Time {
	return time.Unix(1_800_000_000, 0).Add(time.Duration(n * float64(time.Second)))
}

func (s *sessions) join(t *testing.T, now float64, h Hello) *Session {
	t.Helper()
	old, err := s.claim(second(now), &h)
	if err != nil {
		t.Fatal(err)
	}
	if old != nil {
		s.remove(old)
	}
	joined := s.add(second(now), &h, old)
	if err := s.audit(); err != nil {
		t.Fatal(err)
	}
	return joined
}

func TestANameIsClaimed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at       float64
		instance string
		drained  bool
		left     time.Duration
	}{
		"by another process while the holder is heard":  {at: 9, instance: "2", left: time.Second},
		"by another process when the holder was silent": {at: 10, instance: "2"},
		"by another process when the holder leaves":     {at: 1, instance: "2", drained: true},
		"by the same process":                           {at: 1, instance: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSessions()
			holder := s.join(t, 0, Hello{Node: "a", Instance: "1", MaxInFlight: 1})
			if test.drained {
				s.drain(holder)
			}
			old, err := s.claim(second(test.at), &Hello{Node: "a", Instance: test.instance})
			if test.left == 0 {
				if err != nil || old != holder || holder.rival != (Rival{}) {
					t.Errorf("the claim ends session %v, %v; the rival is %+v", old, err, holder.rival)
				}
				return
			}
			taken, ok := errors.AsType[*NameTaken](err)
			if !ok || old != nil || *taken != (NameTaken{Holder: holder.id, Left: test.left}) {
				t.Errorf("the claim ends session %v, %+v", old, err)
			}
			if r := holder.rival; r.Hello.Instance != test.instance || !r.Since.Equal(second(test.at)) {
				t.Errorf("the rival is %+v", r)
			}
		})
	}
}

func TestANewSessionOfTheSameProcessKeepsItsRival(t *testing.T) {
	t.Parallel()
	s := newTestSessions()
	s.join(t, 0, Hello{Node: "a", Instance: "1"})
	if _, err := s.claim(second(1), &Hello{Node: "a", Instance: "2"}); err == nil {
		t.Error("the name is given away")
	}
	if again := s.join(t, 2, Hello{Node: "a", Instance: "1"}); again.rival.Hello.Instance != "2" {
		t.Errorf("the rival is %+v", again.rival)
	}
	if other := s.join(t, 20, Hello{Node: "a", Instance: "2"}); other.rival != (Rival{}) {
		t.Errorf("the rival of the rival is %+v", other.rival)
	}
}

func TestASessionGrows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		max, allowance int
		after          float64
		slowStart      time.Duration
	}{
		"from a tenth":                  {max: 10_000, allowance: 1000},
		"from a hundred at the least":   {max: 500, allowance: 100},
		"from all when that is less":    {max: 50, allowance: 50},
		"evenly":                        {max: 10_000, after: 5, allowance: 5500},
		"to all of it":                  {max: 10_000, after: 10, allowance: 10_000},
		"not back when the clock does":  {max: 10_000, after: -5, allowance: 1000},
		"at once without a slow start":  {max: 10_000, slowStart: -1, allowance: 10_000},
		"to nothing when it has no max": {max: -1, allowance: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSessions()
			if test.slowStart != 0 {
				s.slowStart = test.slowStart
			}
			s.join(t, 0, Hello{Node: "other", MaxInFlight: 1})
			a := s.join(t, 0, Hello{Node: "a", MaxInFlight: test.max})
			if got := s.allowance(second(test.after), a); got != test.allowance {
				t.Errorf("it may have %d, want %d", got, test.allowance)
			}
		})
	}
}

func TestASessionAloneMayHaveAll(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*sessions, *Session){
		"since no other has come": func(s *sessions, other *Session) { s.remove(other) },
		"since the other leaves":  (*sessions).drain,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSessions()
			other := s.join(t, 0, Hello{Node: "other", MaxInFlight: 1000})
			a := s.join(t, 0, Hello{Node: "a", MaxInFlight: 1000})
			if other.grown == a.grown {
				t.Errorf("grown are the first: %t, the second: %t", other.grown, a.grown)
			}
			leave(s, other)
			if got := s.allowance(second(0), a); got != 1000 || s.takers() != 1 || s.taker("a") != a || s.taker("other") != nil {
				t.Errorf("it may have %d", got)
			}
		})
	}
}

func TestSilentSessionsAreFound(t *testing.T) {
	t.Parallel()
	s := newTestSessions()
	a, b := s.join(t, 0, Hello{Node: "a"}), s.join(t, 5, Hello{Node: "b"})
	c := s.join(t, 0, Hello{Node: "c"})
	c.lastSeen = second(6)
	for now, want := range map[float64][]*Session{14: nil, 15: {a}, 20: {a, b}, 30: {a, b, c}} {
		if got := s.silent(second(now)); !slices.Equal(got, want) {
			t.Errorf("after %v s %d sessions are silent, want %d", now, len(got), len(want))
		}
	}
	s.remove(a)
	if s.find(a.id) != nil || s.find(b.id) != b || s.find(99) != nil {
		t.Error("the wrong session is gone")
	}
}

func TestCreditIsBounded(t *testing.T) {
	t.Parallel()
	s := &Session{hello: Hello{MaxInFlight: 10}, out: 4}
	for _, step := range []struct{ n, over, credit int }{{5, 0, 5}, {3, 2, 6}, {0, 0, 6}, {1, 1, 6}} {
		if over := s.grant(step.n); over != step.over || s.credit != step.credit {
			t.Errorf("a grant of %d is %d too much and leaves %d; want %d and %d", step.n, over, s.credit, step.over, step.credit)
		}
	}
}

func TestBatchesAreCompared(t *testing.T) {
	t.Parallel()
	s := &Session{batches: map[BatchID]*batch{}}
	batches := map[BatchID]*batch{}
	for id := range BatchID(5) {
		batches[id+1] = &batch{ref: Ref{Batch: id + 1, Checkout: 7}, left: 2}
		s.hold(batches[id+1], 2)
	}
	s.drop(batches[3])
	if s.out != 8 {
		t.Errorf("%d checks are out, want 8", s.out)
	}
	wrong, gone := Ref{Batch: 2, Checkout: 8}, Ref{Batch: 3, Checkout: 7}
	unknown, unnamed := s.compare([]Ref{batches[4].ref, wrong, gone, batches[4].ref})
	if !slices.Equal(unknown, []Ref{wrong, gone}) || !slices.Equal(unnamed, []*batch{batches[1], batches[2], batches[5]}) {
		t.Errorf("unknown are %v; %d are not named", unknown, len(unnamed))
	}
	if unknown, unnamed = s.compare([]Ref{batches[1].ref, batches[2].ref, batches[4].ref, batches[5].ref}); unknown != nil || unnamed != nil {
		t.Errorf("of all that there is, unknown are %v; %d are not named", unknown, len(unnamed))
	}
}
