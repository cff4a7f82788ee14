package lookup

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// defaultMaxAge is how long an answer is used if the Options do not say.
const defaultMaxAge = time.Minute

// Options configure a Resolver. The zero value asks the machine's name servers.
type Options struct {
	// Servers is the name server to ask, as HOST:PORT, or several separated by commas. Empty
	// means the machine's name servers and its hosts file.
	Servers string
	// MaxAge limits how long an answer is used, whatever its time to live; 0 means a minute,
	// and a negative value that every lookup asks.
	MaxAge time.Duration
	// Portable keeps to what every system can do.
	Portable bool
}

// Resolver turns host names into addresses. It is safe for concurrent use.
type Resolver struct {
	// source returns the name servers to ask.
	source func(ctx context.Context) ([]netip.AddrPort, error)
	// hosts answers from the machine's own table, which comes before any server; may be nil.
	hosts    func(host string) []netip.Addr
	begun    time.Time
	portable bool
	cache    cache
	counts   counts
	// inquiries and inboxes are kept for the next lookup and reader.
	inquiries, inboxes sync.Pool
	// work waits for the readers of all sockets.
	work sync.WaitGroup

	mu      sync.Mutex
	addrs   []netip.AddrPort
	servers []*server
}

// answer is what the name servers say about a host.
type answer struct {
	addrs []netip.Addr
	ttl   time.Duration
}

type counts struct{ questions, overTCP, passedOver atomic.Int64 }

// Counts says how often something has happened.
type Counts struct {
	// Questions counts the packets that asked name servers, and OverTCP how many of them went
	// over TCP because an answer did not fit into a datagram.
	Questions, OverTCP int64
	// PassedOver counts packets that answered no open question: late, forged or garbled.
	PassedOver int64
}

// New makes a Resolver. It opens nothing.
func New(o Options) (*Resolver, error) {
	r := &Resolver{begun: time.Now(), portable: o.Portable}
	r.cache.limit = cacheBytes
	if r.cache.maxAge = o.MaxAge; o.MaxAge == 0 {
		r.cache.maxAge = defaultMaxAge
	}
	if o.Servers == "" {
		machine := &system{now: time.Now}
		r.source, r.hosts = machine.nameservers, machine.lookup
		return r, nil
	}
	g, err := parseServers(o.Servers, time.Now)
	if err != nil {
		return nil, err
	}
	r.source = g.nameservers
	return r, nil
}

// Close closes the sockets. Lookup must not run during or after Close.
func (r *Resolver) Close() {
	r.mu.Lock()
	servers := r.servers
	r.servers, r.addrs = nil, nil
	r.mu.Unlock()
	for _, s := range servers {
		s.close()
	}
	r.work.Wait()
}

// Lookup returns the addresses of a host name, which is in lower case and has no final dot.
// It ends with ctx at the latest. The addresses must not be changed.
func (r *Resolver) Lookup(ctx context.Context, host string) ([]netip.Addr, *Failure) {
	if r.hosts != nil {
		if addrs := r.hosts(host); len(addrs) > 0 {
			return addrs, nil
		}
	}
	now := r.clock()
	if addrs := r.cache.recall(host, now); addrs != nil {
		return addrs, nil
	}
	servers, f := r.ask(ctx, now)
	if f != nil {
		return nil, f
	}
	i, _ := r.inquiries.Get().(*inquiry)
	if i == nil {
		i = newInquiry(r)
	}
	i.servers, i.begun = servers, now
	got, f := i.run(ctx, host)
	r.inquiries.Put(i)
	if f != nil {
		return nil, f
	}
	r.cache.remember(host, got, now)
	return got.addrs, nil
}

// Forget drops a host's answer after its addresses did not work, so that the next lookup
// asks again.
func (r *Resolver) Forget(host string) { r.cache.forget(host) }

// Counts returns what has happened since New.
func (r *Resolver) Counts() Counts {
	return Counts{
		Questions: r.counts.questions.Load(), OverTCP: r.counts.overTCP.Load(), PassedOver: r.counts.passedOver.Load(),
	}
}

// clock is the time since New, which no change of the wall clock moves.
func (r *Resolver) clock() time.Duration { return time.Since(r.begun) }

// ask returns the servers in the order in which they should be asked: those that kept
// silent lately come last.
func (r *Resolver) ask(ctx context.Context, now time.Duration) ([]*server, *Failure) {
	all, err := r.current(ctx)
	if err != nil || len(all) == 0 {
		f := unreachable(false)
		f.Detail = "this node cannot find its name servers"
		f.TimedOut = ctx.Err() != nil
		return nil, f
	}
	if len(all) == 1 {
		return all, nil
	}
	var silent []*server
	for _, s := range all {
		if !s.answers(now) {
			silent = append(silent, s)
		}
	}
	if len(silent) == 0 {
		return all, nil
	}
	isSilent := func(s *server) bool { return slices.Contains(silent, s) }
	return append(slices.DeleteFunc(slices.Clone(all), isSilent), silent...), nil
}

// current returns the servers as they are configured now. Those that are no longer
// configured end with their last question.
func (r *Resolver) current(ctx context.Context) ([]*server, error) {
	addrs, err := r.source(ctx)
	if err != nil {
		return nil, err
	}
	addrs = addrs[:min(len(addrs), maxServers)]
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(addrs, r.addrs) {
		return r.servers, nil
	}
	var kept []*server
	for _, a := range addrs {
		at := slices.IndexFunc(r.servers, func(s *server) bool { return s.addr == a })
		if at < 0 {
			kept = append(kept, &server{addr: a, resolver: r})
			continue
		}
		kept = append(kept, r.servers[at])
	}
	for _, s := range r.servers {
		if !slices.Contains(kept, s) {
			s.leave()
		}
	}
	r.addrs, r.servers = slices.Clone(addrs), kept
	return kept, nil
}
