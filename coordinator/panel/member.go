package panel

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/coordinator/store"
	veriflierpb "github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
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
	client veriflierpb.VeriflierServiceClient // set before anything is asked
	slots  chan struct{}

	mu sync.Mutex
	st MemberStatus
}

func newMember(m Member, slots int) *member {
	return &member{
		Member: m, slots: make(chan struct{}, slots),
		st: MemberStatus{Member: m, State: Untried},
	}
}

func (m *member) status() MemberStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.st
}

// ask puts one question and says what the answer counts as. It ends with ctx, or
// when the member had its time.
func (m *member) ask(ctx context.Context, id string, t check.Target) store.Vote {
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return *m.unknown("has too many questions to answer")
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout+answerMargin)
	defer cancel()
	resp, err := m.verify(ctx, &veriflierpb.VerifyRequest{RequestId: id, Target: checkpb.TargetToProto(t)})
	if err != nil {
		why := fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())
		if status.Code(err) != codes.Canceled { // ours, not the member's
			m.note(Unreachable, why)
		}
		return *m.unknown(why)
	}
	v := m.Judge(id, resp)
	switch {
	case v.Value != quorum.Unknown:
		m.note(OK, "")
	case v.Observation != nil && v.Observation.Failure == check.FailurePolicy:
		// It may not probe this target; that says nothing about the veriflier.
		m.note(OK, "")
	default:
		m.note(Unfit, v.UnknownReason)
	}
	return v
}

// verify calls the veriflier, and once more when a connection that worked has gone,
// as when it was restarted. The request id makes that harmless.
func (m *member) verify(ctx context.Context, req *veriflierpb.VerifyRequest) (*veriflierpb.VerifyResponse, error) {
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

// Judge says what an answer to question id counts as, as a vote of this member.
func (m Member) Judge(id string, resp *veriflierpb.VerifyResponse) store.Vote {
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
	m.mu.Lock()
	defer m.mu.Unlock()
	m.st.State, m.st.Detail = s, detail
	m.st.Asked++
	if s == OK {
		m.st.LastAnswer = time.Now()
	} else {
		m.st.Unknown++
	}
}
