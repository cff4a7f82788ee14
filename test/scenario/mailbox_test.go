package scenario

import (
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// mailbox is a mail server.
type mailbox struct {
	*ledger
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	over  bool
	conns map[net.Conn]bool
}

func newMailbox(t *testing.T, l *ledger) *mailbox {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &mailbox{ledger: l, listener: listener, conns: map[net.Conn]bool{}}
	b.work.Go(b.accept)
	t.Cleanup(b.close)
	return b
}

func (b *mailbox) address() string { return b.listener.Addr().String() }

func (b *mailbox) accept() {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.mu.Lock()
		b.conns[c] = true
		if b.over {
			_ = c.Close()
		}
		b.mu.Unlock()
		b.work.Go(func() {
			b.serve(textproto.NewConn(c))
			_ = c.Close()
			b.mu.Lock()
			delete(b.conns, c)
			b.mu.Unlock()
		})
	}
}

func (b *mailbox) close() {
	_ = b.listener.Close()
	b.mu.Lock()
	b.over = true
	for c := range b.conns {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.work.Wait()
}

// serve speaks as much of RFC 5321 as a mail needs.
func (b *mailbox) serve(c *textproto.Conn) {
	m := b.treat()
	if m == dead {
		b.note(receipt{mode: m})
		return
	}
	if c.PrintfLine("220 mail.example ESMTP") != nil {
		return
	}
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		reply := "250 ok"
		switch verb {
		case "EHLO":
			reply = "250-mail.example\r\n250 8BITMIME"
		case "MAIL":
			if m == error500 {
				b.note(receipt{mode: m})
				reply = "451 4.3.0 not today"
			}
		case "DATA":
			if c.PrintfLine("354 go on") != nil || !b.take(c, m) {
				return
			}
		case "QUIT":
			_ = c.PrintfLine("221 bye")
			return
		}
		if c.PrintfLine("%s", reply) != nil {
			return
		}
	}
}

// take takes a mail, and reports whether to say so.
func (b *mailbox) take(c *textproto.Conn, m mode) bool {
	text, err := c.ReadDotBytes()
	if err != nil {
		return false // whoever sent it was killed
	}
	letter, err := mail.ReadMessage(strings.NewReader(string(text)))
	if err != nil {
		b.complain(fmt.Sprintf("no mail: %v: %s", err, text))
		return false
	}
	if to, from := letter.Header.Get("To"), letter.Header.Get("From"); !strings.Contains(to, "ops@example.com") || !strings.Contains(from, "jetmon@example.com") {
		b.complain(fmt.Sprintf("a mail to %s from %s", to, from))
	}
	b.note(receipt{key: letter.Header.Get("X-Jetmon-Event"), body: string(text), mode: m})
	if m == forgets {
		_, _ = io.Copy(io.Discard, c.R) // until the other side has enough
	}
	return m == well
}
