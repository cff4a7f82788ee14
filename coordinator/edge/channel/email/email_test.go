package email_test

import (
	"context"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/email"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func change(t event.Type, key, url string) channel.Delivery {
	at := event.At(time.Date(2026, 5, 13, 1, 2, 3, 0, time.UTC))
	e := event.Event{
		ID: key, Type: t, Time: at, Site: &event.Site{ID: 7, URL: url},
		Status: &event.StatusChange{OutageID: 5, Start: event.At(at.Add(-time.Minute)), Failure: "FAILURE_KIND_SERVER", Detail: `503 "Grüße"`},
	}
	return channel.Delivery{Key: key, Event: e}
}

func to(server email.Server, who ...string) (channel.Channel, error) {
	return email.New(subscription.Subscription{Kind: subscription.Email, Endpoint: subscription.Endpoint{To: who}}, server)
}

func tell(t *testing.T, server email.Server, d channel.Delivery) channel.Answer {
	t.Helper()
	ch, err := to(server, "ops@example.net", "boss@example.net")
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	return ch.Tell(ctx, d)
}

func TestAMailIsSentOverTLSAndAfterALogin(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, all, nil)
	if got := tell(t, s.server(), change(event.SiteDown, "7-1", "https://example.com/ü")); got.Verdict != channel.Accepted || !strings.Contains(got.Text, "taken as 42") {
		t.Fatalf("%+v", got)
	}
	said := s.commands()
	for _, want := range []string{"[EHLO jetmon.example.com STARTTLS *EHLO", "*AUTH", "*MAIL FROM:<jetmon@example.com>", "*RCPT TO:<ops@example.net>", "*RCPT TO:<boss@example.net>"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %s", want, said)
		}
	}
	m := parsed(t, s.mails[0])
	for name, want := range map[string]string{
		"Message-Id": "<7-1@example.com>", "References": "<outage-5@example.com>", "In-Reply-To": "<outage-5@example.com>",
		"From": "<jetmon@example.com>", "To": "<ops@example.net>, <boss@example.net>", "Auto-Submitted": "auto-generated",
		"Date": "Wed, 13 May 2026 01:02:03 +0000", "Subject": "[Jetmon] https://example.com/ü is down",
	} {
		if got, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if body := bodyOf(t, m); !strings.Contains(body, "https://example.com/ü is down.\r\n") || !strings.Contains(body, `Why: server: 503 "Grüße"`) {
		t.Errorf("the body is %q", body)
	}
}

func parsed(t *testing.T, text string) *mail.Message {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bodyOf(t *testing.T, m *mail.Message) string {
	t.Helper()
	if kind := m.Header.Get("Content-Type"); kind != "text/plain; charset=UTF-8" {
		t.Errorf("the body is of type %q", kind)
	}
	b, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What a repeat sends is the same mail; the mails of an outage are one thread.
func TestRepeatsAreRecognizedAndOutagesAreThreads(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, all, nil)
	for _, d := range []channel.Delivery{
		change(event.SiteDown, "7-1", "https://example.com/"), change(event.SiteDown, "7-1", "https://example.com/"), change(event.SiteUp, "7-2", "https://example.com/"),
	} {
		if got := tell(t, s.server(), d); got.Verdict != channel.Accepted {
			t.Fatalf("%+v", got)
		}
	}
	if s.mails[0] != s.mails[1] {
		t.Errorf("a repeat differs:\n%s\n%s", s.mails[0], s.mails[1])
	}
	down, up := parsed(t, s.mails[0]), parsed(t, s.mails[2])
	if down.Header.Get("References") != up.Header.Get("References") || down.Header.Get("Message-Id") == up.Header.Get("Message-Id") {
		t.Errorf("the thread: %v and %v", down.Header, up.Header)
	}
}

func TestWhatTheServerSaysMeans(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		offers  string
		replies map[string]string
		want    channel.Verdict
		text    string
	}{
		"no STARTTLS":                   {"AUTH", nil, channel.Failed, "STARTTLS"},
		"no login":                      {"STARTTLS", nil, channel.Failed, "AUTH"},
		"a login that is refused":       {all, map[string]string{"AUTH": "535 5.7.8 " + password}, channel.Refused, "535"},
		"a login that cannot be tried":  {all, map[string]string{"AUTH": "454 later"}, channel.Failed, "454"},
		"a sender that is refused":      {all, map[string]string{"MAIL": "550 who are you"}, channel.Refused, "who are you"},
		"a sender, now":                 {all, map[string]string{"MAIL": "451 busy"}, channel.Failed, "busy"},
		"a login that was not enough":   {all, map[string]string{"MAIL": "530 log in"}, channel.Refused, "log in"},
		"a receiver that there is not":  {all, map[string]string{"RCPT": "550 5.1.1 no such user"}, channel.Hopeless, "no such user"},
		"a receiver whose box is full":  {all, map[string]string{"RCPT": "452 4.2.2 full"}, channel.Failed, "full"},
		"a text that is not wanted":     {all, map[string]string{"DATA": "554 no"}, channel.Hopeless, "554"},
		"a text that was too long":      {all, map[string]string{".": "552 too long"}, channel.Hopeless, "too long"},
		"a text, now":                   {all, map[string]string{".": "451 disk full"}, channel.Failed, "disk full"},
		"no server for us":              {all, map[string]string{"": "554 go away"}, channel.Failed, "go away"},
		"a server that leaves":          {all, map[string]string{"": "421 bye"}, channel.Failed, "bye"},
		"taken, and then no RSET":       {all, map[string]string{"RSET": "500 what"}, channel.Accepted, "taken"},
		"taken, and then cut off":       {all, map[string]string{"cut": "."}, channel.Accepted, "taken"},
		"cut off before":                {all, map[string]string{"cut": "DATA"}, channel.Failed, "DATA"}, // an end or a reset
		"silence":                       {all, map[string]string{"": ""}, channel.Failed, "no answer in time"},
		"silence about the text":        {all, map[string]string{".": ""}, channel.Failed, "no answer in time"},
		"no SMTP":                       {all, map[string]string{"": "HTTP/1.1 400 Bad Request"}, channel.Failed, ""},
		"what comes before TLS is gone": {all, map[string]string{"STARTTLS": "220 go on\r\n250-injected"}, channel.Accepted, "taken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newMailServer(t, tt.offers, tt.replies)
			start := time.Now()
			got := tell(t, s.server(), change(event.SiteDown, "7-1", "https://example.com/"))
			if got.Verdict != tt.want || !strings.Contains(got.Text, tt.text) || strings.Contains(got.Text, password) {
				t.Errorf("%+v, want verdict %d, %q", got, tt.want, tt.text)
			}
			if time.Since(start) > 6*time.Second {
				t.Errorf("it took %v", time.Since(start))
			}
			for line := range strings.FieldsFuncSeq(s.commands(), func(r rune) bool { return r == '[' || r == ']' }) {
				for _, verb := range []string{" MAIL", " RCPT", " AUTH"} {
					if strings.Contains(line, verb) {
						t.Errorf("in clear: %s", line)
					}
				}
			}
		})
	}
}

func TestACertificateOfNobodyIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, all, nil)
	server := s.server()
	server.Roots = nil
	if got := tell(t, server, change(event.SiteDown, "7-1", "https://example.com/")); got.Verdict != channel.Failed || !strings.Contains(got.Text, "certificate") {
		t.Errorf("%+v", got)
	}
	if said := s.commands(); strings.Contains(said, "AUTH") {
		t.Errorf("it was told %s", said)
	}
}

// A site's URL is any text that WordPress.com has in its table.
func TestNoHeaderIsInjected(t *testing.T) {
	t.Parallel()
	s := newMailServer(t, all, nil)
	evil := "https://example.com/\r\nBcc: all@example.org\r\n\r\nhello\r\n.\r\nMAIL FROM:<x@y>"
	if got := tell(t, s.server(), change(event.SiteDown, "7-1", evil)); got.Verdict != channel.Accepted {
		t.Fatalf("%+v", got)
	}
	m := parsed(t, s.mails[0])
	if m.Header.Get("Bcc") != "" || len(s.mails) != 1 || strings.Contains(s.commands(), "all@example.org") {
		t.Errorf("%v, %s", m.Header, s.commands())
	}
}

func TestWhatCanBeNoMail(t *testing.T) {
	t.Parallel()
	good := email.Server{Address: "mail.example:25", TLS: email.StartTLS, From: "jetmon@example.com"}
	for _, who := range []string{"", "a", "a@b c", "A <a@b.example>", "a@b.example\r\nRCPT TO:<c@d>", "a@b.example, c@d.example", "ü@b.example", strings.Repeat("a", 250) + "@b.example"} {
		if _, err := to(good, who); err == nil {
			t.Errorf("%q gets mails", who)
		}
	}
	if _, err := to(good); err == nil {
		t.Error("nobody gets mails")
	}
	for name, edit := range map[string]func(*email.Server){
		"no server":           func(s *email.Server) { s.Address = "" },
		"no port":             func(s *email.Server) { s.Address = "mail.example" },
		"no sender":           func(s *email.Server) { s.From = "" },
		"a password in clear": func(s *email.Server) { s.TLS, s.User, s.Password = email.None, "a", "b" },
		"no password":         func(s *email.Server) { s.User = "a" },
		"another protection":  func(s *email.Server) { s.TLS = "ssl" },
	} {
		server := good
		edit(&server)
		if _, err := to(server, "a@b.example"); err == nil {
			t.Errorf("%s: mails are sent", name)
		}
	}
}
