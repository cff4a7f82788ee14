package panel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"

	veriflierpb "github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
)

// Member is one configured veriflier.
type Member struct {
	// Name is what it must answer as; Region is where it stands.
	Name, Region string
	// Address is HOST:PORT of its gRPC listener.
	Address string
	// Token is its bearer token, empty when it wants none.
	Token string
}

// Options for New.
type Options struct {
	Members []Member
	// PeerOfflineLimit, when not 0, is how many DOWN votes confirm.
	PeerOfflineLimit int
	// ShadowNeed and ShadowRegions are a rule to try beside the one that decides; a
	// ShadowNeed of 0 tries none.
	ShadowNeed, ShadowRegions int
	Client                    rpc.ClientOptions
	// Instance makes request ids unique to this process.
	Instance string
	// MaxBallots bounds the ballots under way; more wait. 0 means 1000.
	MaxBallots int
	// MaxPerMember bounds the questions that one member has at once. 0 means 400.
	MaxPerMember int
	// Straggle is how long a decided ballot waits for the missing votes. 0 means 1 s.
	Straggle time.Duration
	Log      *slog.Logger
	// Decided and Looked take the answers, each from a goroutine of the panel.
	Decided func(engine.Answer)
	Looked  func(engine.Look)
}

// answerMargin is what a member gets on top of the target's timeout, so that its
// own timeout reports first.
const answerMargin = 2 * time.Second

// Panel is the set of verifliers. New makes one; nothing is asked before Run.
type Panel struct {
	o       Options
	rule    quorum.Rule
	roster  []quorum.Voter
	members []*member
	shadow  *shadow // nil when no rule is tried

	mu      sync.Mutex
	waiting []job // at most two a site: a ballot and a look
	running map[ballotID]context.CancelFunc
	wake    chan struct{}
}

type ballotID struct {
	site   check.SiteID
	ballot uint32
}

type job struct {
	question engine.Question
	look     bool
}

// New checks the roster and the rule.
func New(o Options) (*Panel, error) {
	p := &Panel{o: o, running: map[ballotID]context.CancelFunc{}, wake: make(chan struct{}, 1)}
	p.o.MaxBallots = cmp.Or(o.MaxBallots, 1000)
	p.o.MaxPerMember = cmp.Or(o.MaxPerMember, 400)
	p.o.Straggle = cmp.Or(o.Straggle, time.Second)
	for _, m := range o.Members {
		p.roster = append(p.roster, quorum.Voter{Name: m.Name, Region: m.Region})
	}
	rule, err := quorum.NewRule(p.roster, o.PeerOfflineLimit)
	if err != nil {
		return nil, fault.New(fault.Invalid, "verifliers: %w", err)
	}
	p.rule = rule
	if p.shadow, err = newShadow(o, rule); err != nil {
		return nil, err
	}
	for _, m := range o.Members {
		if m.Address == "" {
			return nil, fault.New(fault.Invalid, "veriflier %s: its address is empty", m.Name)
		}
		p.members = append(p.members, newMember(m, p.o.MaxPerMember))
	}
	return p, nil
}

// dial makes the clients; they connect when they are first used.
func (p *Panel) dial() (closeAll func() error, err error) {
	var conns []*grpc.ClientConn
	closeAll = func() error {
		var errs []error
		for _, c := range conns {
			errs = append(errs, c.Close())
		}
		return errors.Join(errs...)
	}
	for _, m := range p.members {
		o := p.o.Client
		o.Token = m.Token
		conn, err := rpc.Dial(m.Address, o)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("veriflier %s: %w", m.Name, err), closeAll())
		}
		conns = append(conns, conn)
		m.client = veriflierpb.NewVeriflierServiceClient(conn)
	}
	return closeAll, nil
}

// Rule is the rule by which ballots are decided.
func (p *Panel) Rule() quorum.Rule { return p.rule }

// Status describes the members, in the order of their configuration.
func (p *Panel) Status() []MemberStatus {
	out := make([]MemberStatus, len(p.members))
	for i, m := range p.members {
		out[i] = m.status()
	}
	return out
}

// Ask holds a ballot; the answer goes to Options.Decided.
func (p *Panel) Ask(q engine.Question) { p.enqueue(job{question: q}) }

// Look asks one member after the other until one is a witness; the answer goes to Options.Looked.
func (p *Panel) Look(q engine.Question) { p.enqueue(job{question: q, look: true}) }

func (p *Panel) enqueue(j job) {
	p.mu.Lock()
	p.waiting = append(p.waiting, j)
	p.mu.Unlock()
	p.nudge()
}

func (p *Panel) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Abandon stops a ballot, wherever it is. It is not answered.
func (p *Panel) Abandon(site check.SiteID, ballot uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cancel := p.running[ballotID{site, ballot}]; cancel != nil {
		cancel()
		return
	}
	for i, j := range p.waiting {
		if !j.look && j.question.Site == site && j.question.Ballot == ballot {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return
		}
	}
}

// Run holds the ballots until ctx ends; those under way are then dropped.
func (p *Panel) Run(ctx context.Context) (err error) {
	closeAll, err := p.dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, p.o.MaxBallots)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		}
		for {
			j, ok := p.next()
			if !ok {
				break
			}
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

func (p *Panel) next() (job, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return job{}, false
	}
	j := p.waiting[0]
	p.waiting = p.waiting[1:]
	return j, true
}

func (p *Panel) do(ctx context.Context, j job) {
	if j.look {
		p.look(ctx, j.question)
		return
	}
	id := ballotID{j.question.Site, j.question.Ballot}
	ctx, cancel := context.WithTimeout(ctx, j.question.Target.Timeout+2*answerMargin)
	defer cancel()
	p.mu.Lock()
	p.running[id] = cancel
	p.mu.Unlock()
	answer, ok := p.hold(ctx, j.question)
	p.mu.Lock()
	delete(p.running, id)
	p.mu.Unlock()
	if ok {
		p.learn(answer)
		p.o.Decided(answer)
	}
}
