package probe

import (
	"context"
	"crypto/tls"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// engine does one exchange: connect to one of the addresses, hand over the request,
// read the answer's head. What is asked, where it may go, and what the answer means is
// decided outside, so that every engine comes to the same verdicts.
//
// An engine puts each address to the policy directly before it connects, keeps to the
// context's deadline and ends at once when the context does, notes in the trace how far
// it got, and calls a failure by the functions of classify.go.
type engine interface {
	exchange(ctx context.Context, r *request, t *trace) (*response, *failure)
	// close gives up what the engine holds, after the last exchange.
	close()
}

// request is one request on one new connection.
type request struct {
	place *place
	// addrs are the addresses of the place's host, in the order of resolution.
	addrs []netip.Addr
	// wire is the whole request as bytes; it has no body.
	wire []byte
	// wantsBody says that the answer's body may be read.
	wantsBody bool
}

// response is an answer whose head was read.
type response struct {
	head head
	// body is what follows the head, with its framing; nil after HEAD is never read.
	body io.Reader
	// close gives the connection up. It must be called once.
	close func()
}

// trace is what one attempt leaves as evidence. One goroutine writes it; phase alone
// may be read by others meanwhile.
type trace struct {
	phase  atomic.Uint32
	timing check.Timing
	addr   netip.AddrPort
	// leafEnd is the earliest end of a certificate on the way, version the oldest TLS.
	leafEnd time.Time
	version uint16
	ipv6    *ipv6Watch
}

func (t *trace) reach(p check.Phase)  { t.phase.Store(uint32(p)) }
func (t *trace) reached() check.Phase { return check.Phase(t.phase.Load()) }
func (t *trace) tlsIsOld() bool       { return t.version != 0 && t.version < tls.VersionTLS12 }

// secured notes a handshake. The certificate that a handshake failed with is the one
// to show.
func (t *trace) secured(leafEnd time.Time, version uint16, ok bool) {
	if !ok || t.leafEnd.IsZero() || leafEnd.Before(t.leafEnd) {
		t.leafEnd = leafEnd
	}
	if ok && (t.version == 0 || version < t.version) {
		t.version = version
	}
}

func since(start time.Time) time.Duration { return max(time.Since(start), time.Microsecond) }
