package secondopinion

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/test/fakesite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dials records which addresses a Reader gives to the kernel.
type dials struct {
	mu  sync.Mutex
	all []netip.AddrPort
}

func (d *dials) note(a netip.AddrPort) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, a)
}

func (d *dials) list() []netip.AddrPort {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]netip.AddrPort(nil), d.all...)
}

// newReader makes a Reader that may ask loopback, and fails the test if it dials anything
// else.
func newReader(t testing.TB, change ...func(*probe.Options)) *Reader {
	t.Helper()
	o := probe.Options{AllowPrivate: true}
	for _, c := range change {
		c(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	staysHere(t, r)
	return r
}

var errLeft = errors.New("the test would have left loopback")

// staysHere keeps a Reader on this machine, whatever a test gets wrong, and records what it
// dials.
func staysHere(t testing.TB, r *Reader) *dials {
	d := &dials{}
	r.network.dialled = func(a netip.AddrPort) error {
		d.note(a)
		if !a.Addr().IsLoopback() {
			t.Errorf("the test would have connected to %v", a)
			return errLeft
		}
		return nil
	}
	return d
}

// answers makes a site that answers each request with bytes that depend on it.
func answers(answer func(r *http.Request) string) func(*fakesite.Site) {
	return func(s *fakesite.Site) {
		s.SetConn(func(c net.Conn) {
			if r := readRaw(c); r != nil {
				_, _ = io.WriteString(c, answer(r))
			}
		})
	}
}

// readRaw reads a request whose URI net/http would not accept.
func readRaw(c net.Conn) *http.Request {
	in := textproto.NewReader(bufio.NewReader(c))
	line, err := in.ReadLine()
	if err != nil {
		return nil
	}
	header, err := in.ReadMIMEHeader()
	words := strings.Split(line, " ")
	if err != nil || len(words) != 3 {
		return nil
	}
	return &http.Request{Method: words[0], RequestURI: words[1], Header: http.Header(header), Host: header.Get("Host")}
}

// says makes a site that answers every request with these bytes.
func says(answer string) func(*fakesite.Site) {
	return answers(func(*http.Request) string { return answer })
}

const (
	ok       = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	notFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
)

// moved is a redirect with these header lines.
func moved(lines ...string) string {
	return "HTTP/1.1 302 Found\r\n" + strings.Join(lines, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
}

// only is a site where one path works, and another, "/", leads to it.
func only(path string, there ...string) func(*fakesite.Site) {
	return answers(func(r *http.Request) string {
		switch r.RequestURI {
		case path:
			return ok
		case "/":
			return moved(there...)
		}
		return notFound
	})
}

func isGood(t *testing.T, name string, o check.Observation) {
	t.Helper()
	if o.Outcome != check.OutcomeUp || o.Reason != "" || o.Phase != check.PhaseDone || o.HTTPStatus < 200 || o.Timing.Total <= 0 || o.Timing.Total > time.Minute {
		t.Errorf("%s: %+v, want a good page", name, o)
	}
}

func isBad(t *testing.T, name string, o check.Observation, kind check.FailureKind, reason string) {
	t.Helper()
	if o.Outcome != check.OutcomeDown || o.Failure != kind || o.Reason != reason {
		t.Errorf("%s: %+v, want %s (%s)", name, o, kind, reason)
	}
}

// rawOf returns the connection below TLS.
func rawOf(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}
