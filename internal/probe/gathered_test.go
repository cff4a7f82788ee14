package probe

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// noted is a connection that notes what is done with it.
type noted struct {
	net.Conn
	did      []string
	writeErr error
}

func (n *noted) Write(b []byte) (int, error) {
	n.did = append(n.did, "write "+string(b))
	return len(b), n.writeErr
}

func (n *noted) Read([]byte) (int, error) {
	n.did = append(n.did, "read")
	return 0, io.EOF
}

func TestWritesAreGatheredUntilTheNextReadOrRelease(t *testing.T) {
	t.Parallel()
	below := &noted{}
	g := &gathered{Conn: below}
	_, _ = io.WriteString(g, "a")
	_, _ = g.Read(nil)
	_, _ = io.WriteString(g, "b")
	_, _ = io.WriteString(g, "c")
	_ = g.release()
	_, _ = io.WriteString(g, "d")
	_, _ = g.Read(nil)
	if want := []string{"write a", "read", "write bc", "write d", "read"}; !slices.Equal(below.did, want) {
		t.Errorf("did %q, want %q", below.did, want)
	}
}

func TestAnswerIsReadAfterAFailedWrite(t *testing.T) {
	t.Parallel()
	below := &noted{writeErr: syscall.EPIPE}
	g := &gathered{Conn: below}
	_, _ = io.WriteString(g, "a")
	if _, err := g.Read(nil); !errors.Is(err, io.EOF) || len(below.did) != 2 {
		t.Errorf("%v, did %q", err, below.did)
	}
}

// TestServerIsToldWhyAHandshakeEnds shows that the alert reaches the server, which logs it.
func TestServerIsToldWhyAHandshakeEnds(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil) // its issuer is unknown
	t.Cleanup(server.Close)
	config := &tls.Config{Certificates: server.TLS.Certificates}
	onEngines(t, func(t *testing.T, newProber maker) {
		site, said := fakesite.New(t), make(chan error, 2)
		site.SetConn(func(c net.Conn) { said <- tls.Server(c, config).Handshake() })
		o := probeInTime(t.Context(), t, newProber(t), check.Target{URL: strings.Replace(site.URL(), "http:", "https:", 1)})
		if o.Failure != check.FailureTLS {
			t.Errorf("%+v", o)
		}
		if err := <-said; err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
			t.Errorf("the server saw %v", err)
		}
	}, fast, portable)
}
