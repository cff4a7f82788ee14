package tls13

import (
	"encoding/binary"
	"io"
	"net"

	"github.com/Automattic/jetmon/internal/probe/tls12"
)

// The types of records.
const (
	recordChangeCipher = 20
	recordAlert        = 21
	recordHandshake    = 22
	recordData         = 23
)

const (
	version      = 0x0303 // in records and hellos, for what stands on the way
	maxRecord    = 16<<10 + 256
	maxPlain     = 16 << 10
	maxHandshake = 64 << 10
	// maxEmpty limits records without content in a row.
	maxEmpty = 32
)

// Conn is a connection after its handshake. Its Read and Write are those of net.Conn.
type Conn struct {
	net.Conn
	in, out half
	// plain is data, and messages are pieces of the handshake, that were received and not yet
	// used.
	plain, messages []byte
	// log is all that was said in the handshake.
	log []byte
	// held are records that wait to be sent together; nil: records are sent at once.
	held []byte
}

// readRecord reads and decrypts the next record.
func (c *Conn) readRecord() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[3])<<8 | int(head[4])
	if head[1] != 3 || n > maxRecord {
		return 0, nil, tls12.ErrMalformed
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(c.Conn, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	if kind = head[0]; c.in.aead != nil && kind != recordChangeCipher {
		if kind != recordData {
			return 0, nil, tls12.ErrMalformed
		}
		if body, err = c.in.aead.Open(body[:0], c.in.nonce(), body, head[:]); err != nil {
			return 0, nil, tls12.ErrMalformed
		}
		for len(body) > 0 && body[len(body)-1] == 0 { // padding
			body = body[:len(body)-1]
		}
		if len(body) == 0 || len(body) > maxPlain+1 {
			return 0, nil, tls12.ErrMalformed
		}
		kind, body = body[len(body)-1], body[:len(body)-1]
	}
	if kind == recordAlert {
		return kind, nil, tls12.AlertIn(body)
	}
	return kind, body, nil
}

// writeRecord encrypts and sends one record.
func (c *Conn) writeRecord(kind byte, body []byte) error {
	b := []byte{kind, version >> 8, version & 255, 0, 0}
	if c.out.aead == nil || kind == recordChangeCipher {
		binary.BigEndian.PutUint16(b[3:], uint16(len(body)))
		b = append(b, body...)
	} else {
		b[0] = recordData
		binary.BigEndian.PutUint16(b[3:], uint16(len(body)+1+c.out.aead.Overhead()))
		b = c.out.aead.Seal(b, c.out.nonce(), append(append([]byte{}, body...), kind), b[:5:5])
	}
	if c.held != nil {
		c.held = append(c.held, b...)
		return nil
	}
	_, err := c.Conn.Write(b)
	return err
}

// message returns the next whole message of the handshake among those that were received;
// nil when there is none yet.
func (c *Conn) message() ([]byte, error) {
	if len(c.messages) < 4 {
		return nil, nil
	}
	n := 4 + (int(c.messages[1])<<16 | int(c.messages[2])<<8 | int(c.messages[3]))
	switch {
	case n > maxHandshake:
		return nil, tls12.ErrMalformed
	case len(c.messages) < n:
		return nil, nil
	}
	m := c.messages[:n:n]
	c.messages = c.messages[n:]
	return m, nil
}

// Read implements [net.Conn].
func (c *Conn) Read(p []byte) (int, error) {
	for range maxEmpty {
		if len(c.plain) > 0 {
			n := copy(p, c.plain)
			c.plain = c.plain[n:]
			return n, nil
		}
		kind, body, err := c.readRecord()
		switch {
		case err != nil:
			return 0, err
		case kind == recordData:
			c.plain = body
		case kind == recordHandshake && len(body) > 0:
			c.messages = append(c.messages, body...)
			if err := c.after(); err != nil {
				return 0, err
			}
		default:
			return 0, tls12.ErrMalformed
		}
	}
	return 0, tls12.ErrMalformed
}

// after takes the messages that may come after a handshake: tickets, which are passed over,
// and updates of keys.
func (c *Conn) after() error {
	for {
		m, err := c.message()
		switch {
		case err != nil || m == nil:
			return err
		case m[0] == newSessionTicket:
		case m[0] == keyUpdate && len(m) == 5 && len(c.messages) == 0 && m[4] <= 1:
			if c.in, err = c.in.updated(); err != nil {
				return err
			}
			if m[4] == 1 {
				if err := c.update(); err != nil {
					return err
				}
			}
		default:
			return tls12.ErrMalformed
		}
	}
}

// update updates our keys, as the peer wants.
func (c *Conn) update() (err error) {
	if err := c.writeRecord(recordHandshake, []byte{keyUpdate, 0, 0, 1, 0}); err != nil {
		return err
	}
	c.out, err = c.out.updated()
	return err
}

// Write implements [net.Conn].
func (c *Conn) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		piece := p[sent:min(sent+maxPlain, len(p))]
		if err := c.writeRecord(recordData, piece); err != nil {
			return sent, err
		}
		sent += len(piece)
	}
	return sent, nil
}
