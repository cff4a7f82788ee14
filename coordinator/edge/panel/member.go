package panel

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// State is how a member was last found.
type State uint8

// The states, numbered as VeriflierState in fleet.proto.
const (
	Untried State = iota + 1
	OK
	Unreachable
	Unfit
)

// MemberStatus describes one member.
type MemberStatus struct {
	Member Member
	State  State
	// Detail says what is wrong; empty when nothing is.
	Detail string
	// LastAnswer is when it last was a witness; zero when it never was.
	LastAnswer time.Time
	// Asked counts the questions, Unknown those that it was no witness for.
	Asked, Unknown uint64
	// Dissented counts the ballots that were decided against its vote.
	Dissented uint64
}

// staleSelfCheck is the age from which a self-check says nothing any more.
const staleSelfCheck = time.Minute

// retryAfter is the pause before the one retry.
const retryAfter = 300 * time.Millisecond

// member asks one veriflier and remembers how that went.
type member struct {
	Member
	// client and health are set before anything is asked.
	client   veriflierv1.VeriflierServiceClient
	health   healthpb.HealthClient
	instance string
	log      *slog.Logger
	slots    chan struct{}
	// worry wakes watch.
	worry chan struct{}

	mu      sync.Mutex
	st      MemberStatus
	silence silence
}

func newMember(m Member, o Options) *member {
	return &member{
		Member: m, instance: o.Instance, log: o.Log, slots: make(chan struct{}, o.MaxPerMember), worry: make(chan struct{}, 1),
		st: MemberStatus{Member: m, State: Untried}, silence: newSilence(),
	}
}

func (m *member) status() MemberStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.st
}

// ask puts one question and says what the answer counts as. It ends with ctx, when
// the member had its time, or when it is found to be silent; one that is silent is not
// asked.
func (m *member) ask(ctx context.Context, id string, t check.Target) store.Vote {
	listening, silent := m.listening()
	if silent != "" {
		return *m.unknown(silent)
	}
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-listening.Done():
		return *m.unknown(m.whySilent())
	case <-ctx.Done():
		return *m.unknown("has too many questions to answer")
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout+answerMargin)
	defer cancel()
	defer context.AfterFunc(listening, cancel)()
	began := time.Now()
	defer time.AfterFunc(doubtAfter, func() { m.doubt(began, t) }).Stop()
	resp, err := m.verify(ctx, &veriflierv1.VerifyRequest{RequestId: id, Target: checkpb.TargetToProto(t)})
	if err != nil {
		return *m.unknown(m.blame(err, began, t))
	}
	m.heard()
	v, state, detail := m.take(id, resp)
	m.note(state, detail)
	return v
}

// blame says why there is no answer to a question that was put at began, and holds it
// against the member if that is its fault.
func (m *member) blame(err error, began time.Time, t check.Target) string {
	why := explain(err)
	switch status.Code(err) {
	case codes.Canceled:
		if silent := m.whySilent(); silent != "" {
			m.note(Unreachable, silent)
			return silent
		}
		return why // ours, not the member's
	case codes.DeadlineExceeded:
		m.doubt(began, t)
		if time.Since(began) >= t.Timeout+answerMargin { // else the ballot's time was up
			m.unanswered(began, why)
		}
	case codes.Unavailable:
		m.doubt(began, t)
		m.unanswered(began, why)
	default:
		m.heard()
	}
	m.note(Unreachable, why)
	return why
}

func explain(err error) string {
	return fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())
}

// take says what an answer counts as, and what it tells of the member.
func (m *member) take(id string, resp *veriflierv1.VerifyResponse) (v store.Vote, s State, detail string) {
	v = m.judge(id, resp)
	switch {
	case v.Value != quorum.Unknown:
		return v, OK, ""
	case v.Observation != nil && v.Observation.Failure == check.FailurePolicy:
		// It may not probe this target; that says nothing about the veriflier.
		return v, OK, ""
	default:
		return v, Unfit, v.UnknownReason
	}
}

// verify calls the veriflier, and once more when a connection that worked has gone,
// as when it was restarted. The request id makes that harmless.
func (m *member) verify(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	resp, err := m.client.Verify(ctx, req)
	if status.Code(err) != codes.Unavailable || m.status().State != OK {
		return resp, err
	}
	select {
	case <-ctx.Done():
		return resp, err
	case <-time.After(retryAfter):
		return m.client.Verify(ctx, req)
	}
}

func (m *member) dissent() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.st.Dissented++
}

// judge turns an answer to question id into a vote of this member.
func (m Member) judge(id string, resp *veriflierv1.VerifyResponse) store.Vote {
	if resp.GetVeriflier() != m.Name {
		return *m.unknown(fmt.Sprintf("answered as %.64q", resp.GetVeriflier()))
	}
	if resp.GetRequestId() != id {
		return *m.unknown("answered another question")
	}
	if resp.GetObservation() == nil {
		return *m.unknown("answered without an observation")
	}
	o := checkpb.ObservationFromProto(resp.GetObservation())
	self := checkpb.SelfCheckFromProto(resp.GetSelfCheck())
	v := store.Vote{Veriflier: m.Name, Region: m.Region, At: time.Now(), Observation: &o, SelfCheck: &self, Value: quorum.Unknown}
	switch {
	case !self.Healthy:
		v.UnknownReason = "is not well itself: " + self.Detail
	case self.Anchors > 0 && self.Age > staleSelfCheck:
		v.UnknownReason = fmt.Sprintf("has not looked after itself for %s", self.Age.Round(time.Second))
	case o.Outcome == check.OutcomeUp:
		v.Value = quorum.Up
	case o.Outcome == check.OutcomeDown:
		v.Value = quorum.Down
	default:
		v.UnknownReason = "cannot tell: " + o.Reason
	}
	return v
}

// unknown is a vote of no witness.
func (m Member) unknown(why string) *store.Vote {
	return &store.Vote{Veriflier: m.Name, Region: m.Region, Value: quorum.Unknown, UnknownReason: why, At: time.Now()}
}

// note keeps how a question went.
func (m *member) note(s State, detail string) {
	m.find(s, detail)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.st.Asked++
	if s != OK {
		m.st.Unknown++
	}
}

// find keeps how the member was found, by a question or a trial.
func (m *member) find(s State, detail string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silence.deaf {
		s, detail = Unreachable, m.silence.reason()
	}
	m.st.State, m.st.Detail = s, detail
	if s == OK {
		m.st.LastAnswer = time.Now()
	}
}
