package wpcom

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/internal/rpc"
)

// senderTo makes a sender with its own client, closed at the test's end.
func senderTo(t *testing.T, o Options) *Channel {
	t.Helper()
	if o.Token == "" {
		o.Token = testToken
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// send makes one attempt, and returns why it failed.
func (c *Channel) send(ctx context.Context, d channel.Delivery) error {
	a := c.Tell(ctx, d)
	if a.Verdict == channel.Accepted {
		return nil
	}
	return errors.New(a.Text)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func notification() channel.Delivery {
	return channel.Delivery{Key: "key-1", Attempt: 1, Change: new(wentDown())}
}

// v1 accepted any JSON that contained success, whatever the HTTP status, and did not
// notice an empty body (A13.4).
func TestV1Defect4OnlyStatus200WithSuccessTrueIsSuccess(t *testing.T) {
	t.Parallel()
	long := `{"success":true,"data":"` + strings.Repeat("x", maxAnswerBytes) + `"}`
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string // "" is success
	}{
		"success":                            {200, `{"success":true}`, ""},
		"success with data and blanks":       {200, " {\"data\" : \"ok\", \"success\" : true}\n", ""},
		"success false":                      {200, `{"success":false}`, "no success"},
		"success false says why":             {200, `{"success":false,"data":"unknown blog"}`, "unknown blog"},
		"500 with success true":              {500, `{"success":true}`, "HTTP status 500"},
		"201 with success true":              {201, `{"success":true}`, "HTTP status 201"},
		"redirect":                           {302, `{"success":true}`, "HTTP status 302"},
		"empty body":                         {200, ``, "not a JSON object"},
		"HTML page":                          {200, `<html>{"success":true}</html>`, "not a JSON object"},
		"two objects":                        {200, `{"success":true}{"success":true}`, "not a JSON object"},
		"body cut short":                     {200, `{"success":true`, "not a JSON object"},
		"success as a text":                  {200, `{"success":"true"}`, "no success"},
		"success as a number":                {200, `{"success":1}`, "no success"},
		"success missing":                    {200, `{"Success":true}`, "no success"},
		"null":                               {200, `null`, "no success"},
		"longer than what is read of a body": {200, long, "longer than 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := senderTo(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})})
			err := s.send(t.Context(), notification())
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("not taken as success: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

// v1 called back once per chunk of the answer (A13.4).
func TestV1Defect4AnswerInManyChunksIsOneAnswer(t *testing.T) {
	t.Parallel()
	s := senderTo(t, Options{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, b := range []byte(`{"success":true}`) {
			w.Write([]byte{b})
			w.(http.Flusher).Flush()
		}
	})})
	if err := s.send(t.Context(), notification()); err != nil {
		t.Error(err)
	}
}

func TestRequestIsV1sWithKeyAndOwnQuery(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 1)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		io.WriteString(w, `{"success":true}`)
	})
	s := senderTo(t, Options{URL: base + "/jetmon/?v=1#gone"})
	if err := s.send(t.Context(), notification()); err != nil {
		t.Fatal(err)
	}
	got := <-requests
	if got.Method != "GET" || got.URL.Path != "/jetmon/" || got.URL.Query().Get("v") != "1" {
		t.Errorf("request is %s %s", got.Method, got.URL)
	}
	if k := got.Header.Get("Idempotency-Key"); k != "key-1" {
		t.Errorf("Idempotency-Key is %q", k)
	}
	if ua := got.Header.Get("User-Agent"); ua != "jetmon/3.0 (Jetpack Site Uptime Monitor by WordPress.com)" {
		t.Errorf("User-Agent is %q", ua)
	}
	if data := got.URL.Query().Get("data"); !strings.HasPrefix(data, `{"blog_id":99,`) || strings.Contains(got.URL.RawQuery, `"`) {
		t.Errorf("data is %s", data)
	}
}

// No error may contain the URL or the token: errors are logged and stored.
func TestTokenIsInNoError(t *testing.T) {
	t.Parallel()
	hijack := func(answer func(r *http.Request) string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(conn, answer(r))
			conn.Close()
		}
	}
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0) // It would log each refused handshake.
	unknown.StartTLS()
	t.Cleanup(unknown.Close)

	for name, base := range map[string]string{
		"nobody listens":         "http://" + dead.Addr().String() + "/jetmon/",
		"certificate not known":  unknown.URL,
		"connection is closed":   serve(t, hijack(func(*http.Request) string { return "" })),
		"no HTTP, the URL back":  serve(t, hijack(func(r *http.Request) string { return r.URL.String() + "\r\n\r\n" })),
		"no HTTP, the token":     serve(t, hijack(func(*http.Request) string { return testToken + "\r\n\r\n" })),
		"the token in a header":  serve(t, hijack(func(*http.Request) string { return "HTTP/1.1 200 OK\r\n" + testToken + "\r\n\r\n" })),
		"the answer has the URL": serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, `{"data":%q}`, r.URL.String()) }),
		"the answer has the token": serve(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"data":%q}`, strings.Repeat("x", maxReasonBytes-40)+testToken)
		}),
		"no answer in time": serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			err := senderTo(t, Options{URL: base}).send(ctx, notification())
			if err == nil {
				t.Fatal("taken as success")
			}
			for e := err; e != nil; {
				for _, secret := range []string{testToken, testToken[:6], url.QueryEscape(testToken)} {
					if strings.Contains(e.Error(), secret) {
						t.Errorf("error holds %q: %v", secret, e)
					}
				}
				u, ok := e.(interface{ Unwrap() error })
				if !ok {
					break
				}
				e = u.Unwrap()
			}
			if len(err.Error()) > maxReasonBytes || strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("error is long or has lines: %q", err)
			}
		})
	}
}

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClientTLSVerifiesTheServerAndShowsItsCertificate(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"success":%t}`, len(r.TLS.PeerCertificates) == 1)
	}))
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	own := srv.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := writePEM(t, "c.pem", "CERTIFICATE", own.Certificate[0]), writePEM(t, "k.pem", "PRIVATE KEY", key)

	conf, err := rpc.LoadClientTLS(certFile, certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := senderTo(t, Options{URL: srv.URL, TLS: conf}).send(t.Context(), notification()); err != nil {
		t.Errorf("with certificate and roots: %v", err)
	}
	conf, err = rpc.LoadClientTLS(certFile, "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := senderTo(t, Options{URL: srv.URL, TLS: conf}).send(t.Context(), notification()); err == nil {
		t.Error("the server saw a client certificate that was not configured")
	}
	for name, files := range map[string][3]string{
		"certificate without key":   {certFile, "", ""},
		"key without certificate":   {"", keyFile, ""},
		"key of nothing":            {certFile, certFile, ""},
		"roots that are missing":    {"", "", certFile + ".missing"},
		"roots with no certificate": {"", "", keyFile},
	} {
		if _, err := rpc.LoadClientTLS(files[2], files[0], files[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	const ok = "https://wpcom.example/jetmon/"
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"no URL":                    {Options{}, "URL is required"},
		"URL without scheme":        {Options{URL: "wpcom.example/jetmon"}, "http:// or https://"},
		"URL of another scheme":     {Options{URL: "ftp://wpcom.example/"}, "http:// or https://"},
		"URL without host":          {Options{URL: "https:///x"}, "host"},
		"URL with a password":       {Options{URL: "https://u:hunter2@wpcom.example/"}, "user information"},
		"URL that cannot be parsed": {Options{URL: "https://u:hunter2@wpcom.example:port/"}, "cannot be parsed"},
		"URL with data":             {Options{URL: ok + "?data=1"}, "data parameter"},
		"URL too long":              {Options{URL: ok + strings.Repeat("x", 2000)}, "at most"},
		"token with a line end":     {Options{URL: ok, Token: "hunter2\n"}, "printable"},
		"token too long":            {Options{URL: ok, Token: strings.Repeat("hunter2", 100)}, "at most"},
		"unverified TLS":            {Options{URL: ok, TLS: &tls.Config{InsecureSkipVerify: true}}, "verify"},
		"two clients":               {Options{URL: ok, TLS: &tls.Config{}, Client: &http.Client{}}, "exclude"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error is %v, want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error holds the secret: %v", err)
			}
		})
	}
}

// An environment's proxy would see every token.
func TestNoProxyAndNoRedirectIsUsed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("NO_PROXY", "")
	o := Options{URL: "http://wpcom.example/"}
	c := o.client()
	if tr, ok := c.Transport.(*http.Transport); !ok || tr.Proxy != nil {
		t.Error("the transport asks for a proxy")
	}
	if c.CheckRedirect(nil, nil) != http.ErrUseLastResponse {
		t.Error("redirects are followed")
	}
}
