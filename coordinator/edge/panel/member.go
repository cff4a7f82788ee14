package panel

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/pause"
	"github.com/Automattic/jetmon/internal/rpc"
)

// State is the last known state of a member.
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
	// Detail is the reason of a bad state; empty when State is OK.
	Detail string
	// Offline is set when it is Unfit because it does not reach its own anchors.
	Offline bool
	// Since is when State became what it is; zero while Untried.
	Since time.Time
	// LastAnswer is when it last could tell; zero when it never could.
	LastAnswer time.Time
	// Asked counts the questions, Unknown those without a usable answer.
	Asked, Unknown uint64
	// Dissented counts the ballots that were decided against its vote.
	Dissented uint64
}

// staleSelfCheck is the age above which a self-check no longer counts.
const staleSelfCheck = time.Minute

// retryAfter is the pause before the one retry.
const retryAfter = 300 * time.Millisecond

// member asks one veriflier and records its state.
type member struct {
	Member
	// identity is how the member is dialled; it may change.
	identity *rpc.Identity
	// conn, client and health are set before the first question, by begin.
	conn     *grpc.ClientConn
	client   veriflierv1.VeriflierServiceClient
	health   healthpb.HealthClient
	end      context.CancelFunc
	instance string
	log      *slog.Logger
	slots    chan struct{}
	// doubts wakes watch.
	doubts chan struct{}
	// greetNow wakes greetings.
	greetNow chan struct{}

	mu      sync.Mutex
	st      MemberStatus
	silence silence
}

func newMember(m Member, o Options) *member {
	return &member{
		Member: m, identity: rpc.NewIdentity(o.identityOf(m)), instance: o.Instance, log: o.Log, slots: make(chan struct{}, o.MaxPerMember), doubts: make(chan struct{}, 1), greetNow: make(chan struct{}, 1),
		st: MemberStatus{Member: m, State: Untried}, silence: newSilence(),
	}
}

func (m *member) status() MemberStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.st
}

// ask asks one question and returns the resulting vote. It ends with ctx, when the member's
// time is up, or when the member is found to be silent. It does not ask a silent member.
func (m *member) ask(ctx context.Context, id string, t check.Target) record.Vote {
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
	v, found := m.take(id, resp)
	m.note(found)
	return v
}

// blame returns why a question asked at began got no answer, and counts it against the
// member if that is its fault.
func (m *member) blame(err error, began time.Time, t check.Target) string {
	why := explain(err)
	switch status.Code(err) {
	case codes.Canceled:
		if silent := m.whySilent(); silent != "" {
			m.note(finding{state: Unreachable, detail: silent})
			return silent
		}
		return why // our fault, not the member's
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
	m.note(finding{state: Unreachable, detail: why})
	return why
}

func explain(err error) string {
	return fmt.Sprintf("%s: %s", status.Code(err), rpc.Cause(err))
}

// finding is the state of a member after an answer, or without one.
type finding struct {
	state   State
	detail  string
	offline bool
}

// take returns the vote in an answer, and the state of the member that follows from it.
func (m *member) take(id string, resp *veriflierv1.VerifyResponse) (record.Vote, finding) {
	v := m.judge(id, resp)
	switch {
	case v.Value != quorum.Unknown:
		return v, finding{state: OK}
	case v.SelfCheck != nil && unwell(*v.SelfCheck) != "":
		return v, finding{Unfit, v.UnknownReason, !v.SelfCheck.Healthy}
	case v.Observation != nil && v.Observation.Failure == check.FailurePolicy:
		// Its policy forbids this target; the veriflier itself is fine.
		return v, finding{state: OK}
	case v.ReadersDisagree():
		return v, finding{state: OK}
	default:
		return v, finding{Unfit, v.UnknownReason, false}
	}
}

// verify calls the veriflier, and repeats the call once if a connection that worked was
// lost, as when the veriflier was restarted. The request id makes that harmless.
func (m *member) verify(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	resp, err := m.client.Verify(ctx, req)
	if status.Code(err) != codes.Unavailable || m.status().State != OK {
		return resp, err
	}
	if !pause.For(ctx, retryAfter) {
		return resp, err
	}
	return m.client.Verify(ctx, req)
}

func (m *member) dissent() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.st.Dissented++
}

// judge turns an answer to the question with this id into the member's vote.
func (m Member) judge(id string, resp *veriflierv1.VerifyResponse) record.Vote {
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
	v := record.Vote{Veriflier: m.Name, Region: m.Region, At: time.Now(), Observation: &o, SelfCheck: &self, Value: quorum.Unknown,
		SecondOpinion: checkpb.SecondOpinionFromProto(resp.GetSecondOpinion())}
	switch {
	case unwell(self) != "":
		v.UnknownReason = unwell(self)
	case o.Outcome == check.OutcomeUp:
		v.Value = quorum.Up
	case o.Outcome == check.OutcomeDown:
		v.Value = quorum.Down
	case v.ReadersDisagree():
		v.UnknownReason = check.ReasonReadersDisagree + ": " + v.SecondOpinion.String()
	default:
		v.UnknownReason = "cannot tell: " + o.Reason
	}
	return v
}

// unwell returns why no answer of a veriflier with this self-check counts; "" when they do.
func unwell(self check.SelfCheck) string {
	switch {
	case !self.Healthy:
		return "is not well itself: " + self.Detail
	case self.Anchors > 0 && self.Age > staleSelfCheck:
		return fmt.Sprintf("has not looked after itself for %s", self.Age.Round(time.Second))
	}
	return ""
}

// unknown returns an UNKNOWN vote.
func (m Member) unknown(why string) *record.Vote {
	return &record.Vote{Veriflier: m.Name, Region: m.Region, Value: quorum.Unknown, UnknownReason: why, At: time.Now()}
}

// note counts a question and records the state of the member after it.
func (m *member) note(f finding) {
	m.find(f)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.st.Asked++
	if f.state != OK {
		m.st.Unknown++
	}
}

// find records the state of the member after a question or a trial.
func (m *member) find(f finding) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silence.silent {
		f = finding{state: Unreachable, detail: m.silence.reason()}
	}
	m.turn(f)
	if f.state == OK {
		m.st.LastAnswer = time.Now()
	}
}

// turn sets the state; the caller holds mu.
func (m *member) turn(f finding) {
	if m.st.State != f.state {
		m.st.Since = time.Now()
	}
	m.st.State, m.st.Detail, m.st.Offline = f.state, f.detail, f.offline
}
