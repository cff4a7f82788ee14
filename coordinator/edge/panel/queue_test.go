package panel

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

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

// When a mass outage ends, all ballots are abandoned at once, the last ones first.
func TestAbandoningTakesConstantTime(t *testing.T) {
	t.Parallel()
	const sites = 200_000
	q := newQueue()
	for i := range sites {
		q.add(&job{question: engine.Question{Site: check.SiteID(i), Ballot: 1}})
	}
	began := time.Now()
	for i := range sites {
		q.abandon(ballotID{check.SiteID(sites - 1 - i), 1})
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if q.next() != nil {
		t.Error("something waits")
	}
}
