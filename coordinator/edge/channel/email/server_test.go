package email_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/Automattic/jetmon/coordinator/edge/channel/email"
)

const (
	user, password = "jetmon", "sesame-password"
	// all is what a good server offers.
	all = "STARTTLS AUTH"
)

// mailServer is a mail server that answers as it is told.
type mailServer struct {
	net.Listener
	cert tls.Certificate
	root *x509.Certificate
	// offers are the extensions; replies has the answers by the verb of a command, "" for the
	// greeting, "." for the end of a text, and "cut" for a verb after which the line is cut.
	offers  string
	replies map[string]string

	mu sync.Mutex
	// said are the commands, each with a * before it when it came over TLS; mails the texts.
	said, mails []string
}

func newMailServer(t *testing.T, offers string, replies map[string]string) *mailServer {
	t.Helper()
	web := httptest.NewTLSServer(nil) // it has a certificate for 127.0.0.1
	web.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{Listener: l, cert: web.TLS.Certificates[0], root: web.Certificate(), offers: offers, replies: replies}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return s
}

// server is how it is reached.
func (s *mailServer) server() email.Server {
	roots := x509.NewCertPool()
	roots.AddCert(s.root)
	return email.Server{
		Address: s.Addr().String(), TLS: email.StartTLS, Roots: roots, User: user, Password: password, From: "jetmon@example.com", Hello: "jetmon.example.com",
	}
}

func (s *mailServer) serve(c net.Conn) {
	secure := ""
	reply := func(verb, usual string) bool {
		if given, ok := s.replies[verb]; ok {
			usual = given
		}
		if usual == "" { // silence, until the other side goes
			_, _ = io.Copy(io.Discard, c)
			return false
		}
		_, err := io.WriteString(c, usual+"\r\n")
		return err == nil && (verb == "" || s.replies["cut"] != verb)
	}
	if !reply("", "220 mail.example ESMTP") {
		return
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		s.note(secure + strings.TrimSpace(line))
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		usual := "250 ok"
		switch verb {
		case "EHLO":
			usual = "250-mail.example\r\n250-8BITMIME\r\n"
			if secure == "" && strings.Contains(s.offers, "STARTTLS") {
				usual += "250-STARTTLS\r\n"
			}
			if strings.Contains(s.offers, "AUTH") {
				usual += "250-AUTH PLAIN\r\n"
			}
			usual += "250 SIZE 1000000"
		case "STARTTLS":
			if !reply(verb, "220 go on") {
				return
			}
			over := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			if over.Handshake() != nil {
				return
			}
			c, r, secure = over, bufio.NewReader(over), "*"
			continue
		case "AUTH":
			usual = "535 5.7.8 no: " + line
			if strings.TrimSpace(line) == "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password)) {
				usual = "235 welcome"
			}
		case "DATA":
			if !reply(verb, "354 go on") {
				return
			}
			if s.replies[verb] != "" {
				continue
			}
			s.note(secure + ".")
			if !s.text(r) || !reply(".", "250 2.0.0 taken as 42") {
				return
			}
			continue
		case "QUIT":
			reply(verb, "221 bye")
			return
		}
		if !reply(verb, usual) {
			return
		}
	}
}

func (s *mailServer) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
}

// text reads a mail.
func (s *mailServer) text(r *bufio.Reader) bool {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails = append(s.mails, b.String())
	return true
}

// commands lists what was said, in one line.
func (s *mailServer) commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.said)
}
