package panel

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

// mute makes the member at an address silent until the returned function is called: it
// accepts connections, or not even that, and never answers.
func (b *bench) mute(t *testing.T, addr string, accepts bool) (end func()) {
	t.Helper()
	l, err := b.network.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	var accepting sync.WaitGroup
	if accepts {
		accepting.Go(func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				conns = append(conns, c)
			}
		})
	}
	return func() {
		_ = l.Close()
		accepting.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// serve runs a peer at an address until the returned function is called.
func (b *bench) serve(t *testing.T, addr string, p *peer) (end func()) {
	t.Helper()
	l, err := b.network.Listen(addr)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := rpc.NewServer(rpc.ServerOptions{Name: "veriflier", Access: rpc.Open()}, func(r grpc.ServiceRegistrar) {
		veriflierv1.RegisterVeriflierServiceServer(r, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := srv.Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	return func() {
		stop()
		serving.Wait()
	}
}

// round holds one ballot and returns how long it took.
func (b *bench) round(t *testing.T) (engine.Answer, time.Duration) {
	t.Helper()
	began := time.Now()
	b.panel.Ask(question(check.VerifyTimeout))
	a := <-b.decided
	if a.Rule != (quorum.Rule{Voters: 3, Need: 2, Regions: 2}) || len(a.Votes) != 3 {
		t.Errorf("the quorum is %+v of %d votes", a.Rule, len(a.Votes))
	}
	return a, time.Since(began)
}

// The regression: as long as a veriflier was suspended, each ballot waited for it, and one
// that could not be decided without it waited until its deadline.
func TestAVeriflierThatNeverAnswersCostsNothingAndIsProbedBackIn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		begin func(*testing.T, *bench) (end func())
		// within bounds the time until it is no longer asked, with ballots at most a minute apart.
		within time.Duration
	}{
		{"a black hole", func(t *testing.T, b *bench) func() { return b.mute(t, "c", false) }, 15 * time.Second},
		{"a process that stands still", func(t *testing.T, b *bench) func() { return b.mute(t, "c", true) }, 15 * time.Second},
		{"checks that hang in a process that lives", func(t *testing.T, b *bench) func() {
			return b.serve(t, "c", &peer{answer: hangs})
		}, 2 * time.Minute},
		{"nobody listens", func(*testing.T, *bench) func() { return func() {} }, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, says("a", isDown), says("b", isDown), nil)
				end := tt.begin(t, b)
				for from := time.Now(); time.Since(from) < tt.within; time.Sleep(5 * time.Second) {
					if a, took := b.round(t); a.Verdict != quorum.Confirmed || took > time.Second {
						t.Errorf("%v after %v", a.Verdict, took)
					}
				}
				for range 20 {
					a, took := b.round(t)
					if a.Verdict != quorum.Confirmed || values(a.Votes) != "DD?" || took != 0 {
						t.Errorf("%v, %s after %v, want that nobody waits", a.Verdict, values(a.Votes), took)
					}
					if why := a.Votes[2].UnknownReason; !strings.HasPrefix(why, "not asked: has not answered since 2000-01-01T00:0") {
						t.Errorf("the vote is unknown because it is %q", why)
					}
					if st := b.panel.Status()[2]; st.State != Unreachable || st.Detail != a.Votes[2].UnknownReason {
						t.Errorf("status %+v", st)
					}
					time.Sleep(30 * time.Second)
				}
				end()
				back := &peer{answer: says("c", isDown)}
				defer b.serve(t, "c", back)()
				time.Sleep(12 * time.Second) // the longest pauses: ours, and that of the connection
				synctest.Wait()
				if n := back.calls.Load(); n != 1 {
					t.Errorf("it was put to trial %d times, want once", n)
				}
				if st := b.panel.Status()[2]; st.State != OK || st.Detail != "" {
					t.Errorf("status %+v", st)
				}
				if a, _ := b.round(t); values(a.Votes) != "DDD" {
					t.Errorf("votes %s, want that it votes again", values(a.Votes))
				}
			})
		})
	}
}

func TestAnUndecidedBallotDoesNotWaitForASilentVeriflier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, says("a", isDown), says("b", isUp), nil)
		defer b.mute(t, "c", true)()
		if a, took := b.round(t); a.Verdict != quorum.Inconclusive || took > 15*time.Second {
			t.Errorf("%v after %v", a.Verdict, took)
		}
		time.Sleep(time.Second)
		if a, took := b.round(t); a.Verdict != quorum.Inconclusive || took != 0 {
			t.Errorf("%v after %v", a.Verdict, took)
		}
	})
}

func TestTheQuorumDoesNotShrinkToThoseWhoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, says("a", isDown), nil, nil)
		defer b.mute(t, "b", false)()
		defer b.mute(t, "c", true)()
		for range 20 {
			if a, _ := b.round(t); a.Verdict != quorum.Inconclusive || values(a.Votes) != "D??" {
				t.Errorf("%v, %s", a.Verdict, values(a.Votes))
			}
			time.Sleep(5 * time.Second)
		}
	})
}

// A veriflier that uses its whole time, because a site does not answer, is still asked.
func TestASlowVeriflierIsAsked(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
		select {
		case <-time.After(time.Duration(req.GetTarget().GetTimeoutMillis()) * time.Millisecond):
			return says("c", isDown)(ctx, req)
		case <-ctx.Done():
			return hangs(ctx, req)
		}
	}
	tests := []struct {
		name string
		b    answerFunc
		want string
	}{
		{"when its vote is needed", says("b", isUp), "DUD"},
		{"when it is not", says("b", isDown), "DD?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, says("a", isDown), tt.b, slow)
				for range 20 {
					a, _ := b.round(t)
					if why := a.Votes[2].UnknownReason; values(a.Votes) != tt.want || strings.HasPrefix(why, "not asked") {
						t.Errorf("%s, %q", values(a.Votes), why)
					}
					time.Sleep(10 * time.Second)
				}
			})
		})
	}
}

// Many questions that fail in one moment are one failure: a restart is not silence.
func TestAMomentIsNotSilence(t *testing.T) {
	t.Parallel()
	m := newMember(Member{Name: "a"}, Options{Instance: "test"})
	began := time.Now()
	for range 100 {
		m.unanswered(began, "gone")
	}
	if _, silent := m.listening(); silent != "" {
		t.Error(silent)
	}
	m.heard()
	m.unanswered(began, "it was open before")
	if m.silence.strikes != 0 {
		t.Errorf("%d strikes", m.silence.strikes)
	}
}

func TestASilentVeriflierIsTriedSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		b := newBench(t, says("a", isDown), says("b", isDown), func(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
			calls.Add(1)
			return hangs(ctx, req)
		})
		for from := time.Now(); time.Since(from) < 2*time.Minute; time.Sleep(time.Second) {
			b.round(t)
		}
		calls.Store(0)
		for range 100 {
			b.round(t)
			time.Sleep(time.Second)
		}
		if n := calls.Load(); n == 0 || n > 20 {
			t.Errorf("%d calls in 100 s", n)
		}
	})
}
