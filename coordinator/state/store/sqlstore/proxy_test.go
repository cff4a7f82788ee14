package sqlstore

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// proxy stands before a server and answers some statements as another kind of server
// would, on the wire that the driver reads.
type proxy struct {
	// server is where it leads, address where it listens.
	server, address string
	// treat decides the fate of each statement. It is called in any goroutine.
	treat func(query string) treatment
}

// treatment is what becomes of a statement: the server gets it, or send instead, and the
// client the server's answer, or an error with this number.
type treatment struct {
	send  string
	errno uint16
	// unheard keeps the statement from the server, which otherwise must answer OK or an error.
	unheard bool
}

// through puts a proxy before the server of a DSN, and returns the DSN that leads there.
func through(t testing.TB, dsn string, treat func(query string) treatment) string {
	t.Helper()
	_, rest, _ := strings.Cut(dsn, "@tcp(")
	server, _, _ := strings.Cut(rest, ")")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: server, address: l.Addr().String(), treat: treat}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // it is closed
			}
			conns.Go(func() {
				if err := p.serve(client); err != nil {
					t.Errorf("a connection through the proxy: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() { // after the stores, which were opened later
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		conns.Wait()
	})
	return strings.Replace(dsn, server, p.address, 1)
}

// packet is one of MySQL's: its number in an exchange, and what it holds.
type packet struct {
	number byte
	body   []byte
}

func readPacket(r io.Reader) (p packet, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return p, err
	}
	p = packet{number: head[3], body: make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)}
	_, err = io.ReadFull(r, p.body)
	return p, err
}

func (p packet) write(w io.Writer) error {
	n := len(p.body)
	_, err := w.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), p.number}, p.body...))
	return err
}

const commandQuery = 3

// query is the statement that a client sends; "" when the packet is something else.
func (p packet) query() string {
	if p.number == 0 && len(p.body) > 1 && p.body[0] == commandQuery {
		return string(p.body[1:])
	}
	return ""
}

// refusal is the answer to a statement that the server does not take.
func refusal(errno uint16) packet {
	body := binary.LittleEndian.AppendUint16([]byte{0xff}, errno)
	return packet{number: 1, body: append(body, fmt.Sprintf("#HY000answer %d of the proxy", errno)...)}
}

// serve is one connection, which ends when either side ends it.
func (p *proxy) serve(client net.Conn) error {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return errors.Join(err, client.Close())
	}
	// A statement that is refused has one answer: it is read here, not by the copying.
	refuse := make(chan uint16, 1)
	var answers sync.WaitGroup
	answers.Go(func() {
		in := bufio.NewReader(server)
		for {
			answer, err := readPacket(in)
			if err != nil {
				break
			}
			select {
			case errno := <-refuse:
				answer = refusal(errno)
			default:
			}
			if err := answer.write(client); err != nil {
				break
			}
		}
		_ = client.Close() // again, if the client was first
	})
	p.pass(bufio.NewReader(client), client, server, refuse)
	err = server.Close()
	answers.Wait()
	return err
}

// pass hands on what the client sends, until either side ends.
func (p *proxy) pass(in io.Reader, client, server io.Writer, refuse chan<- uint16) {
	for {
		sent, err := readPacket(in)
		if err != nil {
			return
		}
		var do treatment
		if q := sent.query(); q != "" {
			do = p.treat(q)
		}
		switch {
		case do.unheard:
			if refusal(do.errno).write(client) != nil {
				return
			}
			continue
		case do.errno != 0:
			refuse <- do.errno
		}
		if do.send != "" {
			sent.body = append([]byte{commandQuery}, do.send...)
		}
		if sent.write(server) != nil {
			return
		}
	}
}
