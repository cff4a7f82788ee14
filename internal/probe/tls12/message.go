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

// The numbers of extensions.
const (
	extServerName    = 0
	extGroups        = 10
	extPoints        = 11
	extSignatures    = 13
	extProtocols     = 16
	extExtended      = 23
	extRenegotiation = 0xff01
)

// builder builds a message.
type builder struct{ b []byte }

func (b *builder) u8(v byte)    { b.b = append(b.b, v) }
func (b *builder) u16(v uint16) { b.b = binary.BigEndian.AppendUint16(b.b, v) }
func (b *builder) raw(v []byte) { b.b = append(b.b, v...) }

// sized16 puts the length of what f builds before it.
func (b *builder) sized16(f func()) {
	at := len(b.b)
	b.u16(0)
	f()
	binary.BigEndian.PutUint16(b.b[at:], uint16(len(b.b)-at-2))
}

// reader reads a message. After its end it is bad and returns zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) number(n int) (v int) {
	for _, b := range r.take(n) {
		v = v<<8 | int(b)
	}
	return v
}

func (r *reader) u8() byte    { return byte(r.number(1)) }
func (r *reader) u16() uint16 { return uint16(r.number(2)) }
func (r *reader) u24() int    { return r.number(3) }
