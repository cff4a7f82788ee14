//go:build linux

package main

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// TestABatchIsAnswered shows that the instant checkers encode valid results by hand.
func TestABatchIsAnswered(t *testing.T) {
	t.Parallel()
	site := 0
	b := &bareMessages{sites: 1000}
	message := b.batch(42, &site)
	wire, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	f, _, value, rest, err := field(wire)
	if err != nil || f != responseAssignments || len(rest) > 0 {
		t.Fatalf("field %d, %v", f, err)
	}
	for headers := range len(headerFields) + 1 {
		request, n, err := newAnswers(headers).answer(value)
		if err != nil || n != batchSize {
			t.Fatalf("%d answers, %v", n, err)
		}
		var got coordinatorv1.StreamAssignmentsRequest
		if err := proto.Unmarshal(request, &got); err != nil {
			t.Fatal(err)
		}
		r := got.GetResults()
		if !proto.Equal(r.GetBatch(), message.GetAssignments().GetBatch()) || len(r.GetResults()) != batchSize {
			t.Fatalf("it is of batch %v with %d results", r.GetBatch(), len(r.GetResults()))
		}
		for i, one := range r.GetResults() {
			a, o := message.GetAssignments().GetAssignments()[i], one.GetObservation()
			if one.GetSiteId() != a.GetSiteId() || one.GetSequence() != a.GetSequence() || o.GetOutcome() != checkv1.Outcome_OUTCOME_UP ||
				o.GetHttpStatus() != 200 || o.GetTimings().GetTotalMicros() == 0 || o.GetResolvedAddress() == "" || len(o.GetHeaders()) != headers {
				t.Fatalf("for %v it is %v", a, one)
			}
		}
	}
}

func TestNonsenseIsNotAnswered(t *testing.T) {
	t.Parallel()
	for _, wire := range [][]byte{{0x80}, {2<<3 | 2, 9, 1}, {5<<3 | 2, 1, 0x80}} {
		if _, n, err := newAnswers(0).answer(wire); err == nil {
			t.Errorf("%x: %d answers", wire, n)
		}
	}
}

func TestMediansAndRatios(t *testing.T) {
	t.Parallel()
	runs := func(costs ...time.Duration) (all []figures) {
		for _, c := range costs {
			all = append(all, figures{coordinator: side{Checks: 10, CPU: 10 * c}})
		}
		return all
	}
	if got := middle(runs(9, 1, 5)).cost(); got != 5 {
		t.Errorf("the median is %d", got)
	}
	// Turn by turn: 2, 4 and 1.
	if got := ratio(runs(20, 40, 5), runs(10, 10, 5)); got != 2 {
		t.Errorf("the ratio is %v", got)
	}
	if got := ratio(nil, runs(1)); got != 0 {
		t.Errorf("to nothing the ratio is %v", got)
	}
}
