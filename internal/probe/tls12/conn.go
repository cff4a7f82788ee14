package tls12

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// The types of records.
const (
	recordChangeCipher = 20
	recordAlert        = 21
	recordHandshake    = 22
	recordData         = 23
)

const (
	version      = 0x0303
	maxRecord    = 16<<10 + 256
	maxPlain     = 16 << 10
	maxHandshake = 64 << 10
	// maxEmpty limits records without content in a row.
	maxEmpty = 32
)

// Alert is an alert that ended the connection: the peer sent it.
type Alert uint8

func (a Alert) Error() string { return fmt.Sprintf("tls: alert %d", uint8(a)) }

// ErrMalformed means that the peer does not speak TLS as it should.
var ErrMalformed = errors.New("tls: malformed message")

// Conn is a connection after its handshake. Its Read and Write are those of net.Conn.
type Conn struct {
	net.Conn
	in, out half
	// plain is data, or a piece of the handshake, that was received and not yet used.
	plain, messages []byte
	// log is all that was said in the handshake.
	log []byte
	// held are records that wait to be sent together; nil: records are sent at once.
	held []byte
}

// half is one direction: before the keys are in use, its cipher is nil.
type half struct {
	aead cipher.AEAD
	salt []byte
	seq  uint64
}

func (h *half) nonce(explicit []byte) []byte {
	return append(append(make([]byte, 0, 12), h.salt...), explicit...)
}

// header returns the additional data of a record of n bytes, and counts it.
func (h *half) header(kind byte, n int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 13), h.seq)
	h.seq++
	return append(b, kind, version>>8, version&255, byte(n>>8), byte(n))
}

// readRecord reads and decrypts the next record.
func (c *Conn) readRecord() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(head[3])<<8 | int(head[4])
	if head[1] != 3 || n > maxRecord {
		return 0, nil, ErrMalformed
	}
	body = make([]byte, n)
	if _, err := io.ReadFull(c.Conn, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	kind = head[0]
	if c.in.aead != nil {
		const explicit = 8
		plain := n - explicit - c.in.aead.Overhead()
		if plain < 0 {
			return 0, nil, ErrMalformed
		}
		nonce := c.in.nonce(body[:explicit])
		if body, err = c.in.aead.Open(body[:explicit][explicit:], nonce, body[explicit:], c.in.header(kind, plain)); err != nil {
			return 0, nil, ErrMalformed
		}
	}
	if kind == recordAlert {
		return kind, nil, AlertIn(body)
	}
	return kind, body, nil
}

// AlertIn returns the error for an alert; close_notify is the end of the data.
func AlertIn(body []byte) error {
	switch {
	case len(body) != 2:
		return ErrMalformed
	case body[1] == 0:
		return io.EOF
	}
	return Alert(body[1])
}

// writeRecord encrypts and sends one record.
func (c *Conn) writeRecord(kind byte, body []byte) error {
	b := []byte{kind, version >> 8, version & 255, 0, 0}
	if c.out.aead == nil {
		b = append(b, body...)
	} else {
		explicit := binary.BigEndian.AppendUint64(nil, c.out.seq)
		b = append(b, explicit...)
		b = c.out.aead.Seal(b, c.out.nonce(explicit), body, c.out.header(kind, len(body)))
	}
	binary.BigEndian.PutUint16(b[3:], uint16(len(b)-5))
	if c.held != nil {
		c.held = append(c.held, b...)
		return nil
	}
	_, err := c.Conn.Write(b)
	return err
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
		case kind != recordHandshake: // a request to renegotiate may be passed over
			return 0, ErrMalformed
		}
	}
	return 0, ErrMalformed
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
