package panel

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a veriflier whose answers the test determines.
type peer struct {
	veriflierv1.UnimplementedVeriflierServiceServer
	answer func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error)
	calls  atomic.Int32
}

func (p *peer) Verify(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	p.calls.Add(1)
	return p.answer(ctx, req)
}

type answerFunc = func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error)

// says answers as the veriflier name with an outcome.
func says(name string, o checkv1.Outcome) answerFunc {
	return func(_ context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		return &veriflierv1.VerifyResponse{
			RequestId: req.GetRequestId(), Veriflier: name,
			Observation: &checkv1.Observation{Outcome: o},
			SelfCheck:   &checkv1.SelfCheck{Healthy: true},
		}, nil
	}
}

func hangs(ctx context.Context, _ *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	<-ctx.Done()
	return nil, status.FromContextError(ctx.Err()).Err()
}

const (
	isDown    = checkv1.Outcome_OUTCOME_DOWN
	isUp      = checkv1.Outcome_OUTCOME_UP
	isUnknown = checkv1.Outcome_OUTCOME_UNKNOWN
)

// bench is a panel of verifliers in memory, for a synctest bubble: on a busy machine even
// one that answers at once would be late. nil means that nobody listens there.
type bench struct {
	panel   *Panel
	network *rpc.Memory
	decided chan engine.Answer
	looked  chan engine.Look
	peers   []*peer
}

func newBench(t *testing.T, answers ...answerFunc) *bench {
	t.Helper()
	network := rpc.NewMemory()
	b := &bench{network: network, decided: make(chan engine.Answer, 10), looked: make(chan engine.Look, 10)}
	var members []Member
	serving, stop := context.WithCancel(context.Background())
	var served []chan error
	for i, a := range answers {
		name := string(rune('a' + i))
		members = append(members, Member{Name: name, Region: "region-" + name, Address: name})
		p := &peer{answer: a}
		b.peers = append(b.peers, p)
		if a == nil {
			continue
		}
		l, err := network.Listen(name)
		if err != nil {
			t.Fatal(err)
		}
		srv, err := rpc.NewServer(rpc.ServerOptions{Name: "veriflier", Access: rpc.Open()}, func(r grpc.ServiceRegistrar) {
			veriflierv1.RegisterVeriflierServiceServer(r, p)
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		served = append(served, done)
		go func() { done <- srv.Serve(serving, l) }()
	}
	var err error
	b.panel, err = New(Options{
		Members: members, Client: rpc.ClientOptions{Network: network}, Instance: "test",
		Straggle: 50 * time.Millisecond, GreetEvery: -1, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- b.panel.Run(ctx, b) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		stop()
		for _, done := range served {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return b
}

// Decided and Looked record the results.
func (b *bench) Decided(a engine.Answer) { b.decided <- a }

func (b *bench) Looked(l engine.Look) { b.looked <- l }

func question(timeout time.Duration) engine.Question {
	return engine.Question{Site: 42, Ballot: 1, Round: 1, Target: check.Target{URL: "http://example.com/", Timeout: timeout}}
}

func (b *bench) ask(t *testing.T, timeout time.Duration) engine.Answer {
	t.Helper()
	b.panel.Ask(question(timeout))
	select {
	case a := <-b.decided:
		return a
	case <-time.After(20 * time.Second): // of the bubble's clock
		t.Fatal("no answer")
		return engine.Answer{}
	}
}

func values(votes []record.Vote) string {
	s := ""
	for _, v := range votes {
		s += map[quorum.Value]string{quorum.Down: "D", quorum.Up: "U", quorum.Unknown: "?"}[v.Value]
	}
	return s
}

func TestBallot(t *testing.T) {
	t.Parallel()
	wrongName := says("mallory", isDown)
	wrongID := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		return says("c", isDown)(ctx, &veriflierv1.VerifyRequest{RequestId: "another"})
	}
	unhealthy := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		r, err := says("c", isDown)(ctx, req)
		r.SelfCheck = &checkv1.SelfCheck{Anchors: 2, Detail: "no anchor answers"}
		return r, err
	}
	stale := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		r, err := says("c", isDown)(ctx, req)
		r.SelfCheck = &checkv1.SelfCheck{Healthy: true, Anchors: 2, AgeMillis: 61_000}
		return r, err
	}
	silent := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		r, err := says("c", isDown)(ctx, req)
		r.Observation = nil
		return r, err
	}
	busy := func(context.Context, *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		return nil, status.Error(codes.ResourceExhausted, "too many checks")
	}
	torn := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		r, err := says("c", isUnknown)(ctx, req)
		r.Observation.Failure, r.Observation.Reason = checkv1.FailureKind_FAILURE_KIND_REDIRECT, check.ReasonReadersDisagree
		r.SecondOpinion = &checkv1.SecondOpinion{
			Engine: &checkv1.Observation{Outcome: isDown, Failure: checkv1.FailureKind_FAILURE_KIND_REDIRECT, Reason: "loop"},
			Reader: &checkv1.Observation{Outcome: isUp, HttpStatus: 200},
		}
		return r, err
	}
	tests := []struct {
		name    string
		a, b, c answerFunc
		want    quorum.Verdict
		votes   string
		state   State // of c
	}{
		{"all see it down", says("a", isDown), says("b", isDown), says("c", isDown), quorum.Confirmed, "DDD", OK},
		{"two of three are enough", says("a", isDown), says("b", isDown), says("c", isUp), quorum.Confirmed, "DDU", OK},
		{"two that see it up reject", says("a", isUp), says("b", isUp), says("c", isDown), quorum.Rejected, "UUD", OK},
		{"one that cannot be reached is unknown", says("a", isDown), says("b", isDown), nil, quorum.Confirmed, "DD?", Unreachable},
		{"one down and two unreachable decide nothing", says("a", isDown), nil, nil, quorum.Inconclusive, "D??", Unreachable},
		{"one up and two unreachable decide nothing", says("a", isUp), nil, nil, quorum.Inconclusive, "U??", Unreachable},
		{"an answer under another name is no vote", says("a", isDown), says("b", isUp), wrongName, quorum.Inconclusive, "DU?", Unfit},
		{"an answer to another question is no vote", says("a", isDown), says("b", isUp), wrongID, quorum.Inconclusive, "DU?", Unfit},
		{"one that is unhealthy is no proof", says("a", isDown), says("b", isUp), unhealthy, quorum.Inconclusive, "DU?", Unfit},
		{"a stale self-check is no proof", says("a", isDown), says("b", isUp), stale, quorum.Inconclusive, "DU?", Unfit},
		{"an answer without observation is no vote", says("a", isDown), says("b", isUp), silent, quorum.Inconclusive, "DU?", Unfit},
		{"one that cannot tell is no vote", says("a", isDown), says("b", isUp), says("c", isUnknown), quorum.Inconclusive, "DU?", Unfit},
		{"readers that disagree are no vote, and the veriflier is fine", says("a", isDown), says("b", isUp), torn, quorum.Inconclusive, "DU?", OK},
		{"overload is no vote", says("a", isDown), says("b", isUp), busy, quorum.Inconclusive, "DU?", Unreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tt.a, tt.b, tt.c)
				a := b.ask(t, 5*time.Second)
				if a.Verdict != tt.want || values(a.Votes) != tt.votes {
					t.Fatalf("%v %s, want %v %s", a.Verdict, values(a.Votes), tt.want, tt.votes)
				}
				if a.Decided.Before(a.Opened) || a.Rule != (quorum.Rule{Voters: 3, Need: 2, Regions: 2}) {
					t.Errorf("answer %+v", a)
				}
				st := b.panel.Status()[2]
				if st.State != tt.state || (st.State == OK) != (st.Detail == "") {
					t.Errorf("status of c: %+v", st)
				}
			})
		})
	}
}

func TestADecidedBallotDoesNotWaitForStragglers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, says("a", isDown), says("b", isDown), hangs)
		a := b.ask(t, 10*time.Second)
		if a.Verdict != quorum.Confirmed || values(a.Votes) != "DD?" || a.Votes[2].UnknownReason == "" {
			t.Fatalf("%v %+v", a.Verdict, a.Votes)
		}
		if took := a.Decided.Sub(a.Opened); took != 0 {
			t.Errorf("decided after %v", took)
		}
	})
}

func TestABallotEndsWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, hangs, hangs, hangs)
		a := b.ask(t, time.Millisecond)
		if a.Verdict != quorum.Inconclusive || values(a.Votes) != "???" {
			t.Fatalf("%v %s", a.Verdict, values(a.Votes))
		}
	})
}

func TestAnAbandonedBallotIsNotAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		onlySecond := func(name string) answerFunc {
			return func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
				if req.GetRequestId() == "test-42-1" {
					return hangs(ctx, req)
				}
				return says(name, isUp)(ctx, req)
			}
		}
		b := newBench(t, onlySecond("a"), onlySecond("b"), hangs)
		b.panel.Ask(question(20 * time.Second))
		for b.peers[0].calls.Load() == 0 {
			select {
			case <-b.decided:
				t.Fatal("answered before it was abandoned")
			case <-time.After(time.Millisecond):
			}
		}
		b.panel.Abandon(42, 1)
		q := question(5 * time.Second)
		q.Ballot = 2
		b.panel.Ask(q)
		if a := <-b.decided; a.Question.Ballot != 2 {
			t.Errorf("ballot %d was answered", a.Question.Ballot)
		}
	})
}

func TestASecondLookIsByTheFirstWitness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// 42 % 3 = 0: a is asked first, and cannot tell.
		b := newBench(t, nil, says("b", isUp), says("c", isDown))
		b.panel.Look(question(5 * time.Second))
		l := <-b.looked
		if l.Veriflier != "b" || l.Observation == nil || l.Observation.Outcome != check.OutcomeUp {
			t.Errorf("looked %+v", l)
		}
	})
}

func TestAPanelThatCouldNeverConfirmIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		members []Member
		limit   int
	}{
		{"no verifliers", nil, 0},
		{"more votes needed than verifliers", []Member{{Name: "a", Region: "x", Address: "a"}}, 3},
		{"two of one name", []Member{{Name: "a", Region: "x", Address: "a"}, {Name: "a", Region: "y", Address: "b"}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(Options{Members: tt.members, PeerOfflineLimit: tt.limit}); err == nil {
				t.Error("accepted")
			}
		})
	}
}
