package checker

import (
	"testing"
	"time"

	coordinatorv1 "github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// What goes back undone makes room only when the coordinator has been told: it gives
// nothing back before.
func TestACheckThatGoesBackMakesRoomWhenThatIsSaid(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	l := newLedger(8)
	a := l.account()
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
	j, ok := l.next(now)
	if !ok {
		t.Fatal("no check to run")
	}
	a.revoke([]*coordinatorv1.BatchRef{ref}, now)
	if m, _ := a.outgoing(now, 10); len(m) != 0 {
		t.Fatalf("said while one of the batch still runs: %v", m)
	}
	l.finish(j, &coordinatorv1.Result{SiteId: 1}, true, now)
	m, _ := a.outgoing(now, 10)
	if len(m) != 3 || m[0].GetResults() == nil || m[1].GetRelease() == nil || m[2].GetCredit().GetAdd() != 4 {
		t.Errorf("said %v; want results, a release and credit for 4", m)
	}
}
