package judging

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/pause"
	"github.com/Automattic/jetmon/internal/rpc"
)

// lie is how a veriflier lies about every site; with none it tells the truth.
type lie uint8

const (
	none lie = iota
	alwaysDown
	alwaysUp
)

// peer is a fake veriflier.
type peer struct {
	veriflierv1.UnimplementedVeriflierServiceServer
	w      *world
	number int
	lie    lie

	mu     sync.Mutex
	random *rand.Rand
	before *veriflierv1.VerifyResponse
}

func peerName(i int) string { return fmt.Sprint("v", i) }

// Verify answers according to the plan.
func (p *peer) Verify(ctx context.Context, req *veriflierv1.VerifyRequest) (*veriflierv1.VerifyResponse, error) {
	m := p.w.plan.mode(p.number, time.Now())
	p.mu.Lock()
	takes, before := time.Duration(p.random.Int64N(int64(3*time.Second))), p.before
	if m == slow {
		takes = time.Duration(p.random.Int64N(int64(25 * time.Second)))
	}
	p.mu.Unlock()
	asked, timeout := time.Now(), time.Duration(req.GetTarget().GetTimeoutMillis())*time.Millisecond
	site, greeted := siteOf(req.GetTarget().GetUrl())
	lag := p.w.plan.lag(site, asked)
	takes = max(takes, min(lag, timeout))
	if greeted {
		takes = 0
	}
	switch m {
	case busy:
		return nil, status.Error(codes.ResourceExhausted, "busy")
	case hanging:
		takes = time.Hour
	}
	if !pause.For(ctx, takes) {
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	resp := &veriflierv1.VerifyResponse{
		RequestId: req.GetRequestId(), Veriflier: peerName(p.number),
		Observation: &checkv1.Observation{Outcome: p.says(site, lag > timeout)},
		SelfCheck:   &checkv1.SelfCheck{Healthy: true, Anchors: 1},
	}
	if greeted {
		resp.Observation.Outcome = checkv1.Outcome_OUTCOME_UNKNOWN
	}
	p.mu.Lock()
	p.before = resp
	p.mu.Unlock()
	switch {
	case m == stale && before != nil:
		return before, nil
	case m == stranger:
		return &veriflierv1.VerifyResponse{RequestId: resp.RequestId, Veriflier: "somebody", Observation: &checkv1.Observation{Outcome: down}, SelfCheck: resp.SelfCheck}, nil
	case m == unhealthy:
		return &veriflierv1.VerifyResponse{RequestId: resp.RequestId, Veriflier: resp.Veriflier, Observation: &checkv1.Observation{Outcome: down}, SelfCheck: &checkv1.SelfCheck{Anchors: 1}}, nil
	}
	return resp, nil
}

const (
	down = checkv1.Outcome_OUTCOME_DOWN
	up   = checkv1.Outcome_OUTCOME_UP
)

func (p *peer) says(site int, late bool) checkv1.Outcome {
	switch {
	case p.lie == alwaysDown, p.lie == none && (late || p.w.isDown(site, time.Now())):
		return down
	}
	return up
}

func siteURL(i int) string { return fmt.Sprintf("http://site-%d.example/", i) }

// siteOf returns the number of the site at a URL. A coordinator greets its verifliers with an
// address that they never dial: greeted is true, and there is no site.
func siteOf(url string) (i int, greeted bool) {
	if url == "http://0.0.0.0/" {
		return 0, true
	}
	if _, err := fmt.Sscanf(strings.TrimPrefix(url, "http://"), "site-%d.example/", &i); err != nil {
		panic(err)
	}
	return i, false
}

// loud is the log of a veriflier. A handler that panics fails the test: its caller would take
// it for a veriflier that is ill.
type loud struct{ t *testing.T }

func (l loud) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (l loud) Handle(_ context.Context, r slog.Record) error {
	l.t.Errorf("a veriflier logs: %s", r.Message)
	return nil
}

func (l loud) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l loud) WithGroup(string) slog.Handler { return l }

// live serves until ctx ends, except while the plan has the veriflier dead.
func (p *peer) live(ctx context.Context, t *testing.T) {
	deaths := append([]phase{}, p.w.plan.phases[p.number]...)
	deaths = append(deaths, phase{span: span{from: p.w.plan.end.Add(time.Hour)}, mode: dead})
	for _, d := range deaths {
		if d.mode != dead {
			continue
		}
		l, err := p.w.network.Listen(peerName(p.number))
		if err != nil {
			t.Errorf("listen: %v", err)
			return
		}
		server, err := rpc.NewServer(rpc.ServerOptions{Name: peerName(p.number), Access: rpc.Open(), Log: slog.New(loud{t})}, func(r grpc.ServiceRegistrar) {
			veriflierv1.RegisterVeriflierServiceServer(r, p)
		})
		if err != nil {
			t.Errorf("serve: %v", err)
			return
		}
		serving, stop := context.WithDeadline(ctx, d.from)
		err = server.Serve(serving, l)
		stop()
		if err != nil {
			t.Errorf("serve: %v", err)
		}
		if !pause.For(ctx, time.Until(d.to)) {
			return
		}
	}
}
