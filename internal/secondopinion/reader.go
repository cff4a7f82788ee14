package secondopinion

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
)

const (
	// maxHeadBytes limits the header of a response.
	maxHeadBytes = 128 << 10
	// window is how much of an HTTP/2 body a server may send ahead of us.
	window = 64 << 10
)

// Reader asks sites. It is safe for concurrent use, and holds no connections.
type Reader struct {
	network  *network
	tls      *tls.Config
	decoders decoders
}

// New makes a Reader with the options of the engine beside which it stands. It opens
// nothing.
func New(o probe.Options) (*Reader, error) {
	servers, err := parseServers(o.Resolver)
	if err != nil {
		return nil, fmt.Errorf("second opinion: %w", err)
	}
	return &Reader{
		network:  newNetwork(o.AddressPolicy(), servers),
		decoders: make(decoders, maxLarge),
		tls:      &tls.Config{RootCAs: o.RootCAs, Time: o.Now, MinVersion: tls.VersionTLS10, CipherSuites: allSuites()},
	}, nil
}

// allSuites lists old cipher suites too: a site that speaks nothing newer is up.
func allSuites() []uint16 {
	var all []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		all = append(all, s.ID)
	}
	return all
}

// Ask reads a target once more and returns what it saw, at the latest when the target's
// Timeout or ctx ends. doubted is the engine's observation: where the engine judged the page
// as a whole, a good page must show more than the page of a failure does. A context that ends
// first gives OutcomeUnknown.
func (r *Reader) Ask(ctx context.Context, t check.Target, doubted check.Observation) check.Observation {
	start := time.Now()
	budget := t.Timeout
	if budget <= 0 {
		budget = check.RoutineTimeout
	}
	within, cancel := context.WithTimeout(ctx, min(budget, check.MaxTimeout))
	defer cancel()
	a := &asking{Reader: r, target: t, wants: wantsOf(t, doubted), cookies: newCookies()}
	a.wants.decoders = r.decoders
	a.transport = a.newTransport(within)
	f := a.visitSafely(within)
	cancel()
	a.close()
	return a.observe(f, ctx.Err() != nil, time.Since(start))
}

// asking is one Ask.
type asking struct {
	*Reader
	target    check.Target
	wants     wants
	cookies   *cookies
	transport *http.Transport
	hops      []check.Hop

	// dials are those under way. Invariant: Add is called only under mu and before over.
	dials sync.WaitGroup
	mu    sync.Mutex
	over  bool
	conns []net.Conn
	seen  seen
}

// seen is how far an asking got. net/http reports it from goroutines of its own.
type seen struct {
	phase    check.Phase
	timing   check.Timing
	address  string
	protocol string
	status   int
	leafEnd  time.Time
}

// note changes what was seen.
func (a *asking) note(change func(*seen)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.seen)
}

func (a *asking) reach(p check.Phase) { a.note(func(s *seen) { s.phase = p }) }

// visitSafely visits the target. A site's bytes reach much code that is not ours: a panic
// there costs this one opinion.
func (a *asking) visitSafely(ctx context.Context) (f *finding) {
	defer func() {
		if v := recover(); v != nil {
			f = &finding{outcome: check.OutcomeUnknown, reason: "internal_error", detail: fmt.Sprintf("panic: %v", v)}
		}
	}()
	return a.visit(ctx)
}

// newTransport makes the transport of one asking. Its dials end with ctx, also those that
// net/http would finish for a later request.
func (a *asking) newTransport(ctx context.Context) *http.Transport {
	t := &http.Transport{
		TLSClientConfig:        a.tls.Clone(),
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeadBytes,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: window, MaxReceiveBufferPerConnection: window},
	}
	t.TLSClientConfig.InsecureSkipVerify = a.target.TLSErrors == check.TLSErrorsAdvise
	t.DialContext = a.dialer(ctx)
	return t
}

// observe returns the observation. cancelled means that the caller gave up before the budget
// was used.
func (a *asking) observe(f *finding, cancelled bool, took time.Duration) check.Observation {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.seen
	s.timing.Total = took
	o := check.Observation{
		Outcome: check.OutcomeUp, HTTPStatus: s.status, Timing: s.timing, Phase: check.PhaseDone, Method: check.MethodGet,
		ResolvedAddress: s.address, Protocol: s.protocol, Hops: a.hops, CertificateExpire: s.leafEnd,
	}
	switch {
	case f == nil:
		return o
	case f.timedOut && cancelled:
		f = &finding{outcome: check.OutcomeUnknown, reason: "cancelled", detail: "the caller gave up"}
	}
	o.Outcome, o.Failure, o.Reason, o.Detail, o.Phase = f.outcome, f.kind, f.reason, f.detail, s.phase
	return o
}
