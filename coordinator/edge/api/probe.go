package api

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// A probe makes every veriflier visit a host of the caller's choice, so only few run at once, and
// not many in a minute.
const (
	maxProbes       = 8
	probesPerSecond = 1
	probesAfterRest = 20
	probeRetry      = 5 * time.Second
	probeTimeout    = 10 * time.Second
	// What one token may begin of these, so that no one uses up what is there for all.
	ownPerSecond = 0.5
	ownAfterRest = 10
	// maxProbing bounds the tokens that are remembered.
	maxProbing = 1000
)

// probes is the ProbeService.
type probes struct {
	monitorv1.UnimplementedProbeServiceServer
	o Options
	// running has an entry for each probe under way; begun bounds those of a time.
	running chan struct{}
	begun   *rate.Limiter

	mu  sync.Mutex
	own map[int64]*rate.Limiter // of tokens
}

func newProbes(o Options) *probes {
	return &probes{
		o: o, running: make(chan struct{}, maxProbes), begun: rate.NewLimiter(probesPerSecond, probesAfterRest), own: map[int64]*rate.Limiter{},
	}
}

// allow reports whether a caller may begin a probe now.
func (s *probes) allow(c access.Caller) bool {
	return (c.TokenID == 0 || s.ownOf(c.TokenID).Allow()) && s.begun.Allow()
}

// ownOf returns what is left for a token.
func (s *probes) ownOf(token int64) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.own[token]
	if l == nil {
		if len(s.own) >= maxProbing {
			clear(s.own) // begun bounds all of them together
		}
		l = rate.NewLimiter(ownPerSecond, ownAfterRest)
		s.own[token] = l
	}
	return l
}

func (s *probes) ProbeURL(req *monitorv1.ProbeURLRequest, stream grpc.ServerStreamingServer[monitorv1.ProbeURLResponse]) error {
	t, err := probeTarget(req.GetProbe())
	if err != nil {
		return err
	}
	members, rule := s.o.Panel.Members()
	if len(members) == 0 {
		return fault.New(fault.Unavailable, "this coordinator asks no verifliers yet: try again in some seconds")
	}
	select {
	case s.running <- struct{}{}:
		defer func() { <-s.running }()
	default:
		return tooManyProbes("%d probes are running already", maxProbes)
	}
	if !s.allow(access.From(stream.Context())) {
		return tooManyProbes("too many probes were asked for in a short time")
	}
	panel := &monitorv1.ProbePanel{Url: t.URL, Rule: ruleToProto(rule)}
	for _, m := range members {
		panel.Verifliers = append(panel.Verifliers, &monitorv1.ProbeWitness{Veriflier: m.Name, Region: m.Region})
	}
	if err := stream.Send(&monitorv1.ProbeURLResponse{Step: &monitorv1.ProbeURLResponse_Panel{Panel: panel}}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	ballot := s.o.Panel.Peek(ctx, "probe-"+rand.Text(), t, func(v record.Vote) {
		if err := stream.Send(&monitorv1.ProbeURLResponse{Step: &monitorv1.ProbeURLResponse_Vote{Vote: voteToProto(v)}}); err != nil {
			cancel(err)
		}
	})
	if ctx.Err() != nil {
		return context.Cause(ctx) // nobody listens any more
	}
	return stream.Send(&monitorv1.ProbeURLResponse{Step: &monitorv1.ProbeURLResponse_Ballot{Ballot: verdictOf(ballot)}})
}

func tooManyProbes(format string, args ...any) error {
	return fault.New(fault.Exhausted, format, args...).With(&errdetails.RetryInfo{RetryDelay: durationpb.New(probeRetry)})
}

// verdictOf converts a ballot without its votes.
func verdictOf(b record.Ballot) *monitorv1.Ballot {
	b.Votes = nil
	if b.Verdict == quorum.Pending {
		b.Verdict = quorum.Inconclusive
	}
	return BallotToProto(&b)
}

// probeTarget is what verifliers are asked. What they may not visit is for them to say.
func probeTarget(p *monitorv1.Probe) (check.Target, error) {
	t := check.Target{URL: check.CompleteURL(p.GetUrl()), Timeout: probeTimeout}
	t.Method, t.RedirectPolicy = check.Method(p.GetMethod()), check.RedirectPolicy(p.GetRedirectPolicy())
	if d := p.GetTimeout(); d != nil {
		t.Timeout = d.AsDuration()
	}
	if err := check.ValidateURL(t.URL); err != nil {
		return t, fault.InvalidField("probe.url", "%w", err)
	}
	return t, nil
}
