package event_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/test/seeds"
)

func someToken(r *rand.Rand) event.Token {
	t := event.Token{Database: r.Uint32(), Positions: event.FromOldest()}
	for s := range t.Positions {
		if bits := r.IntN(63); bits > 0 {
			t.Positions[s] = r.Int64N(1 << (bits - 1))
		}
	}
	return t
}

func TestATokenIsReadBackAndAChangedOneIsRefused(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3}, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		for range 200 {
			want := someToken(r)
			text := want.String()
			if got, err := event.ParseToken(text); err != nil || got != want {
				t.Fatalf("%q is %v (%v), want %v", text, got, err, want)
			}
			b := []byte(text)
			at := r.IntN(len(b))
			b[at] = "ABCDEFabcdef0123-_"[r.IntN(18)]
			if string(b) == text {
				continue
			}
			if got, err := event.ParseToken(string(b)); err == nil {
				t.Fatalf("%q with another character %d is %v", text, at, got)
			}
		}
	})
}

func TestTheLongestTokenFits(t *testing.T) {
	t.Parallel()
	longest := event.Token{Database: math.MaxUint32}
	for s := range longest.Positions {
		longest.Positions[s] = 1<<62 - 1
	}
	text := longest.String()
	if got, err := event.ParseToken(text); err != nil || got != longest || len(text) > event.MaxToken {
		t.Errorf("%d characters: %v", len(text), err)
	}
	usual := event.Token{Database: math.MaxUint32}
	for s := range usual.Positions {
		usual.Positions[s] = 250_000_000
	}
	if n := len(usual.String()); n >= 200 {
		t.Errorf("a usual token has %d characters", n)
	}
}

func TestWhatIsNoToken(t *testing.T) {
	t.Parallel()
	good := event.Token{Database: 7, Positions: event.FromOldest()}.String()
	for _, text := range []string{
		"", "x", good + "=", good + "A", good[1:], good[:len(good)-1], " " + good, good + "\n",
		strings.Repeat("A", event.MaxToken), strings.Repeat("A", event.MaxToken+1), "bm90IGEgdG9rZW4",
	} {
		if got, err := event.ParseToken(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(event.Token{Database: 7, Positions: event.FromOldest()}.String())
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := event.ParseToken(text); err == nil && got.String() != text {
			t.Errorf("%q is read as %q", text, got)
		}
	})
}

func TestPositionsAreReachedAndJoinedShardByShard(t *testing.T) {
	t.Parallel()
	old := event.FromOldest()
	a, b := old, old
	a[3], b[31] = 5, 0
	switch ab := a.Join(b); {
	case a.Reached(b), b.Reached(a), !ab.Reached(a), !ab.Reached(b), !a.Reached(old), old.Reached(b):
		t.Error("a is at 5 of shard 3, b at 0 of shard 31")
	case ab[3] != 5 || ab[31] != 0 || ab[0] != event.Oldest:
		t.Errorf("joined they are %v", ab)
	}
}
