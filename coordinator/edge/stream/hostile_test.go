package stream_test

import (
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// The stories of a checker that is one by its name, and hostile. It knows more than it can
// know: the batches of the other checker, with their random ids.

// beat has a checker send a heartbeat, and returns the answer.
func (p peer) beat(open ...*coordinatorv1.BatchRef) *coordinatorv1.HeartbeatAck {
	p.t.Helper()
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{Heartbeat: &coordinatorv1.Heartbeat{OpenBatches: open}}})
	for {
		switch m := p.hear().GetMessage().(type) {
		case *coordinatorv1.StreamAssignmentsResponse_HeartbeatAck:
			return m.HeartbeatAck
		case *coordinatorv1.StreamAssignmentsResponse_Assignments:
			p.t.Errorf("it is shown %v", m.Assignments)
		default:
			p.t.Fatalf("%v came", m)
		}
	}
}

func TestAHostileCheckerHasNoPartInTheBatchesOfAnother(t *testing.T) {
	t.Parallel()
	h := open(t)
	victim := h.join(t, "fra-1", "1")
	h.tick()
	batches := victim.batches(sites)
	var refs []*coordinatorv1.BatchRef
	for _, a := range batches {
		refs = append(refs, a.GetBatch())
	}
	// It claims them in its Hello, as if they were of its own earlier session.
	hostile := h.dial(t)
	begin := hello("evil", "1")
	begin.Resume = refs
	hostile.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: begin}})
	if hostile.hear().GetWelcome() == nil {
		t.Fatal("it is not welcome under its own name")
	}
	if got := hostile.beat(refs...); len(got.GetUnknownBatches()) != len(refs) {
		t.Errorf("of %d batches of another %d are unknown to it", len(refs), len(got.GetUnknownBatches()))
	}
	// It answers for them: all sites down.
	for _, a := range batches {
		lie := results(a)
		for _, r := range lie.GetResults() {
			r.Observation = &checkv1.Observation{Outcome: checkv1.Outcome_OUTCOME_DOWN, Failure: checkv1.FailureKind_FAILURE_KIND_SERVER}
		}
		if ack := hostile.checkIn(lie); ack.GetAccepted()+ack.GetDuplicate()+ack.GetLate() != 0 || reasonOf(t, ack) != "BATCH_NOT_CHECKED_OUT" {
			t.Errorf("its lie is answered with %v", ack)
		}
	}
	// It gives them back, and grants itself all the credit there is: nothing goes out again.
	for _, ref := range refs {
		hostile.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Release{Release: &coordinatorv1.Release{Batch: ref}}})
	}
	for range 3 {
		hostile.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: math.MaxUint32}}})
	}
	hostile.beat() // it has been heard
	if c := h.engine.Counters(); c.Checks != 0 || c.Failures != 0 {
		t.Errorf("its results counted: %+v", c)
	}
	for _, a := range batches {
		if ack := victim.checkIn(results(a)); int(ack.GetAccepted()) != len(a.GetAssignments()) {
			t.Errorf("the other's results are answered with %v", ack)
		}
	}
}

func TestAHostileCheckerDoesNotEndTheSessionOfAnother(t *testing.T) {
	t.Parallel()
	h := open(t)
	victim := h.join(t, "fra-1", "1")
	for name, instance := range map[string]string{"another process": "2", "an instance of many bytes": string(make([]byte, 128))} {
		impostor := h.dial(t)
		impostor.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello("fra-1", instance)}})
		if err := impostor.ends(); status.Code(err) != codes.AlreadyExists {
			t.Errorf("%s: it ends with %v", name, err)
		}
	}
	// A session of its own, in which it does everything that ends a session.
	for name, m := range map[string]*coordinatorv1.StreamAssignmentsRequest{
		"a Hello under the other's name": {Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello("fra-1", "1")}},
		"a Hello under its own":          {Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: hello("evil", "1")}},
	} {
		hostile := h.join(t, "evil", "1")
		hostile.say(m)
		if err := hostile.ends(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: it ends with %v", name, err)
		}
	}
	hostile := h.join(t, "evil", "1")
	hostile.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}}})
	if err := hostile.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if err := hostile.ends(); status.Code(err) == codes.DeadlineExceeded {
		t.Errorf("it ends with %v", err)
	}
	h.tick()
	n := 0
	for _, a := range victim.batches(sites) {
		n += int(victim.checkIn(results(a)).GetAccepted())
	}
	if n != sites {
		t.Errorf("the other had %d of %d results accepted", n, sites)
	}
}

func TestAHostileCheckerIsShownOnlyWhatItHasCreditFor(t *testing.T) {
	t.Parallel()
	h := open(t)
	hostile := h.dial(t)
	begin := hello("evil", "1")
	begin.MaxInFlight = 2
	hostile.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Hello{Hello: begin}})
	if hostile.hear().GetWelcome() == nil {
		t.Fatal("it is not welcome")
	}
	for range 100 {
		hostile.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Credit{Credit: &coordinatorv1.Credit{Add: math.MaxUint32}}})
	}
	hostile.beat()
	h.tick()
	a := hostile.batches(2)
	hostile.beat() // shows it no more
	// Results that it has not, in numbers that it cannot have.
	flood := results(a[0])
	for id := range int64(900) {
		flood.Results = append(flood.Results, &coordinatorv1.Result{SiteId: math.MaxInt64 - id, Sequence: math.MaxUint64, AgeMillis: math.MaxUint32, Observation: &checkv1.Observation{}})
	}
	if ack := hostile.checkIn(flood); ack.GetAccepted() != 0 || ack.GetError() == nil {
		t.Errorf("the flood is answered with %v", ack)
	}
	if v, _ := h.engine.View(time.Now(), 1); v.LastNode != "" {
		t.Errorf("a result of %s counted", v.LastNode)
	}
}
