package panel

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/tracing"
)

// Member is one configured veriflier.
type Member struct {
	// Name is the name under which it must answer; Region is its location.
	Name, Region string
	// Address is the HOST:PORT of its gRPC listener.
	Address string
	// Token is its bearer token; empty when it needs none.
	Token string
}

// Options for New.
type Options struct {
	Members []Member
	// PeerOfflineLimit, when not 0, is how many DOWN votes confirm.
	PeerOfflineLimit int
	// ShadowNeed and ShadowRegions are a second rule, which is evaluated but decides
	// nothing; a ShadowNeed of 0 means none.
	ShadowNeed, ShadowRegions int
	Client                    rpc.ClientOptions
	// Instance makes request ids unique to this process.
	Instance string
	// MaxBallots bounds the ballots under way; others wait. 0 means 1000.
	MaxBallots int
	// MaxPerMember bounds the questions to one member at a time. 0 means 400.
	MaxPerMember int
	// Straggle is how long a decided ballot waits for the missing votes. 0 means 1 s.
	Straggle time.Duration
	// GreetEvery is the time between two greetings of a member that is well. 0 means a
	// minute, less than 0 never.
	GreetEvery time.Duration
	// Traces, optional, takes the spans of ballots of sites that are traced.
	Traces *tracing.Recorder
	Log    *slog.Logger
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.MaxBallots = cmp.Or(o.MaxBallots, 1000)
	o.MaxPerMember = cmp.Or(o.MaxPerMember, 400)
	o.Straggle = cmp.Or(o.Straggle, time.Second)
	o.GreetEvery = cmp.Or(o.GreetEvery, time.Minute)
	return o
}

// Answers receives the results. Goroutines of the panel call its methods concurrently.
type Answers interface {
	// Decided receives the result of a ballot.
	Decided(engine.Answer)
	// Looked receives a second look.
	Looked(engine.Look)
}

// answerMargin is the time that a member gets on top of the target's timeout, so that its
// own timeout is reported first.
const answerMargin = 2 * time.Second

// Panel is the set of verifliers. New makes one; it asks nothing before Run.
type Panel struct {
	o      Options
	lineup atomic.Pointer[lineup]

	queue queue
	to    Answers // set by Run

	// life guards what starts and stops members.
	life    sync.Mutex
	running *run // nil before Run and after it
}

// New checks the roster and the rule.
func New(o Options) (*Panel, error) {
	p := &Panel{o: o.withDefaults(), queue: newQueue()}
	l, err := newLineup(p.o, nil)
	if err != nil {
		return nil, err
	}
	p.lineup.Store(l)
	return p, nil
}

// Rule returns the rule that decides ballots.
func (p *Panel) Rule() quorum.Rule { return p.lineup.Load().rule }

// Status returns the state of the members, in the order of their configuration.
func (p *Panel) Status() []MemberStatus {
	members := p.lineup.Load().members
	out := make([]MemberStatus, len(members))
	for i, m := range members {
		out[i] = m.status()
	}
	return out
}

// Ask queues a ballot; Run hands the result to Answers.Decided.
func (p *Panel) Ask(q engine.Question) { p.queue.add(&job{question: q}) }

// Look queues a second look: one member after the other is asked until one can tell. Run
// hands the result to Answers.Looked.
func (p *Panel) Look(q engine.Question) { p.queue.add(&job{question: q, look: true}) }

// Abandon stops a ballot, whether it waits or is under way. It gets no result.
func (p *Panel) Abandon(site check.SiteID, ballot uint32) { p.queue.abandon(ballotID{site, ballot}) }

// Run holds the ballots and hands their results to a receiver until ctx ends; it then drops
// those under way. It may be called only once.
func (p *Panel) Run(ctx context.Context, to Answers) (err error) {
	p.to = to
	if err := p.begin(ctx); err != nil {
		return err
	}
	defer func() { err = p.finish() }()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, p.o.MaxBallots)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.queue.wake:
		}
		for j := p.queue.next(); j != nil; j = p.queue.next() {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			wg.Go(func() {
				defer func() { <-slots }()
				p.do(ctx, j)
			})
		}
	}
}

func (p *Panel) do(ctx context.Context, j *job) {
	if j.look {
		p.look(ctx, j.question)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, j.question.Target.Timeout+2*answerMargin)
	defer cancel()
	if !p.queue.begin(j, cancel) {
		return
	}
	asking, traced := p.traceBallot(ctx, j.question)
	answer, ok := p.hold(asking, j.question)
	p.queue.end(j)
	if !ok {
		traced(nil)
		return
	}
	traced(&answer)
	p.to.Decided(answer)
}
