package tls12

import "encoding/binary"

// The types of handshake messages.
const (
	helloRequest      = 0
	clientHello       = 1
	serverHello       = 2
	newSessionTicket  = 4
	certificate       = 11
	serverKeyExchange = 12
	certificateWanted = 13
	serverHelloDone   = 14
	clientKeyExchange = 16
	finished          = 20
)

// The numbers of extensions; ExtProtocols is ALPN.
const (
	extServerName    = 0
	extGroups        = 10
	extPoints        = 11
	extSignatures    = 13
	ExtProtocols     = 16
	extExtended      = 23
	extRenegotiation = 0xff01
)

// Builder builds a message.
type Builder struct{ B []byte }

// U8, U16 and Raw add a number, or bytes.
func (b *Builder) U8(v byte)    { b.B = append(b.B, v) }
func (b *Builder) U16(v uint16) { b.B = binary.BigEndian.AppendUint16(b.B, v) }
func (b *Builder) Raw(v []byte) { b.B = append(b.B, v...) }

// Sized16 puts the length of what f builds before it.
func (b *Builder) Sized16(f func()) {
	at := len(b.B)
	b.U16(0)
	f()
	binary.BigEndian.PutUint16(b.B[at:], uint16(len(b.B)-at-2))
}

// Reader reads a message of bytes B. After its end it is Bad and returns zeros.
type Reader struct {
	B   []byte
	Bad bool
}

// Take returns the next n bytes.
func (r *Reader) Take(n int) []byte {
	if r.Bad || n > len(r.B) {
		r.Bad, r.B = true, nil
		return nil
	}
	v := r.B[:n]
	r.B = r.B[n:]
	return v
}

func (r *Reader) number(n int) (v int) {
	for _, b := range r.Take(n) {
		v = v<<8 | int(b)
	}
	return v
}

// U8, U16 and U24 return the next number of that many bits.
func (r *Reader) U8() byte    { return byte(r.number(1)) }
func (r *Reader) U16() uint16 { return uint16(r.number(2)) }
func (r *Reader) U24() int    { return r.number(3) }
