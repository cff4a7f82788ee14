package stream

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/fault"
)

// receiver handles the messages of one checker.
type receiver struct {
	engine  *engine.Engine
	session dispatch.SessionID
	link    *link
}

// errTermStale means that none of the sites of a check-in is ours any more.
var errTermStale = errors.New("the sites have another owner now")

// maxAge bounds the age of a result, as its checker states it.
const maxAge = 5 * time.Minute

// run reads and handles messages until the stream ends.
func (r receiver) run(st responder) error {
	m := newRequest()
	for {
		err := st.RecvMsg(m)
		switch {
		case err != nil:
			return err
		case m.isResults:
			err = r.results(st.Context(), time.Now(), m.ref, m.results)
		default:
			err = r.take(st.Context(), time.Now(), m.any)
		}
		if err != nil {
			return r.ending(err)
		}
	}
}

// ending returns the error that ends the stream when a message could not be handled: err,
// or the reason of the session's end if that came first.
func (r receiver) ending(err error) error {
	select {
	case <-r.link.ended:
		return fault.New(fault.Conflict, "session ended: %s", r.link.reason)
	default:
		return err
	}
}

func (r receiver) take(ctx context.Context, now time.Time, m *coordinatorv1.StreamAssignmentsRequest) error {
	switch m := m.GetMessage().(type) {
	case *coordinatorv1.StreamAssignmentsRequest_Credit:
		// Grant cuts excess credit to the maximum in Hello. That is harmless, so it is no error.
		if err := r.engine.Grant(now, r.session, int(m.Credit.GetAdd())); err != nil && !errors.Is(err, dispatch.ErrOverCredit) {
			return err
		}
	case *coordinatorv1.StreamAssignmentsRequest_Results:
		return r.results(ctx, now, refFromProto(m.Results.GetBatch()), readResults(now, m.Results.GetResults()))
	case *coordinatorv1.StreamAssignmentsRequest_Heartbeat:
		return r.heartbeat(ctx, now, m.Heartbeat)
	case *coordinatorv1.StreamAssignmentsRequest_Release:
		// A batch that is no longer checked out needs no release.
		if err := r.engine.Release(now, r.session, refFromProto(m.Release.GetBatch())); err != nil && !isBatchError(err) {
			return err
		}
	case *coordinatorv1.StreamAssignmentsRequest_Leaving:
		r.engine.Leaving(r.session)
	case *coordinatorv1.StreamAssignmentsRequest_Hello:
		return fault.InvalidField("hello", "must be sent once")
	}
	return nil // messages of later versions are ignored
}

func (r receiver) results(ctx context.Context, now time.Time, ref dispatch.Ref, results []engine.Result) error {
	ack := &coordinatorv1.ResultsAck{Batch: refToProto(ref)}
	if len(results) > maxResults {
		ack.Error = batchError(dispatch.ErrInvalid)
	} else {
		receipt, err := r.engine.CheckIn(now, r.session, ref, results)
		if err != nil && !isBatchError(err) {
			return err
		}
		ack.Accepted, ack.Duplicate, ack.Late = uint32(receipt.Accepted), uint32(receipt.Duplicate), uint32(receipt.Late)
		ack.Stale = uint32(receipt.Stale)
		if receipt.Stale > 0 && receipt.Stale == len(receipt.Classes) {
			err = errTermStale
		}
		ack.Error = batchError(err)
	}
	return r.link.answer(ctx, &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_ResultsAck{ResultsAck: ack}})
}

func readResults(now time.Time, in []*coordinatorv1.Result) []engine.Result {
	out := make([]engine.Result, len(in))
	for i, p := range in {
		out[i] = engine.Result{
			Key:         dispatch.Key{Site: check.SiteID(p.GetSiteId()), Sequence: p.GetSequence()},
			At:          now.Add(-boundAge(p.GetAgeMillis())),
			Observation: checkpb.ObservationFromProto(p.GetObservation()),
		}
	}
	return out
}

func (r receiver) heartbeat(ctx context.Context, now time.Time, m *coordinatorv1.Heartbeat) error {
	open := make([]dispatch.Ref, len(m.GetOpenBatches()))
	for i, b := range m.GetOpenBatches() {
		open[i] = refFromProto(b)
	}
	unknown, err := r.engine.Heartbeat(now, r.session, open, checkpb.SelfCheckFromProto(m.GetSelfCheck()))
	if err != nil {
		return err
	}
	ack := &coordinatorv1.HeartbeatAck{}
	for _, ref := range unknown {
		ack.UnknownBatches = append(ack.UnknownBatches, refToProto(ref))
	}
	return r.link.answer(ctx, &coordinatorv1.StreamAssignmentsResponse{Message: &coordinatorv1.StreamAssignmentsResponse_HeartbeatAck{HeartbeatAck: ack}})
}

// reason returns the contract's name for a batch error; empty for any other error.
func reason(err error) string {
	switch {
	case errors.Is(err, dispatch.ErrNotCheckedOut):
		return "BATCH_NOT_CHECKED_OUT"
	case errors.Is(err, dispatch.ErrMismatch):
		return "BATCH_MISMATCH"
	case errors.Is(err, dispatch.ErrInvalid):
		return "BATCH_INVALID"
	case errors.Is(err, errTermStale):
		return "TERM_STALE"
	default:
		return ""
	}
}

func isBatchError(err error) bool { return reason(err) != "" }

// batchError converts the error of one batch for its ack; nil stays nil.
func batchError(err error) *rpcstatus.Status {
	if err == nil {
		return nil
	}
	st := status.New(codes.FailedPrecondition, err.Error())
	if with, werr := st.WithDetails(&errdetails.ErrorInfo{Domain: errorDomain, Reason: reason(err)}); werr == nil {
		st = with
	}
	return st.Proto()
}
