package changelog

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

var start = time.Unix(1_700_000_000, 0)

func TestARowIsFreshUnlessItsSiteWasEditedAfterItWasRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edited time.Duration // after the reading began
		want   bool
	}{
		"edited before":    {-time.Second, true},
		"edited just then": {0, true},
		"edited after":     {1, false},
	} {
		l := New()
		r := l.Read(start, 7)
		l.Edited(start.Add(tt.edited), 42)
		if takes, fresh := r.Fresh(42, 7); !takes || fresh != tt.want {
			t.Errorf("%s: it takes the row: %t, which is fresh: %t", name, takes, fresh)
		}
		if takes, fresh := r.Fresh(43, 7); !takes || !fresh {
			t.Errorf("%s: another site is not fresh", name)
		}
	}
}

func TestAReadingTakesItsBucketsUntilTheirShardIsGivenUp(t *testing.T) {
	t.Parallel()
	l := New()
	r := l.Read(start, 3, 40)
	takes := func(bucket check.BucketID) bool {
		takes, _ := r.Fresh(1, bucket)
		return takes
	}
	for bucket, want := range map[check.BucketID]bool{3: true, 40: true, 4: false, 511: false, 512: false, 65535: false} {
		if takes(bucket) != want {
			t.Errorf("bucket %d is taken: %t", bucket, !want)
		}
	}
	l.Dropped(shard.Of(3))
	if takes(3) || !takes(40) {
		t.Error("giving one shard up voids the other, or nothing")
	}
	if takes, _ := l.Read(start, 3).Fresh(1, 3); !takes {
		t.Error("a reading that began later is void, too")
	}
}

func TestOldEditsAreDropped(t *testing.T) {
	t.Parallel()
	l, now := New(), start
	for i := range 100 {
		now = now.Add(30 * time.Second)
		l.Edited(now, check.SiteID(i+1))
		l.Read(now, 7).Done()
	}
	if n := len(l.recent); n < 10 || n > 13 {
		t.Errorf("%d edits are remembered", n)
	}
}

// Every edit of a span is counted, wherever its blocks begin and end.
func TestEditsOfASpanAreCounted(t *testing.T) {
	seeds.Run(t, []uint64{1, 2}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		for range 2000 {
			l := New()
			first := check.SiteID(rng.Int64N(1 << (1 + rng.IntN(50))))
			span := record.Span{First: first, Last: first + check.SiteID(rng.Int64N(1<<(1+rng.IntN(40))))}
			inside := span.First + check.SiteID(rng.Int64N(int64(span.Last-span.First)+1))
			l.Edited(start, inside)
			if n := l.Edits(span); n != 1 {
				t.Fatalf("an edit of %d in %+v is counted %d times", inside, span, n)
			}
			if far := span.Last + 1<<blockBits; span.Last-span.First < 1<<20 {
				before := l.Edits(span)
				l.Moved(far)
				if l.Edits(span) != before {
					t.Fatalf("a move of %d is counted in %+v", far, span)
				}
			}
		}
	})
}
