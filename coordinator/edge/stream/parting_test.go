package stream_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

// stops asks checkers to leave, and waits until the checker has the message.
func (p peer) stops(h *house) {
	p.t.Helper()
	h.stream.Stop()
	if d := p.hear().GetDrain(); d.GetReason() == "" {
		p.t.Fatalf("no drain: %v", d)
	}
}

func TestWhoLeavesWhenAskedToEndsTheStreamItself(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.join(t, "fra-1", "1")
	h.tick()
	all := p.batches(sites)
	p.stops(h)
	p.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Leaving{Leaving: &coordinatorv1.Leaving{}}})
	for _, a := range all {
		if ack := p.checkIn(results(a)); int(ack.GetAccepted()) != len(a.GetAssignments()) {
			t.Errorf("checked in: %v", ack)
		}
	}
	if err := p.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("it ends with %v", err)
	}
}

func TestAStreamEndsWhenNothingIsOutAndInTimeAnyway(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		out   bool
		after time.Duration // of the drain, results come; 0: never
		takes time.Duration
	}{
		"nothing is out":                     {false, 0, time.Second},
		"what is out is never checked in":    {true, 0, 4 * time.Second},
		"what is out comes at once":          {true, time.Millisecond, time.Second},
		"what is out comes after two checks": {true, 2 * time.Second, 3 * time.Second},
		"what is out comes in the last time": {true, 3900 * time.Millisecond, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := openOn(t, rpc.NewMemory(), "coordinator")
				p := h.join(t, "fra-1", "1")
				var all []*coordinatorv1.Assignments
				if tt.out {
					h.tick()
					all = p.batches(sites)
				}
				p.stops(h)
				began := time.Now()
				if tt.after > 0 {
					time.Sleep(tt.after) // of the bubble's clock
					for _, a := range all {
						if ack := p.checkIn(results(a)); int(ack.GetAccepted()) != len(a.GetAssignments()) {
							t.Errorf("checked in: %v", ack)
						}
					}
				}
				err := p.ends()
				if took := time.Since(began); status.Code(err) != codes.Unavailable || took < tt.takes || took > tt.takes+100*time.Millisecond {
					t.Errorf("it ends after %s with %v, want UNAVAILABLE after %s", took, err, tt.takes)
				}
			})
		})
	}
}

func TestWhoStopsHandsNothingOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.join(t, "fra-1", "1") // with room for everything
	p.stops(h)
	h.tick()
	for {
		m, err := p.Recv()
		if status.Code(err) == codes.Unavailable {
			break
		}
		if err != nil || m.GetAssignments() != nil {
			t.Fatalf("then came %v, %v", m, err)
		}
	}
}
