package checker

import (
	"errors"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

func TestAFloodOfBatchesEndsTheSession(t *testing.T) {
	t.Parallel()
	a := newInFlight(10).newQuota()
	now := time.Unix(0, 0)
	var err error
	for i := range 1000 {
		m := &coordinatorv1.Assignments{
			Batch:       &coordinatorv1.BatchRef{BatchId: uint64(i)},
			Assignments: []*coordinatorv1.Assignment{{Target: &checkv1.Target{Url: "https://a.example/"}}},
		}
		if err = a.assign(m, time.Minute, now); err != nil {
			break
		}
	}
	if !errors.Is(err, errFlood) || len(a.batches) > 21 || len(a.fresh) > 21 {
		t.Errorf("%v with %d batches kept, want the end at twice the limit", err, len(a.batches))
	}
	messages, released := a.outgoing(now, 100)
	if released != 21 || len(messages) < 21 || len(a.batches) != 0 {
		t.Errorf("%d released, %d batches kept", released, len(a.batches))
	}
}

func TestReleasesAreRepeatedAfterABrokenStream(t *testing.T) {
	t.Parallel()
	l := newInFlight(10)
	a, now := l.newQuota(), time.Unix(0, 0)
	a.resume(now)
	a.connect()
	a.outgoing(now, 100) // credit
	batch := &coordinatorv1.BatchRef{BatchId: 1, CheckoutId: 2}
	if err := a.assign(&coordinatorv1.Assignments{Batch: batch, Assignments: []*coordinatorv1.Assignment{{SiteId: 1}, {SiteId: 2}}}, time.Minute, now); err != nil {
		t.Fatal(err)
	}
	l.hire()
	j, ok := l.next(now)
	if !ok {
		t.Fatal("nothing waits")
	}
	a.leave(now) // because the coordinator drains
	l.finish(j, &coordinatorv1.Result{SiteId: 1}, true, now)
	for round := range 3 {
		messages, released := a.outgoing(now, 100)
		if len(messages) < 2 || messages[0].GetResults() == nil || messages[1].GetRelease() == nil || released != 1 {
			t.Errorf("stream %d: said %v, want the result and the rest back", round, messages)
		}
		a.disconnect()
		if refs := a.resume(now); len(refs) != 1 {
			t.Errorf("stream %d: resumes %v", round, refs)
		}
		a.connect()
	}
	a.outgoing(now, 100)
	if n := a.ack(refOf(batch), false); n != 1 || len(a.batches) != 0 {
		t.Errorf("%d results acknowledged, %d batches kept", n, len(a.batches))
	}
}

func TestBackOffIsFullJitter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		failures int
		luck     float64
		want     time.Duration
	}{
		{"the first try is soon", 1, 0.5, 100 * time.Millisecond},
		{"never at once", 6, 0, 10 * time.Millisecond},
		{"the bound doubles", 4, 0.5, 800 * time.Millisecond},
		{"up to ten seconds", 7, 0.5, 5 * time.Second},
		{"for ever", 1_000_000, 0.5, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := nextTry(errSilent, tt.failures, tt.luck); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
