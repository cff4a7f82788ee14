package probe

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// TestTicketsCountWithoutAnAnswer has a server that sends its tickets together with the end of
// its handshake, and then nothing: the GET beside the HEAD that hangs resumes its session.
func TestTicketsCountWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, newProber maker) {
		site := fakesite.NewTLS(t, fakesite.Valid)
		resumed := make(chan bool, 2)
		site.SetConn(func(c net.Conn) {
			var in [4096]byte
			_, _ = c.Read(in[:])
			resumed <- c.(*tls.Conn).ConnectionState().DidResume
			_, _ = io.Copy(io.Discard, c)
		})
		p := newProber(t, func(o *Options) { o.RootCAs = site.Roots() })
		o := probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Timeout: 4 * short})
		if o.Failure != check.FailureTimeout || o.Reason != "first_byte" {
			t.Errorf("%+v", o)
		}
		if first, second := <-resumed, <-resumed; first || !second {
			t.Errorf("resumed: %v, then %v", first, second)
		}
	}, fast, portable)
}
