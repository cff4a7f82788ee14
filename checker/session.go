package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/cadence"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

const (
	defaultMaxResults = 500
	maxMaxResults     = 5000

	// lastWordWithin limits the sending of one message during a departure.
	lastWordWithin = time.Second

	// finishWithin is how long a departure waits for running checks, ackWithin for the
	// acknowledgements after that, closeWithin for the coordinator to close its side.
	finishWithin = 8 * time.Second
	ackWithin    = 500 * time.Millisecond
	closeWithin  = time.Second
)

// session is one open stream: its sender (send) and its receiver (receive).
type session struct {
	checker *Checker
	quota   *quota
	stream  coordinatorv1.AssignmentService_StreamAssignmentsClient
	log     *slog.Logger

	heartbeat, lease time.Duration
	maxResults       int

	// stuck ends the stream when a message cannot be sent within patience.
	stuck    *time.Timer
	patience time.Duration

	// changed is closed when our own health differs from the last heartbeat.
	changed <-chan struct{}

	began time.Time
	heard atomic.Int64  // time of the coordinator's last message, since began
	drain chan struct{} // closed when the coordinator asks us to leave
}

// newSession makes a session from the welcome. cancel ends the stream.
func newSession(l *link, stream coordinatorv1.AssignmentService_StreamAssignmentsClient, w *coordinatorv1.Welcome, cancel func()) *session {
	stuck := time.AfterFunc(time.Hour, cancel)
	stuck.Stop()
	return &session{
		checker: l.checker, quota: l.quota, stream: stream, log: l.log,
		heartbeat:  clampMillis(w.GetHeartbeatMillis(), cadence.Heartbeat, 50*time.Millisecond, time.Minute),
		lease:      clampMillis(w.GetLeaseMillis(), cadence.Lease, time.Second, time.Hour),
		maxResults: clampCount(w.GetMaxResults()),
		stuck:      stuck,
		patience:   cadence.SendWithin,
		began:      time.Now(),
		drain:      make(chan struct{}),
	}
}

// clampMillis limits a duration from the wire; 0 means the default.
func clampMillis(millis uint32, byDefault, lowest, highest time.Duration) time.Duration {
	if millis == 0 {
		return byDefault
	}
	return min(max(time.Duration(millis)*time.Millisecond, lowest), highest)
}

func clampCount(n uint32) int {
	if n == 0 {
		return defaultMaxResults
	}
	return int(min(n, maxMaxResults))
}

// send sends all messages, until the stream ends or the departure is complete. ended
// reports that it has received the receiver's result from the channel.
func (s *session) send(ctx context.Context, received <-chan error) (ended bool, err error) {
	leave := departure{session: s, drain: s.drain, shutdown: ctx.Done()}
	defer leave.stop()
	beat := time.NewTicker(s.heartbeat)
	defer beat.Stop()
	wait := time.NewTimer(0)
	defer wait.Stop()
	// Finished results go before the first heartbeat, because its answer may be that the
	// batches are no longer ours.
	if _, err := s.flush(); err != nil {
		return false, err
	}
	if err := s.beat(); err != nil {
		return false, err
	}
	for {
		next, err := s.flush()
		if err != nil {
			return false, err
		}
		if leave.begun && (leave.late || s.quota.settled()) {
			return s.close(leave.cause, received)
		}
		wait.Reset(next)
		select {
		case <-s.quota.wake:
		case <-wait.C:
		case <-beat.C:
			err = s.beat()
		case <-s.changed:
			err = s.beat()
		case err := <-received:
			return true, err
		case <-leave.drain:
			err = leave.begin(errDrained)
		case <-leave.shutdown:
			err = leave.begin(nil)
		case <-leave.timer():
			leave.press()
		}
		if err != nil {
			return false, err
		}
	}
}

// flush sends everything that is due, and returns how long the sender may sleep.
func (s *session) flush() (time.Duration, error) {
	for {
		due, wait := s.quota.due(time.Now())
		if !due {
			return wait, nil
		}
		messages, released := s.quota.outgoing(time.Now(), s.maxResults)
		s.checker.metrics.released.Add(float64(released))
		for _, m := range messages {
			if err := s.say(m); err != nil {
				return 0, err
			}
		}
		if len(messages) == 0 {
			return wait, nil
		}
	}
}

// say sends one message. It ends the stream when the coordinator accepts none for long:
// the connection may be alive while the coordinator is not.
func (s *session) say(m *coordinatorv1.StreamAssignmentsRequest) error {
	s.stuck.Reset(s.patience)
	err := s.stream.Send(m)
	s.stuck.Stop()
	if errors.Is(err, io.EOF) {
		return errStreamEnded
	}
	if err != nil {
		return fmt.Errorf("send %T: %w", m.GetMessage(), err)
	}
	return nil
}

// beat sends a heartbeat, unless the coordinator seems to be dead.
func (s *session) beat() error {
	silence := time.Since(s.began) - time.Duration(s.heard.Load())
	if silence > cadence.SilentBeats*s.heartbeat {
		return fmt.Errorf("%w for %s", errSilent, silence.Round(time.Millisecond))
	}
	s.changed = s.checker.changed()
	refs, running, lost := s.quota.open(time.Now())
	if lost > 0 {
		s.log.Warn("results never acknowledged", "results", lost)
	}
	return s.say(&coordinatorv1.StreamAssignmentsRequest{Message: &coordinatorv1.StreamAssignmentsRequest_Heartbeat{
		Heartbeat: &coordinatorv1.Heartbeat{
			OpenBatches: refs,
			InFlight:    uint32(running),
			SelfCheck:   checkpb.SelfCheckToProto(s.checker.report()),
		},
	}})
}

// close ends the stream gracefully: it closes our side, and waits a moment for the
// coordinator to close its side.
func (s *session) close(cause error, received <-chan error) (ended bool, err error) {
	if err := s.stream.CloseSend(); err != nil {
		return false, fmt.Errorf("close the stream: %w", err)
	}
	timer := time.NewTimer(closeWithin)
	defer timer.Stop()
	select {
	case <-received:
		return true, cause
	case <-timer.C:
		return false, cause
	}
}

// receive handles the coordinator's messages until the stream ends.
func (s *session) receive() error {
	drained := false
	for {
		m, err := s.stream.Recv()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		s.heard.Store(int64(time.Since(s.began)))
		switch m := m.GetMessage().(type) {
		case *coordinatorv1.StreamAssignmentsResponse_Assignments:
			if err := s.assigned(m.Assignments); err != nil {
				return err
			}
		case *coordinatorv1.StreamAssignmentsResponse_ResultsAck:
			s.acked(m.ResultsAck)
		case *coordinatorv1.StreamAssignmentsResponse_HeartbeatAck:
			if unknown := m.HeartbeatAck.GetUnknownBatches(); len(unknown) > 0 {
				s.log.Info("batches lost to other checkers", "batches", len(unknown))
				s.quota.forget(unknown)
			}
		case *coordinatorv1.StreamAssignmentsResponse_Revoke:
			s.quota.revoke(m.Revoke.GetBatches(), time.Now())
		case *coordinatorv1.StreamAssignmentsResponse_Drain:
			if !drained {
				s.log.Info("coordinator draining", "reason", m.Drain.GetReason())
				close(s.drain)
				drained = true
			}
		default:
			// A newer coordinator may send unknown messages, which need no answer.
		}
	}
}

func (s *session) assigned(m *coordinatorv1.Assignments) error {
	lease := s.lease
	if m.GetLeaseMillis() > 0 {
		lease = time.Duration(m.GetLeaseMillis()) * time.Millisecond
	}
	if err := s.quota.assign(m, lease, time.Now()); err != nil {
		return err
	}
	s.checker.startWorkers()
	return nil
}

func (s *session) acked(m *coordinatorv1.ResultsAck) {
	reason := reasonOf(m.GetError())
	n := s.quota.ack(refOf(m.GetBatch()), goneBy(reason))
	metrics := s.checker.metrics
	if reason == "" {
		metrics.accepted.Add(float64(m.GetAccepted()))
		metrics.duplicate.Add(float64(m.GetDuplicate()))
		metrics.late.Add(float64(m.GetLate()))
		metrics.stale.Add(float64(m.GetStale()))
		return
	}
	metrics.refused.Add(float64(n))
	s.log.Warn("results refused", "batch", m.GetBatch().GetBatchId(), "results", n,
		"reason", reason, "message", m.GetError().GetMessage())
}

// reasonOf returns the reason in the ErrorInfo of a batch's error, "" without an error.
func reasonOf(e *spb.Status) string {
	if e == nil {
		return ""
	}
	for _, d := range status.FromProto(e).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return "UNKNOWN"
}

// goneBy reports whether a refusal means that the whole batch is lost. TERM_STALE does not:
// a batch has checks of several shards, and a coordinator revokes a batch that is void as a
// whole.
func goneBy(reason string) bool {
	switch reason {
	case "BATCH_NOT_CHECKED_OUT", "BATCH_MISMATCH":
		return true
	}
	return false
}
