package probe

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// serveHTTP2 starts a server that offers only HTTP/2, after a change to its configuration.
// Clients that offer nothing that it knows get no further, unless the change says otherwise.
func serveHTTP2(t *testing.T, handler http.HandlerFunc, change func(*http.Server)) (url string, roots func(*Options)) {
	t.Helper()
	config, pool := fakesite.Valid.Config(t)
	config.NextProtos = []string{"h2"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP2(true)
	s.TLSConfig = config
	if change != nil {
		change(s)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeTLS(l, "", "")
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return "https://" + l.Addr().String() + "/", func(o *Options) { o.RootCAs = pool }
}

// TestServersOfHTTP2Only checks servers that refuse HTTP/1.1: their answers count as if they
// had come by it.
func TestServersOfHTTP2Only(t *testing.T) {
	t.Parallel()
	onEngines(t, serversOfHTTP2OnlyOn, fast, portable, reference)
}

func serversOfHTTP2OnlyOn(t *testing.T, newProber maker) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		change  func(*http.Server)
		target  check.Target
		want    finding
	}{
		{"healthy", func(http.ResponseWriter, *http.Request) {}, nil, check.Target{}, up(200)},
		{"of TLS 1.2", func(http.ResponseWriter, *http.Request) {}, func(s *http.Server) { s.TLSConfig.MaxVersion = tls.VersionTLS12 }, check.Target{}, up(200)},
		{"failing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, nil, check.Target{},
			fails(check.FailureServer, "http_503", 503, check.PhaseBody)},
		{"with a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "say hello") }, nil,
			check.Target{Settings: check.Settings{RequiredTexts: []string{"hello"}}}, up(200)},
		{"with another page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "say nothing") }, nil,
			check.Target{Settings: check.Settings{RequiredTexts: []string{"hello"}}}, fails(check.FailureContent, "required_text_missing", 200, check.PhaseBody)},
		{"that breaks off in the page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "say")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, nil, byGet, fails(check.FailurePartial, "lost", 200, check.PhaseBody)},
		{"that waits for its cookie", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Cookie") != `a={"b":1}` {
				w.Header().Set("Set-Cookie", `a={"b":1}`)
				http.Redirect(w, r, "/", http.StatusFound)
			}
		}, nil, check.Target{}, up(200)},
		{"that hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, soon(byHead),
			fails(check.FailureTimeout, "first_byte", 0, check.PhaseResponse)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url, roots := serveHTTP2(t, c.handler, c.change)
			p := newProber(t, roots)
			c.target.URL = url
			o := probeInTime(t.Context(), t, p, c.target)
			if got := findingOf(o); !got.same(c.want) {
				t.Errorf("got %+v\nwant %+v\nof %+v", got, c.want, o)
			}
			if o.Outcome == check.OutcomeUp && (o.Protocol != "HTTP/2" || o.CertificateExpire.IsZero()) {
				t.Errorf("got %+v", o)
			}
		})
	}
}

// TestHTTP2GetsTheSameRequest shows what such a server is asked.
func TestHTTP2GetsTheSameRequest(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	url, roots := serveHTTP2(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r }, nil)
	p := newProber(t, roots)
	o := probeInTime(t.Context(), t, p, check.Target{URL: url + "x//a%2Fb|c?d='", Settings: check.Settings{
		Method: check.MethodGet, Headers: []check.Header{{Name: "X-Pass", Value: "secret"}, {Name: "Cookie", Value: "a=b"}}}})
	if o.Outcome != check.OutcomeUp {
		t.Fatalf("got %+v", o)
	}
	got := <-asked
	if got.RequestURI != "/x//a%2Fb|c?d=%27" || got.Method != "GET" || got.Host != strings.Trim(url, "htps:/") || got.ProtoMajor != 2 {
		t.Errorf("got %s %s on %s", got.Method, got.RequestURI, got.Host)
	}
	for name, want := range map[string]string{
		"X-Pass": "secret", "Cookie": "a=b", "User-Agent": userAgent, "Accept": "*/*", "Accept-Encoding": "gzip", "Connection": "",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: got %q, want %q", name, v, want)
		}
	}
}

// TestServersThatRefuseHTTP1AfterTheHandshake checks servers that know no ALPN without h2,
// and say so by HTTP/1.1.
func TestServersThatRefuseHTTP1AfterTheHandshake(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, newProber maker) {
		for _, answer := range []string{
			"HTTP/1.0 403 Forbidden\r\n\r\nMissing ALPN Protocol, expected `h2`", "HTTP/1.1 505 No\r\n\r\n", "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", "",
		} {
			url, roots := serveHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor == 2 {
					return
				}
				c, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					_, _ = io.WriteString(c, answer)
					_ = c.Close()
				}
			}, func(s *http.Server) {
				s.Protocols.SetHTTP1(true)
				without := s.TLSConfig.Clone()
				without.NextProtos = nil
				s.TLSConfig.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
					if slices.Contains(h.SupportedProtos, "h2") {
						return nil, nil
					}
					return without, nil
				}
			})
			o := probeInTime(t.Context(), t, newProber(t, roots), check.Target{URL: url})
			if o.Outcome != check.OutcomeUp || o.Protocol != "HTTP/2" {
				t.Errorf("%q: got %+v", answer, o)
			}
		}
	}, fast, portable)
}

// helloOfH2 is a ServerHello of TLS 1.2 that chooses h2.
func helloOfH2() []byte {
	extensions := "\x00\x10\x00\x05\x00\x03\x02h2" + "\xff\x01\x00\x01\x00"
	hello := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\xc0\x2b" + "\x00" + string([]byte{0, byte(len(extensions))}) + extensions
	message := string([]byte{2, 0, 0, byte(len(hello))}) + hello
	return []byte("\x16\x03\x03" + string([]byte{0, byte(len(message))}) + message)
}

// TestServersThatChooseHTTP2Unasked checks servers that choose h2 whatever is on offer.
func TestServersThatChooseHTTP2Unasked(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, newProber maker) {
		url, roots := serveHTTP2(t, func(http.ResponseWriter, *http.Request) {}, nil)
		back := strings.Trim(url, "htps:/")
		front, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		t.Cleanup(func() {
			_ = front.Close()
			work.Wait()
		})
		work.Go(func() {
			for c, err := front.Accept(); err == nil; c, err = front.Accept() {
				work.Go(func() { unaskedConn(c, back) })
			}
		})
		o := probeInTime(t.Context(), t, newProber(t, roots), check.Target{URL: "https://" + front.Addr().String()})
		if o.Outcome != check.OutcomeUp || o.Protocol != "HTTP/2" {
			t.Errorf("got %+v", o)
		}
	}, fast, portable)
}

// unaskedConn answers a ClientHello without h2, and lets the server behind answer others.
func unaskedConn(c net.Conn, back string) {
	defer c.Close()
	hello := make([]byte, 4096)
	n, err := c.Read(hello)
	if err != nil {
		return
	}
	if !bytes.Contains(hello[:n], []byte("\x02h2")) {
		_, _ = c.Write(helloOfH2())
		_, _ = io.Copy(io.Discard, c)
		return
	}
	server, err := net.Dial("tcp", back)
	if err != nil {
		return
	}
	defer server.Close()
	_, _ = server.Write(hello[:n])
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(c, server)
		_ = c.Close()
	}()
	_, _ = io.Copy(server, c)
	_ = server.Close()
	<-done
}

// TestOthersAreNotAskedTwice shows that a failure that HTTP/2 could not mend stays, and
// costs no second connection.
func TestOthersAreNotAskedTwice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		variant fakesite.Variant
		site    func(*fakesite.Site)
		conns   int32
		reason  string
	}{
		{fakesite.Expired, status(200), 1, "expired"},
		{fakesite.Valid, func(s *fakesite.Site) { s.Hang() }, 1, "first_byte"},
		{fakesite.Valid, status(404), 1, "http_404"},
	} {
		var conns atomic.Int32
		site := fakesite.NewTLSWith(t, c.variant, func(config *tls.Config) {
			config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
				conns.Add(1)
				return nil, nil
			}
		})
		c.site(site)
		p := newProber(t, func(o *Options) { o.RootCAs, o.SessionCacheBytes = site.Roots(), -1 })
		o := probeInTime(t.Context(), t, p, soon(check.Target{URL: site.URL(), Settings: check.Settings{Method: check.MethodHead}}))
		if o.Reason != c.reason || conns.Load() != c.conns {
			t.Errorf("%s: %d connections, got %+v", c.reason, conns.Load(), o)
		}
	}
}

// TestPlainExchangesPayNothing keeps the second try away from http.
func TestPlainExchangesPayNothing(t *testing.T) {
	t.Parallel()
	site := fakesite.New(t)
	site.SetStatus(http.StatusForbidden)
	var dialled atomic.Int32
	p := newProber(t)
	gate := p.connector.gate
	p.connector.gate = func(a netip.AddrPort) error {
		dialled.Add(1)
		return gate(a)
	}
	probeInTime(t.Context(), t, p, check.Target{URL: site.URL(), Timeout: 5 * time.Second, Settings: check.Settings{Method: check.MethodHead}})
	if dialled.Load() != 1 {
		t.Errorf("%d connections", dialled.Load())
	}
}
