package peers

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// forwardedKey is the metadata key for the name of the coordinator that forwarded a call.
const forwardedKey = "jetmon-forwarded"

const (
	// maxLinks bounds the open connections; an unused one is closed after idleTime.
	maxLinks = 64
	idleTime = 10 * time.Minute

	// After a brief question has gone unanswered for slowTime, AskBriefly fails at once for
	// restTime; then one caller tries the peer again, while others fail for up to tryTime.
	slowTime = 300 * time.Millisecond
	restTime = time.Second
	tryTime  = 3 * time.Second
)

// link has the connections to one endpoint.
type link struct {
	// conn calls the peer whatever its health; ready only while it reports that it is
	// ready. Each connects on first use.
	conn, ready *grpc.ClientConn
	// users counts the running calls; used is when the last call began or ended.
	users int
	used  time.Time
}

// Forwarded reports whether another coordinator forwarded the call that a handler is
// answering; it must then answer here.
func Forwarded(ctx context.Context) bool {
	return rpc.ByPeer(ctx) && len(metadata.ValueFromIncomingContext(ctx, forwardedKey)) > 0
}

// Ask makes a call to a peer, marked as forwarded, and records whether the peer answered.
// The call must end with ctx.
func (p *Peers) Ask(ctx context.Context, to Peer, call func(context.Context, grpc.ClientConnInterface) error) error {
	return p.ask(ctx, to, func(ctx context.Context, l *link) error { return call(ctx, l.conn) })
}

// AskReady is Ask for calls that need a ready peer: while the peer is not ready, the call
// fails at once and does not leave this process.
func (p *Peers) AskReady(ctx context.Context, to Peer, call func(context.Context, grpc.ClientConnInterface) error) error {
	return p.ask(ctx, to, func(ctx context.Context, l *link) error { return call(ctx, l.ready) })
}

func (p *Peers) ask(ctx context.Context, to Peer, call func(context.Context, *link) error) error {
	l, err := p.hold(to.Endpoint)
	if err != nil {
		return err
	}
	defer p.release(l)
	err = call(metadata.AppendToOutgoingContext(rpc.OnBehalf(ctx), forwardedKey, p.o.Node), l)
	if !errors.Is(ctx.Err(), context.Canceled) { // the end of the caller tells nothing about the peer
		p.note(to.Node, err)
	}
	return err
}

// AskBriefly is Ask for questions that a peer answers from memory and the caller can do
// without. After a peer has let one of them time out, others fail at once until it answers
// again, so that a hanging peer delays few callers.
func (p *Peers) AskBriefly(ctx context.Context, to Peer, call func(context.Context, grpc.ClientConnInterface) error) error {
	began := time.Now()
	if p.rests(to.Node, began) {
		return fault.New(fault.Unavailable, "coordinator %s has just not answered", to.Node)
	}
	err := p.Ask(ctx, to, call)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch now := time.Now(); {
	case !Unanswered(err):
		delete(p.resting, to.Node)
	case now.Sub(began) >= slowTime && len(p.resting) < maxLinks:
		p.resting[to.Node] = now.Add(restTime)
	}
	return err
}

// rests reports whether a peer must not be asked at now. The first caller after its rest
// tries the peer for all others.
func (p *Peers) rests(node string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.resting[node]
	switch {
	case !ok:
		return false
	case now.Before(until):
		return true
	default:
		p.resting[node] = now.Add(tryTime)
		return false
	}
}

// Unanswered reports whether err means that a peer gave no answer of its own: it could not
// be reached, took too long, refused our credentials, or is too old to know the question.
func Unanswered(err error) bool {
	switch fault.Status(err).Code() {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists,
		codes.FailedPrecondition, codes.Aborted, codes.OutOfRange:
		return false
	default:
		return true
	}
}

// Sent records whether a call left this process. One that did and failed may have been
// carried out all the same.
type Sent struct{ at peer.Peer }

// Option returns the option to give to one call.
func (s *Sent) Option() grpc.CallOption { return grpc.Peer(&s.at) }

// Left reports, after the call has ended, whether it left this process.
func (s *Sent) Left() bool { return s.at.Addr != nil }

// note records whether a peer answered.
func (p *Peers) note(node string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !Unanswered(err) {
		delete(p.failing, node)
		return
	}
	p.denied = time.Now()
	if _, known := p.failing[node]; !known && len(p.failing) < maxLinks {
		p.failing[node] = time.Now()
	}
}

// hold returns the link to an endpoint, which stays open until it is released.
func (p *Peers) hold(endpoint string) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fault.New(fault.Unavailable, "this coordinator is stopping")
	}
	now := time.Now()
	p.sweep(now)
	l := p.links[endpoint]
	if l == nil {
		if len(p.links) >= maxLinks && !p.dropOldest() {
			return nil, fault.New(fault.Exhausted, "%d coordinators are being asked already", maxLinks)
		}
		conn, err := rpc.Dial(endpoint, p.o.Client)
		if err != nil {
			return nil, fault.New(fault.Unavailable, "%w", err)
		}
		ready, err := rpc.DialServing(endpoint, p.o.Client)
		if err != nil {
			return nil, fault.New(fault.Unavailable, "%w", errors.Join(err, conn.Close()))
		}
		l = &link{conn: conn, ready: ready}
		p.links[endpoint] = l
	}
	l.users++
	l.used = now
	return l, nil
}

func (p *Peers) release(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.users--
	l.used = time.Now()
}

// sweep closes the links that have been idle for idleTime.
func (p *Peers) sweep(now time.Time) {
	for endpoint, l := range p.links {
		if l.users == 0 && now.Sub(l.used) > idleTime {
			p.drop(endpoint)
		}
	}
}

// dropOldest closes the link that has been idle longest; false when all are in use.
func (p *Peers) dropOldest() bool {
	var oldest string
	for endpoint, l := range p.links {
		if l.users == 0 && (oldest == "" || l.used.Before(p.links[oldest].used)) {
			oldest = endpoint
		}
	}
	if oldest == "" {
		return false
	}
	p.drop(oldest)
	return true
}

func (p *Peers) drop(endpoint string) {
	_ = p.links[endpoint].conn.Close() // fails only if it is closed already
	_ = p.links[endpoint].ready.Close()
	delete(p.links, endpoint)
}

// Close closes all connections, which ends the calls that still run on them.
func (p *Peers) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for endpoint := range p.links {
		p.drop(endpoint)
	}
}
