package channels_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/edge/channels"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// raw serves one connection after another with a function that gets a request and writes what
// it wants.
func raw(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				answer(c)
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String()
}

// said answers each request with a text.
func said(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

func plain(status, body string, headers ...string) func(net.Conn) {
	head := strings.Join(append([]string{"HTTP/1.1 " + status, fmt.Sprintf("Content-Length: %d", len(body)), "Connection: close"}, headers...), "\r\n")
	return said(head + "\r\n\r\n" + body)
}

// endless answers with a status and a body that does not end.
func endless(c net.Conn) {
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
	for {
		if _, err := c.Write(make([]byte, 1<<14)); err != nil {
			return
		}
	}
}

// reset answers nothing, and resets the connection.
func reset(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }

func down(url string) channel.Delivery {
	at := event.At(time.Date(2026, 5, 13, 1, 2, 3, 0, time.UTC))
	e := event.Event{
		Version: 1, ID: "7-10-00000000000000ff", Type: event.SiteDown, Time: at, Sequence: 3,
		Site:   &event.Site{ID: 7, BlogID: 99, URL: url, Tags: []string{"host:acme", "shop"}},
		Status: &event.StatusChange{PreviousStatus: 1, OutageID: 5, Start: at, Failure: "FAILURE_KIND_SERVER", Reason: "status", HTTPStatus: 503, Detail: `503 "<down>"`, Votes: 3, VotesDown: 2},
	}
	body, err := e.Encode()
	if err != nil {
		panic(err)
	}
	return channel.Delivery{Key: e.ID, Attempt: 1, Body: body, Event: e}
}

func subscribed(kind subscription.Kind, url string) subscription.Subscription {
	s := subscription.Subscription{ID: 1, Kind: kind, Endpoint: subscription.Endpoint{URL: url}}
	switch kind {
	case subscription.Webhook:
		s.Secrets = subscription.Secrets{Signing: []string{"whsec_c2VzYW1lLXNpZ25pbmc="}, Bearer: "sesame-bearer"}
	case subscription.Slack:
		s.URL += "/services/T000/B000/sesame-path"
	case subscription.Alertmanager:
		s.Secrets.Bearer = "sesame-bearer"
	}
	return s
}

// secrets are those of a subscription that subscribed returns.
func secrets(s subscription.Subscription) []string {
	if s.Kind == subscription.Slack {
		return []string{"sesame-path"}
	}
	return append(s.Secrets.Signing, s.Secrets.Bearer)
}

const (
	accepted, failed, hopeless, refused = channel.Accepted, channel.Failed, channel.Hopeless, channel.Refused
)

// What each answer means, for a webhook, Slack and Alertmanager: docs/subscriptions.md says the
// same.
func TestWhatAnswersMean(t *testing.T) {
	t.Parallel()
	all := func(v channel.Verdict) [3]channel.Verdict { return [3]channel.Verdict{v, v, v} }
	byStatus := [3]channel.Verdict{accepted, failed, accepted} // Slack must say ok
	for name, tt := range map[string]struct {
		answer     func(net.Conn)
		want       [3]channel.Verdict
		text       string
		retryAfter time.Duration
	}{
		"200 and ok":                     {plain("200 OK", "ok"), all(accepted), "ok", 0},
		"204":                            {said("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"), byStatus, "HTTP 204", 0},
		"200 with success:true":          {plain("200 OK", `{"success":true}`), all(accepted), "", 0},
		"200 with success:false":         {plain("200 OK", `{"success":false}`), byStatus, "success", 0},
		"200, empty":                     {plain("200 OK", ""), byStatus, "HTTP 200", 0},
		"200 with HTML":                  {plain("200 OK", "<html>login</html>"), byStatus, "login", 0},
		"200, endless":                   {endless, byStatus, "longer than 64 KiB", 0},
		"200, cut off":                   {said("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nok"), byStatus, "unexpected EOF", 0},
		"500 with success:true":          {plain("500 Internal Server Error", `{"success":true}`), all(failed), "HTTP 500", 0},
		"501":                            {plain("501 Not Implemented", "ok"), all(failed), "HTTP 501", 0},
		"503 with Retry-After":           {plain("503 Service Unavailable", "", "Retry-After: 120"), all(failed), "HTTP 503", 2 * time.Minute},
		"503 for a year":                 {plain("503 Service Unavailable", "", "Retry-After: 31536000"), all(failed), "HTTP 503", time.Hour},
		"503 with a bad Retry-After":     {plain("503 Service Unavailable", "", "Retry-After: -5"), all(failed), "HTTP 503", 0},
		"429 with Retry-After":           {plain("429 Too Many Requests", "rate_limited", "Retry-After: 7"), all(failed), "rate_limited", 7 * time.Second},
		"408":                            {plain("408 Request Timeout", ""), all(failed), "HTTP 408", 0},
		"409":                            {plain("409 Conflict", ""), all(failed), "HTTP 409", 0},
		"425":                            {plain("425 Too Early", ""), all(failed), "HTTP 425", 0},
		"400":                            {plain("400 Bad Request", "invalid_payload", "Retry-After: 7"), all(hopeless), "invalid_payload", 0},
		"413":                            {plain("413 Payload Too Large", "ok"), all(hopeless), "HTTP 413", 0},
		"422":                            {plain("422 Unprocessable Content", ""), all(hopeless), "HTTP 422", 0},
		"404":                            {plain("404 Not Found", "no_service"), [3]channel.Verdict{hopeless, refused, hopeless}, "no_service", 0},
		"410":                            {plain("410 Gone", ""), all(refused), "HTTP 410", 0},
		"401":                            {plain("401 Unauthorized", ""), all(refused), "HTTP 401", 0},
		"403":                            {plain("403 Forbidden", "invalid_token"), all(refused), "invalid_token", 0},
		"400 that is about the channel":  {plain("400 Bad Request", "user_not_found"), [3]channel.Verdict{hopeless, refused, hopeless}, "user_not_found", 0},
		"a redirect":                     {plain("301 Moved Permanently", "", "Location: http://127.0.0.1:1/"), all(failed), "redirect", 0},
		"a redirect to a good page":      {plain("307 Temporary Redirect", "ok", "Location: /"), all(failed), "redirect", 0},
		"not modified":                   {plain("304 Not Modified", ""), all(failed), "HTTP 304", 0},
		"another protocol":               {said("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), all(failed), "HTTP 101", 0},
		"early hints, and then success":  {said("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"), all(accepted), "ok", 0},
		"early hints without end":        {said(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 500)), all(failed), "", 0},
		"a reset after the request":      {reset, all(failed), "reset", 0},
		"closed after the request":       {func(net.Conn) {}, all(failed), "EOF", 0},
		"no HTTP":                        {said("220 mail.example ESMTP\r\n"), all(failed), "malformed", 0},
		"an endless header":              {said("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Long: "+strings.Repeat("x", 1000)+"\r\n", 200) + "\r\nok"), all(failed), "header", 0},
		"secrets that were sent back":    {plain("500 Oops", "Bearer sesame-bearer /services/T000/B000/sesame-path whsec_c2VzYW1lLXNpZ25pbmc="), all(failed), "[secret]", 0},
		"control characters, and length": {plain("500 Oops", "a\x00\x1b[31m\r\nb\xff"+strings.Repeat("é", 2000)), all(failed), "a [31m b?é", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := raw(t, tt.answer)
			for i, kind := range []subscription.Kind{subscription.Webhook, subscription.Slack, subscription.Alertmanager} {
				ch, err := channels.Options{Post: post.Options{AllowPrivate: true}}.Open(subscribed(kind, url))
				if err != nil {
					t.Fatal(err)
				}
				got := ch.Tell(t.Context(), down("https://example.com/"))
				ch.Close()
				if got.Verdict != tt.want[i] || got.RetryAfter != tt.retryAfter || !strings.Contains(got.Text, tt.text) {
					t.Errorf("kind %d: %+v, want verdict %d, retry after %v, %q", kind, got, tt.want[i], tt.retryAfter, tt.text)
				}
				for _, secret := range secrets(subscribed(kind, url)) {
					if strings.Contains(got.Text, secret) {
						t.Errorf("kind %d tells %s: %s", kind, secret, got.Text)
					}
				}
				if len(got.Text) > channel.MaxTextBytes || strings.ContainsFunc(got.Text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("kind %d: the text is %q", kind, got.Text)
				}
			}
		})
	}
}

func TestADateSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	ch := open(t, post.Options{AllowPrivate: true}, raw(t, plain("503 Service Unavailable", "", "Retry-After: "+at)))
	if got := ch.Tell(t.Context(), down("https://example.com/")); got.RetryAfter < 58*time.Minute || got.RetryAfter > time.Hour {
		t.Errorf("%+v", got)
	}
}

// open opens a webhook.
func open(t *testing.T, o post.Options, url string) channel.Channel {
	t.Helper()
	ch, err := channels.Options{Post: o}.Open(subscribed(subscription.Webhook, url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ch.Close)
	return ch
}

// A body that drips does not hold an answer up whose status is there; a header that drips does,
// until the caller's time is over.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	drip := func(before string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = io.WriteString(c, before)
			for {
				if _, err := io.WriteString(c, "x"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond) // the drip itself
			}
		}
	}
	for name, tt := range map[string]struct {
		before string
		want   channel.Verdict
	}{
		"the body":   {"HTTP/1.1 200 OK\r\n\r\n", accepted},
		"the header": {"HTTP/1.1 200 OK\r\nX-Slow: ", failed},
		"nothing":    {"", failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ch := open(t, post.Options{AllowPrivate: true}, raw(t, drip(tt.before)))
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			start := time.Now()
			got := ch.Tell(ctx, down("https://example.com/"))
			if got.Verdict != tt.want || time.Since(start) > 5*time.Second || !strings.Contains(got.Text, "no answer in time") {
				t.Errorf("%+v after %v", got, time.Since(start))
			}
		})
	}
}

func TestATLSErrorIsAFailure(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	if got := open(t, post.Options{AllowPrivate: true}, s.URL).Tell(t.Context(), down("https://example.com/")); got.Verdict != failed || !strings.Contains(got.Text, "certificate") {
		t.Errorf("an authority that nobody trusts: %+v", got)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if got := open(t, post.Options{AllowPrivate: true, Roots: roots}, s.URL).Tell(t.Context(), down("https://example.com/")); got.Verdict != accepted {
		t.Errorf("one that is trusted: %+v", got)
	}
	other := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	if got := open(t, post.Options{AllowPrivate: true, Roots: roots}, other).Tell(t.Context(), down("https://example.com/")); got.Verdict != failed {
		t.Errorf("another name: %+v", got)
	}
}

// The policy holds where the address is dialled, whatever the name says.
func TestNoSpecialAddressIsDialled(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reached <- struct{}{} }))
	t.Cleanup(s.Close)
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	// localhost resolves to the loopback address: New accepts it where there are exceptions.
	url := fmt.Sprintf("http://localhost:%d/", at.Port())
	other := netip.AddrPortFrom(at.Addr(), at.Port()+1)
	sub := subscribed(subscription.Webhook, url)
	sub.Secrets.Bearer = ""
	ch, err := channels.Options{Post: post.Options{Allowed: []netip.AddrPort{other}}}.Open(sub)
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	if got := ch.Tell(t.Context(), down("https://example.com/")); got.Verdict != failed || !strings.Contains(got.Text, "may not be dialled") {
		t.Errorf("%+v", got)
	}
	if len(reached) > 0 {
		t.Fatal("the address was reached")
	}
	exception, err := channels.Options{Post: post.Options{Allowed: []netip.AddrPort{at}}}.Open(sub)
	if err != nil {
		t.Fatal(err)
	}
	defer exception.Close()
	if got := exception.Tell(t.Context(), down("https://example.com/")); got.Verdict != accepted {
		t.Errorf("the exception: %+v", got)
	}
}

func TestNoProxyOfTheEnvironmentIsAsked(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	ch := open(t, post.Options{AllowPrivate: true}, "http://nowhere.invalid/")
	if got := ch.Tell(t.Context(), down("https://example.com/")); got.Verdict != failed {
		t.Errorf("%+v", got)
	}
}
