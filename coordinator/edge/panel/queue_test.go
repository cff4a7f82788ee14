package panel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestQuestionsWaitInTheirOrderAndCanBeAbandonedAnywhere(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		q := newQueue()
		var want []*job
		for step := range 100_000 {
			switch random.IntN(5) {
			case 0, 1:
				j := &job{question: engine.Question{Site: check.SiteID(step), Ballot: 1}, look: random.IntN(3) == 0}
				q.add(j)
				want = append(want, j)
			case 2:
				if len(want) > 0 {
					i := random.IntN(len(want))
					q.abandon(want[i].id()) // a look has no ballot
					if !want[i].look {
						want = slices.Delete(want, i, i+1)
					}
				}
			default:
				got := q.next()
				if len(want) == 0 {
					if got != nil {
						t.Fatalf("step %d: something waits", step)
					}
					continue
				}
				if got != want[0] || !q.begin(got, func() {}) {
					t.Fatalf("step %d: not the oldest", step)
				}
				q.end(got)
				want = want[1:]
			}
		}
		for j := q.next(); j != nil; j = q.next() {
			q.end(j)
		}
		if len(q.ballots) != 0 || !q.waiting.Empty() {
			t.Errorf("%d ballots are left", len(q.ballots))
		}
	})
}

func TestABallotThatIsAbandonedBeforeItsTurnIsNotHeld(t *testing.T) {
	t.Parallel()
	q := newQueue()
	j := &job{question: engine.Question{Site: 1, Ballot: 1}}
	q.add(j)
	if q.next() != j {
		t.Fatal("it does not wait")
	}
	q.abandon(j.id())
	if q.begin(j, func() {}) {
		t.Error("it begins")
	}
}

// BenchmarkAbandon abandons all ballots, the last ones first, as when a mass outage ends. The
// time of one must not grow with the number that wait.
func BenchmarkAbandon(b *testing.B) {
	for _, sites := range []int{1000, 200_000} {
		b.Run(fmt.Sprintf("waiting=%d", sites), func(b *testing.B) {
			q := newQueue()
			for left := -1; b.Loop(); left-- {
				if left < 0 {
					b.StopTimer()
					for left = range sites {
						q.add(&job{question: engine.Question{Site: check.SiteID(left), Ballot: 1}})
					}
					b.StartTimer()
				}
				q.abandon(ballotID{check.SiteID(left), 1})
			}
		})
	}
}

func TestAbandonedBallotsDoNotWait(t *testing.T) {
	t.Parallel()
	const sites = 1000
	q := newQueue()
	for i := range sites {
		q.add(&job{question: engine.Question{Site: check.SiteID(i), Ballot: 1}})
	}
	for i := range sites {
		q.abandon(ballotID{check.SiteID(sites - 1 - i), 1})
	}
	if q.next() != nil {
		t.Error("something waits")
	}
}
