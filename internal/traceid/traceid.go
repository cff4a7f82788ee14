// Package traceid makes the ids of traces and of their spans. It decides which checks are in
// which trace, and sends, stores and records nothing.
//
// Most ids are derived, not drawn: a checker and a coordinator that know the same check give its
// span the same id, and need not tell each other. Nobody keeps an id who can derive it, and a
// coordinator that takes over goes on with the trace that another began.
package traceid

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// Context names a span: the trace that it is in, and its id there. The zero Context is that of no
// span. One with a Trace alone stands for a trace whose first span is still to come.
type Context struct {
	Trace [16]byte
	Span  [8]byte
}

// Size is the length of a Context on the wire, in bytes.
const Size = 24

// OfCheck returns the span of a check that begins a trace of its own. Checkout is that of the
// batch in which it was handed out, which nobody can guess.
func OfCheck(site int64, sequence, checkout uint64) Context {
	var c Context
	a := mix(uint64(site) + mix(sequence+mix(checkout)))
	b := mix(a + mix(checkout+sequence))
	binary.BigEndian.PutUint64(c.Trace[:8], a|1) // a trace of zeros is none
	binary.BigEndian.PutUint64(c.Trace[8:], b)
	c.setSpan(mix(b + uint64(site)))
	return c
}

// Within returns the span of a check as a part of another trace; c itself if parent is of none.
func (c Context) Within(parent Context) Context {
	if parent.IsZero() {
		return c
	}
	return Context{Trace: parent.Trace, Span: c.Span}
}

// Child returns a span below c. Those of different names differ.
func (c Context) Child(name string) Context {
	h := binary.BigEndian.Uint64(c.Span[:]) ^ binary.BigEndian.Uint64(c.Trace[8:])
	for _, b := range []byte(name) {
		h = mix(h + uint64(b))
	}
	c.setSpan(mix(h))
	return c
}

// OneIn reports whether a trace is one of those that are kept if one in n is; of none if n is 0.
// It depends on the id alone, so that all who ask agree.
func (c Context) OneIn(n uint32) bool {
	return n != 0 && binary.BigEndian.Uint64(c.Trace[8:])%uint64(n) == 0
}

// IsZero reports whether c is of no trace.
func (c Context) IsZero() bool { return c.Trace == [16]byte{} }

// IsSpan reports whether c names a span, and not only a trace.
func (c Context) IsSpan() bool { return !c.IsZero() && c.Span != [8]byte{} }

// TraceID returns the trace in hexadecimal, as collectors show it; empty for none.
func (c Context) TraceID() string {
	if c.IsZero() {
		return ""
	}
	return hex.EncodeToString(c.Trace[:])
}

// SpanID returns the span in hexadecimal; empty for none.
func (c Context) SpanID() string {
	if !c.IsSpan() {
		return ""
	}
	return hex.EncodeToString(c.Span[:])
}

// Append appends the Size bytes of c, trace first.
func (c Context) Append(to []byte) []byte { return append(append(to, c.Trace[:]...), c.Span[:]...) }

// Read reads what Append wrote. Anything else is the zero Context: a trace is never worth an error.
func Read(b []byte) (c Context) {
	if len(b) == Size {
		copy(c.Trace[:], b)
		copy(c.Span[:], b[len(c.Trace):])
	}
	if c.IsZero() {
		return Context{}
	}
	return c
}

var errText = errors.New("a trace context must have 48 hexadecimal digits")

// MarshalText returns c in hexadecimal; nothing for the zero Context.
func (c Context) MarshalText() ([]byte, error) {
	if c.IsZero() {
		return nil, nil
	}
	return hex.AppendEncode(nil, c.Append(nil)), nil
}

// UnmarshalText reads what MarshalText wrote.
func (c *Context) UnmarshalText(text []byte) error {
	*c = Context{}
	if len(text) == 0 {
		return nil
	}
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != Size {
		return errText
	}
	*c = Read(b)
	return nil
}

func (c *Context) setSpan(n uint64) {
	if n == 0 {
		n = 1 // a span of zeros is none
	}
	binary.BigEndian.PutUint64(c.Span[:], n)
}

// mix is the finalizer of SplitMix64: a bijection in which each bit of the result depends on all.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
