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

// engine does one exchange: it connects to one of the addresses, sends the request and
// reads the response's head. Its caller decides what to request, which places are allowed
// and what the response means, so that every engine returns the same outcomes.
//
// An engine applies the address policy directly before each connect. It keeps to the
// context's deadline and ends at once when the context does. It records its progress in
// the trace, and classifies failures with the functions of classify.go.
type engine interface {
	exchange(ctx context.Context, r *request, t *trace) (*response, *failure)
	// close releases the engine's resources after the last exchange.
	close()
}

// request is one request on one new connection.
type request struct {
	place *place
	// addrs are the addresses of the place's host, in the order of resolution.
	addrs []netip.Addr
	// wire is the whole request as bytes; it has no body.
	wire []byte
	// wantsBody is true when the caller may read the response's body.
	wantsBody bool
	// lenient requests go on with a certificate that does not verify.
	lenient bool
}

// response is a response whose head was read.
type response struct {
	head head
	// body is the body with its framing. It may be nil after HEAD, when nobody reads it.
	body io.Reader
	// close closes the connection. It must be called once.
	close func()
}

// trace is the evidence of one attempt. One goroutine writes it; meanwhile others may
// read only phase.
type trace struct {
	phase  atomic.Uint32
	timing check.Timing
	addr   netip.AddrPort
	// leafEnd is the earliest end of a leaf certificate on the way, and version the oldest
	// TLS version.
	leafEnd time.Time
	version uint16
	// distrust is why a certificate on the way does not verify, if the check went on.
	distrust *failure
	ipv6     *ipv6Watch
}

func (t *trace) reach(p check.Phase)  { t.phase.Store(uint32(p)) }
func (t *trace) reached() check.Phase { return check.Phase(t.phase.Load()) }
func (t *trace) tlsIsOld() bool       { return t.version != 0 && t.version < tls.VersionTLS12 }

// secured records a handshake. The certificate of a failed handshake replaces any other,
// as it explains the failure.
func (t *trace) secured(leafEnd time.Time, version uint16, ok bool) {
	if !ok || t.leafEnd.IsZero() || leafEnd.Before(t.leafEnd) {
		t.leafEnd = leafEnd
	}
	if ok && (t.version == 0 || version < t.version) {
		t.version = version
	}
}

// adopt takes over the evidence of a second try.
func (t *trace) adopt(second *trace) {
	t.reach(second.reached())
	t.timing = sum(t.timing, second.timing)
	t.addr = second.addr
	t.secured(second.leafEnd, second.version, second.version != 0)
	if second.distrust != nil {
		t.distrust = second.distrust
	}
	t.dropIPv6()
	t.ipv6 = second.ipv6
}

// dropIPv6 ends the IPv6 attempts that still run when nothing needs their result.
func (t *trace) dropIPv6() {
	if t.ipv6 != nil {
		t.ipv6.finish()
		t.ipv6 = nil
	}
}

func since(start time.Time) time.Duration { return max(time.Since(start), time.Microsecond) }
