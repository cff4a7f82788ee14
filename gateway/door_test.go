package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/gateway"
)

// rawly sends bytes and returns the first answer to them, for what no HTTP client sends. The
// answer must be the last thing on the connection if it says so.
func rawly(t *testing.T, c net.Conn, sent string) answer {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// A server may refuse before it has read everything.
	go func() { _, _ = io.WriteString(c, sent) }()
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%.80q: %v", sent, err)
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.80q: %v", sent, err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if err := json.Unmarshal(raw, &a.json); err != nil {
		t.Fatalf("%.80q: %d is no JSON: %q", sent, a.status, raw)
	}
	if resp.Close {
		if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
			t.Errorf("%.80q: after the answer: %q %v", sent, rest, err)
		}
	}
	return a
}

func (h *house) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := h.network.DialContext(t.Context(), gatewayAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// headless are requests that net/http refuses before a handler sees them.
func headless() map[string]struct {
	sent    string
	status  int
	message string
} {
	return map[string]struct {
		sent    string
		status  int
		message string
	}{
		"no HTTP":                     {"hello, is anybody there?\r\n\r\n", 400, "not HTTP"},
		"no version":                  {"GET /healthz\r\n\r\n", 400, "not HTTP"},
		"another version":             {"GET / HTTP/3.0\r\nHost: gateway\r\n\r\n", 400, "version of HTTP"},
		"no host":                     {"GET / HTTP/1.1\r\n\r\n", 400, "Host"},
		"two hosts":                   {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "not HTTP"},
		"a host that is none":         {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host"},
		"a header without a colon":    {"GET / HTTP/1.1\r\nHost: gateway\r\nX\r\n\r\n", 400, "not HTTP"},
		"a header with a blank":       {"GET / HTTP/1.1\r\nHost: gateway\r\nX y: z\r\n\r\n", 400, "not HTTP"},
		"a header with a NUL":         {"GET / HTTP/1.1\r\nHost: gateway\r\nX: \x00\r\n\r\n", 400, "not HTTP"},
		"a header too many by far":    {"GET / HTTP/1.1\r\nHost: gateway\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n", 431, "at most 32768 bytes"},
		"a path too long by far":      {"GET /" + strings.Repeat("x", 100_000) + " HTTP/1.1\r\nHost: gateway\r\n\r\n", 431, "at most 32768 bytes"},
		"a coding of the transfer":    {"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "Transfer-Encoding: must be chunked"},
		"two codings":                 {"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400, "Transfer-Encoding"},
		"a length that is none":       {"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Length: x\r\n\r\n", 400, "not HTTP"},
		"a negative length":           {"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Length: -1\r\n\r\n", 400, "not HTTP"},
		"two lengths":                 {"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "not HTTP"},
		"a length beyond 64 bits":     {"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, "not HTTP"},
		"an expectation of something": {"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nExpect: miracles\r\nContent-Length: 2\r\n\r\n{}", 417, "Expect"},
		"a path that is no URL":       {"GET /%zz HTTP/1.1\r\nHost: gateway\r\n\r\n", 400, "not HTTP"},
		"a method that is none":       {"GE(T / HTTP/1.1\r\nHost: gateway\r\n\r\n", 400, "not HTTP"},
		"HTTP/2 without TLS":          {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421, "Host"},
		"the question of all options": {"OPTIONS * HTTP/1.1\r\nHost: gateway\r\n\r\n", 404, "there is nothing at *"},
		"a tunnel":                    {"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 421, "Host"},
		"another host in the URL":     {"GET http://evil.example/v1/sites HTTP/1.1\r\nHost: gateway\r\n\r\n", 421, "Host"},
		"old HTTP without a host":     {"GET /v1/sites HTTP/1.0\r\n\r\n", 421, "Host"},
	}
}

func TestWhatNoHandlerSeesIsRefusedInOurFormToo(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for name, c := range headless() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// As the first request of a connection, and as a later one.
			checkRaw(t, rawly(t, h.dial(t), c.sent), c.status, c.message)
			used := h.dial(t)
			if a := rawly(t, used, "GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			checkRaw(t, rawly(t, used, c.sent), c.status, c.message)
		})
	}
}

func checkRaw(t *testing.T, a answer, status int, message string) {
	t.Helper()
	checkRefusal(t, a, status, "", message)
	if a.header.Get("X-Request-Id") == "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers are %v", a.header)
	}
}

func TestASlowRequestIsA408(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]string{
		"in its body":              "POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{",
		"in a chunk":               "POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
		"in a body of no use":      "DELETE /v1/sites/7 HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n",
		"in its head":              "GET /v1/sites HTTP/1.1\r\nHost: gate",
		"in its first line":        "GET /v1",
		"in a compressed body":     "POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 200\r\n\r\n\x1f\x8b",
		"before its promised body": "POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := open(t, newFake())
				start := time.Now()
				c := h.dial(t)
				if strings.Contains(sent, "100-continue") {
					defer func() { _ = c.Close() }()
					if _, err := io.WriteString(c, sent); err != nil {
						t.Fatal(err)
					}
					head := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
					if _, err := io.ReadFull(c, head); err != nil || !bytes.HasPrefix(head, []byte("HTTP/1.1 100")) {
						t.Fatalf("%q %v", head, err)
					}
					checkRaw(t, rawly(t, c, ""), 408, "")
					return
				}
				checkRaw(t, rawly(t, c, sent), 408, "")
				if took := time.Since(start); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
				_ = c.Close()
			})
		})
	}
}

func TestAConnectionWithoutARequestEndsWithoutAWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := open(t, newFake())
		c := h.dial(t)
		if raw, err := io.ReadAll(c); err != nil || len(raw) > 0 {
			t.Errorf("new: %q %v", raw, err)
		}
		_ = c.Close()
		used := h.dial(t)
		if _, err := io.WriteString(used, "GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if raw, err := io.ReadAll(used); err != nil || strings.Count(string(raw), "HTTP/1.1") != 1 {
			t.Errorf("used: %q %v", raw, err)
		}
		_ = used.Close()
	})
}

func TestABodyThatIsNoneIsRefusedWithoutGosWords(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	head := "POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct{ sent, message string }{
		"a chunk of no length":     {"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "body: is malformed"},
		"a chunk that is too long": {"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", "body: is malformed"},
		"a chunk of a huge length": {"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "body: is malformed"},
		"no gzip":                  {"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "body: ends too early"},
		"no gzip at all":           {"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n{\"url\":\"http://a.b/\"}", "body: is not gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRaw(t, rawly(t, h.dial(t), head+c.sent), 400, c.message)
		})
	}
}

// overTLS starts a gateway that speaks TLS, with a certificate of a test server.
func overTLS(t *testing.T, change ...func(*gateway.Options)) (*house, *tls.Config) {
	t.Helper()
	server, client := certificates(t)
	h := open(t, newFake(), append(change, func(o *gateway.Options) { o.TLS = server })...)
	return h, client
}

func TestAPlainRequestToATLSPortIsToldSo(t *testing.T) {
	t.Parallel()
	h, _ := overTLS(t)
	for _, sent := range []string{
		"GET /v1/sites HTTP/1.1\r\nHost: gateway\r\n\r\n",
		"POST /v1/sites HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\n\r\n{}",
		"DELETE /v1/sites/7 HTTP/1.1\r\nHost: gateway\r\n\r\n",
	} {
		a := rawly(t, h.dial(t), sent)
		checkRaw(t, a, 400, "this port speaks HTTPS")
		if a.header.Get("Strict-Transport-Security") != "" {
			t.Errorf("HSTS without TLS: %v", a.header)
		}
	}
	c := h.dial(t)
	if _, err := io.WriteString(c, "\x00\x01\x02\x03\x04\x05"); err != nil {
		t.Fatal(err)
	}
	if raw, err := io.ReadAll(c); err != nil || bytes.Contains(raw, []byte("HTTP")) {
		t.Errorf("what is neither: %q %v", raw, err)
	}
}

func TestTLSSpeaksBothVersionsOfHTTP(t *testing.T) {
	t.Parallel()
	h, config := overTLS(t)
	for proto, name := range map[string]string{"HTTP/1.1": "", "HTTP/2.0": "h2"} {
		t.Run(proto, func(t *testing.T) {
			transport := &http.Transport{
				// net/http changes the configuration that it is given.
				TLSClientConfig: config.Clone(), ForceAttemptHTTP2: name == "h2", DisableCompression: true,
				DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return h.network.DialContext(ctx, addr) },
			}
			defer transport.CloseIdleConnections()
			resp, err := (&http.Client{Transport: transport}).Get("https://" + gatewayAddr + "/v1/sites/7")
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != 200 || resp.Proto != proto || resp.TLS.NegotiatedProtocol != name {
				t.Errorf("%s: %v %s %v %s", proto, resp.Status, resp.Proto, err, raw)
			}
			if got := resp.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
				t.Errorf("HSTS is %q", got)
			}
		})
	}
	for name, c := range headless() {
		if name == "HTTP/2 without TLS" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := tls.Client(h.dial(t), config)
			checkRaw(t, rawly(t, conn, c.sent), c.status, c.message)
			_ = conn.Close()
		})
	}
}

func TestALongHeadOverHTTP2EndsNoConnection(t *testing.T) {
	t.Parallel()
	h, config := overTLS(t)
	var dialled atomic.Int32
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		dialled.Add(1)
		return h.network.DialContext(ctx, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	h.client, h.base = &http.Client{Transport: transport}, "https://"+gatewayAddr
	if a := h.get("/v1/sites/7"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, size := range []int{33_000, 50_000, 60_000} {
		var header []string
		for i := range size / 1000 {
			header = append(header, fmt.Sprint("X-", i), strings.Repeat("x", 990))
		}
		checkRefusal(t, h.send("GET", "/v1/sites/7", "", header...), 431, "", "at most 32768 bytes")
		checkRefusal(t, h.send("GET", "/v1/sites/7", "", "X-One", strings.Repeat("x", size)), 431, "", "at most 32768 bytes")
	}
	if a := h.get("/v1/sites/7"); a.status != 200 || dialled.Load() != 1 {
		t.Errorf("%d over %d connections", a.status, dialled.Load())
	}
}

func TestAHandshakeThatNeverEndsIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := overTLS(t)
		c := h.dial(t)
		if _, err := io.WriteString(c, "\x16\x03\x01"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		raw, err := io.ReadAll(c)
		if took := time.Since(start); err != nil || bytes.Contains(raw, []byte("HTTP")) || took > 10*time.Second {
			t.Errorf("%q %v after %v", raw, err, took)
		}
		_ = c.Close()
	})
}

// certificates returns the certificate of a test server, and what trusts it.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: s.TLS.Certificates},
		&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: "example.com"}
}
