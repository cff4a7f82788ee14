package panel

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/pause"
	"github.com/Automattic/jetmon/internal/rpc"
)

// lineup is the members and the rule at one time. A ballot is held by the one with which it
// began.
type lineup struct {
	rule    quorum.Rule
	roster  []quorum.Voter
	members []*member
	shadow  *shadow // nil without a shadow rule
	pairs   pairs
}

// newLineup checks the roster and the rule. It keeps the members of the present lineup, nil
// if there is none, that stay the same, with what is known of them, and changes nothing of
// them.
func newLineup(o Options, present *lineup) (*lineup, error) {
	l := &lineup{}
	for _, m := range o.Members {
		l.roster = append(l.roster, quorum.Voter{Name: m.Name, Region: m.Region})
		if m.Address == "" {
			return nil, fault.New(fault.Invalid, "veriflier %s: its address is empty", m.Name)
		}
	}
	rule, err := quorum.NewRule(l.roster, o.PeerOfflineLimit)
	if err != nil {
		return nil, fault.New(fault.Invalid, "verifliers: %w", err)
	}
	l.rule = rule
	if l.shadow, err = newShadow(o, rule); err != nil {
		return nil, err
	}
	if present != nil && present.rule == rule && l.shadow.same(present.shadow) {
		l.shadow = present.shadow
	}
	for _, m := range o.Members {
		kept := present.find(m)
		if kept == nil {
			kept = newMember(m, o)
		}
		l.members = append(l.members, kept)
	}
	l.pairs = newPairs(l, present)
	return l, nil
}

// find returns the member with the name, region and address of another, nil if there is none.
func (l *lineup) find(other Member) *member {
	if l == nil {
		return nil
	}
	for _, m := range l.members {
		if m.Name == other.Name && m.Region == other.Region && m.Address == other.Address {
			return m
		}
	}
	return nil
}

// identityOf returns how a member is dialled.
func (o Options) identityOf(m Member) rpc.ClientOptions {
	c := o.Client
	c.Token = m.Token
	return c
}

// Change replaces the members, the rule and the client's TLS and tokens. Ballots under way
// end with the old ones. An error changes nothing. Only Members, PeerOfflineLimit, the
// shadow rule and Client of the options count.
func (p *Panel) Change(o Options) error {
	p.life.Lock()
	defer p.life.Unlock()
	present, next := p.lineup.Load(), p.o
	next.Members, next.PeerOfflineLimit, next.Client = o.Members, o.PeerOfflineLimit, o.Client
	next.ShadowNeed, next.ShadowRegions = o.ShadowNeed, o.ShadowRegions
	l, err := newLineup(next, present)
	if err != nil {
		return err
	}
	if p.running != nil {
		for _, m := range l.members {
			if present.find(m.Member) == nil {
				if err := p.running.start(m, next); err != nil {
					return err
				}
			}
		}
	}
	for i, m := range l.members {
		m.identity.Set(next.identityOf(next.Members[i]))
		m.wakeGreeting()
	}
	p.lineup.Store(l)
	if p.running != nil {
		for _, m := range present.members {
			if l.find(m.Member) == nil {
				p.running.retire(m)
			}
		}
	}
	return nil
}

// run is what runs while Run does.
type run struct {
	ctx context.Context
	wg  sync.WaitGroup
}

func (p *Panel) begin(ctx context.Context) error {
	p.life.Lock()
	defer p.life.Unlock()
	p.running = &run{ctx: ctx}
	for _, m := range p.lineup.Load().members {
		if err := p.running.start(m, p.o); err != nil {
			return errors.Join(err, p.running.stop(p.lineup.Load()))
		}
	}
	return nil
}

// finish waits for the members' goroutines, whose context has ended, and hangs up.
func (p *Panel) finish() error {
	p.life.Lock()
	defer p.life.Unlock()
	running := p.running
	p.running = nil
	return running.stop(p.lineup.Load())
}

func (r *run) stop(l *lineup) error {
	var errs []error
	for _, m := range l.members {
		if m.conn == nil {
			continue
		}
		m.end()
		errs = append(errs, m.conn.Close())
	}
	r.wg.Wait()
	return errors.Join(errs...)
}

// start makes the client of a member, which connects on first use, and looks after it.
func (r *run) start(m *member, o Options) error {
	client := o.Client
	client.Identity, client.Stats = m.identity, o.Traces.Client()
	conn, err := rpc.Dial(m.Address, client)
	if err != nil {
		return fmt.Errorf("veriflier %s: %w", m.Name, err)
	}
	m.hangOn(conn)
	ctx, end := context.WithCancel(r.ctx)
	m.end = end
	r.wg.Go(func() { m.watch(ctx) })
	if o.GreetEvery > 0 {
		r.wg.Go(func() { m.greetings(ctx, o.GreetEvery) })
	}
	return nil
}

func (m *member) hangOn(conn *grpc.ClientConn) {
	m.conn, m.client, m.health = conn, veriflierv1.NewVeriflierServiceClient(conn), healthpb.NewHealthClient(conn)
}

// retireAfter is how long ballots may go on with a member that left the panel.
const retireAfter = check.VerifyTimeout + 3*answerMargin

// retire hangs up when no ballot can need the member any more.
func (r *run) retire(m *member) {
	m.end()
	r.wg.Go(func() {
		pause.For(r.ctx, retireAfter)
		if err := m.conn.Close(); err != nil {
			m.log.Warn("hang up on a veriflier", "veriflier", m.Name, "error", err)
		}
	})
}
