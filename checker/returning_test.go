package checker

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// holding makes a quota of limits with 8 places. It has one batch of four checks, of which
// the first runs.
func holding(t *testing.T, now time.Time) (*inFlight, *quota, *coordinatorv1.BatchRef, job) {
	t.Helper()
	l := newInFlight(8)
	a := l.newQuota()
	a.connect()
	if m, _ := a.outgoing(now, 10); len(m) != 1 || m[0].GetCredit().GetAdd() != 8 {
		t.Fatalf("first %v", m)
	}
	ref := &coordinatorv1.BatchRef{BatchId: 1, CheckoutId: 1}
	batch := &coordinatorv1.Assignments{Batch: ref}
	for i := range 4 {
		batch.Assignments = append(batch.Assignments, &coordinatorv1.Assignment{SiteId: int64(i + 1)})
	}
	if err := a.assign(batch, time.Minute, now); err != nil {
		t.Fatal(err)
	}
	l.hire()
	j, ok := l.next(now)
	if !ok {
		t.Fatal("no check to run")
	}
	return l, a, ref, j
}

// TestAReleasedCheckMakesRoomOnceItsReleaseIsSent shows that a check to be released makes room
// only when the release is sent: before that, the coordinator assigns no other for it.
func TestAReleasedCheckMakesRoomOnceItsReleaseIsSent(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l, a, _, j := holding(t, now)
	l.mu.Lock()
	a.returnPending(j.batch, now)
	l.mu.Unlock()
	if m, _ := a.outgoing(now, 10); len(m) != 0 {
		t.Fatalf("said while one of the batch still runs: %v", m)
	}
	l.finish(j, &coordinatorv1.Result{SiteId: 1}, true, now)
	m, _ := a.outgoing(now, 10)
	if len(m) != 3 || m[0].GetResults() == nil || m[1].GetRelease() == nil || m[2].GetCredit().GetAdd() != 4 {
		t.Errorf("said %v; want results, a release and credit for 4", m)
	}
}

func TestARevokedBatchMakesRoomAtOnceAndItsRunningChecksMayStillCount(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l, a, ref, j := holding(t, now)
	a.revoke([]*coordinatorv1.BatchRef{ref}, now)
	if due, _ := a.due(now); !due {
		t.Error("the release waits")
	}
	m, released := a.outgoing(now, 10)
	if len(m) != 2 || released != 1 || m[0].GetRelease() == nil || m[1].GetCredit().GetAdd() != 3 {
		t.Fatalf("said %v; want a release and credit for the 3 that had not begun", m)
	}
	if refs, running, _ := a.open(now); len(refs) != 0 || running != 1 {
		t.Errorf("the heartbeat names %v with %d running, want no batch and 1", refs, running)
	}
	// The stream breaks: the batch is not resumed, but its result is still sent.
	a.disconnect()
	if refs := a.resume(now); len(refs) != 0 {
		t.Errorf("resumes %v", refs)
	}
	a.connect()
	a.outgoing(now, 10) // credit
	l.finish(j, &coordinatorv1.Result{SiteId: 1}, true, now)
	if m, _ = a.outgoing(now, 10); len(m) != 2 || len(m[0].GetResults().GetResults()) != 1 || m[1].GetCredit().GetAdd() != 1 {
		t.Errorf("said %v; want the result and credit for 1", m)
	}
	if n := a.ack(refOf(ref), true); n != 1 || len(a.batches) != 0 || a.out() != a.credit {
		t.Errorf("%d results acknowledged, %d batches kept, %d out with %d credit", n, len(a.batches), a.out(), a.credit)
	}
}

func TestOnlyUnfinishedBatchesAreResumed(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	tests := []struct {
		name  string
		spoil func(*inFlight, *quota, *coordinatorv1.BatchRef, job)
		want  int
	}{
		{"a check that runs and three that wait", func(*inFlight, *quota, *coordinatorv1.BatchRef, job) {}, 1},
		{"a result that was sent and not acknowledged", func(l *inFlight, a *quota, r *coordinatorv1.BatchRef, j job) {
			l.finish(j, &coordinatorv1.Result{SiteId: 1}, true, now)
			a.outgoing(now, 10)
		}, 1},
		{"a batch in other hands", func(_ *inFlight, a *quota, r *coordinatorv1.BatchRef, _ job) {
			a.forget([]*coordinatorv1.BatchRef{r})
		}, 0},
		{"a batch that was revoked", func(_ *inFlight, a *quota, r *coordinatorv1.BatchRef, _ job) {
			a.revoke([]*coordinatorv1.BatchRef{r}, now)
		}, 0},
		{"a batch that was to be given back when the stream broke", func(l *inFlight, a *quota, _ *coordinatorv1.BatchRef, j job) {
			a.leave(now)
			l.giveUp(j, now)
		}, 0},
		{"a batch over the credit that was to be given back when the stream broke", func(_ *inFlight, a *quota, r *coordinatorv1.BatchRef, _ job) {
			a.forget([]*coordinatorv1.BatchRef{r})
			big := &coordinatorv1.Assignments{Batch: &coordinatorv1.BatchRef{BatchId: 2, CheckoutId: 2}, Assignments: make([]*coordinatorv1.Assignment, 9)}
			if err := a.assign(big, time.Minute, now); err != nil {
				t.Error(err)
			}
		}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, a, ref, j := holding(t, now)
			tt.spoil(l, a, ref, j)
			a.disconnect()
			if refs := a.resume(now); len(refs) != tt.want {
				t.Errorf("resumes %v, want %d batches", refs, tt.want)
			}
			a.connect()
			if m, _ := a.outgoing(now, 10); tt.want == 0 && (len(m) != 1 || m[0].GetCredit() == nil) {
				t.Errorf("then said %v, want credit only", m)
			}
		})
	}
}

func TestNothingIsKeptOfACoordinatorThatIsNoLongerServed(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l, a, _, j := holding(t, now)
	other := l.newQuota()
	other.connect()
	a.disconnect()
	a.close()
	if len(l.quotas) != 1 || len(a.batches) != 1 || a.pending != 0 {
		t.Errorf("%d quotas, %d batches, %d checks wait; want one quota, and the batch only while it runs", len(l.quotas), len(a.batches), a.pending)
	}
	if got := l.hire(); got != 0 {
		t.Errorf("%d workers are hired for checks that nobody wants", got)
	}
	l.finish(j, &coordinatorv1.Result{SiteId: 1}, true, now)
	if _, ok := l.next(now); ok || len(a.batches) != 0 || a.out() != 0 {
		t.Errorf("when it has ended: %d batches, %d out, another check: %v", len(a.batches), a.out(), ok)
	}
	if m, _ := other.outgoing(now, 10); len(m) != 1 || m[0].GetCredit().GetAdd() != 8 {
		t.Errorf("the other coordinator is told %v, want credit for all 8", m)
	}
}
