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

// forwardedKey is the metadata that names the coordinator which passed a call on.
const forwardedKey = "jetmon-forwarded"

const (
	// maxLinks bounds the open connections, idleTime how long one stays that nobody uses.
	maxLinks = 64
	idleTime = 10 * time.Minute

	// A brief question that goes unanswered for slowTime is not asked again for restTime,
	// and then by one asker, who gets tryTime.
	slowTime = 300 * time.Millisecond
	restTime = time.Second
	tryTime  = 3 * time.Second
)

// link is the way to one endpoint.
type link struct {
	// conn asks whatever the peer's health, ready only a peer that says that it is ready.
	// Each connects when it is first used.
	conn, ready *grpc.ClientConn
	// users are the calls that run on it; used is when the last one began or ended.
	users int
	used  time.Time
}

// Forwarded says whether the call that a handler answers was passed on by another
// coordinator: then it must be answered here.
func Forwarded(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, forwardedKey)) > 0
}

// Ask makes a call to a peer, marked as forwarded. Whether the peer answered is
// remembered. The call must end with ctx.
func (p *Peers) Ask(ctx context.Context, to Peer, call func(context.Context, grpc.ClientConnInterface) error) error {
	return p.ask(ctx, to, func(ctx context.Context, l *link) error { return call(ctx, l.conn) })
}

// AskReady is Ask for what a peer cannot do while it is not ready: then the call fails at
// once, and has not left this process.
func (p *Peers) AskReady(ctx context.Context, to Peer, call func(context.Context, grpc.ClientConnInterface) error) error {
	return p.ask(ctx, to, func(ctx context.Context, l *link) error { return call(ctx, l.ready) })
}

func (p *Peers) ask(ctx context.Context, to Peer, call func(context.Context, *link) error) error {
	l, err := p.hold(to.Endpoint)
	if err != nil {
		return err
	}
	defer p.release(l)
	err = call(metadata.AppendToOutgoingContext(ctx, forwardedKey, p.o.Node), l)
	if !errors.Is(ctx.Err(), context.Canceled) { // the asker's own end says nothing about the peer
		p.note(to.Node, err)
	}
	return err
}

// AskBriefly is Ask for what a peer knows by heart, and the asker can do without. When it
// has let one such question time out, others fail at once until it answers again, so
// that a peer that hangs delays few.
func (p *Peers) AskBriefly(ctx context.Context, to Peer, call func(context.Context, grpc.ClientConnInterface) error) error {
	began := time.Now()
	if p.rests(to.Node, began) {
		return fault.New(fault.Unavailable, "coordinator %s did not answer a moment ago", to.Node)
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

// rests says whether a peer is not to be asked at now. Who finds that its rest is over
// tries it for all.
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

// Unanswered says whether err means that a peer gave no answer of its own: it could not
// be reached, took too long, does not let us in, or is too old to know the question.
func Unanswered(err error) bool {
	switch fault.Status(err).Code() {
	case codes.OK, codes.InvalidArgument, codes.NotFound, codes.AlreadyExists,
		codes.FailedPrecondition, codes.Aborted, codes.OutOfRange:
		return false
	default:
		return true
	}
}

// Sent is a call option that tells whether a call left this process: one that did and
// failed may have been carried out all the same.
type Sent struct{ at peer.Peer }

// Option is to be given to one call.
func (s *Sent) Option() grpc.CallOption { return grpc.Peer(&s.at) }

// Left says whether the call left this process, once it has ended.
func (s *Sent) Left() bool { return s.at.Addr != nil }

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

// hold returns the connection to an endpoint, which stays open until it is released.
func (p *Peers) hold(endpoint string) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fault.New(fault.Unavailable, "this coordinator ends")
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

// sweep closes the connections that nobody has used for long.
func (p *Peers) sweep(now time.Time) {
	for endpoint, l := range p.links {
		if l.users == 0 && now.Sub(l.used) > idleTime {
			p.drop(endpoint)
		}
	}
}

// dropOldest makes room for a connection; false when all are in use.
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
	_ = p.links[endpoint].conn.Close() // fails only when it is closed already
	_ = p.links[endpoint].ready.Close()
	delete(p.links, endpoint)
}

// Close ends all connections, and with them the calls that still run.
func (p *Peers) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for endpoint := range p.links {
		p.drop(endpoint)
	}
}
