package stream

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/runtime/protoiface"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
)

// request is the message read last: results if isResults is set, else any. The next message
// reuses its memory.
type request struct {
	protoreflect.Message // of any
	any                  *coordinatorv1.StreamAssignmentsRequest
	isResults            bool
	ref                  dispatch.Ref
	// results have times counted back from the moment when they were read.
	results []engine.Result
}

func newRequest() *request {
	m := &request{any: new(coordinatorv1.StreamAssignmentsRequest)}
	m.Message = m.any.ProtoReflect()
	return m
}

// ProtoReflect implements proto.Message.
func (m *request) ProtoReflect() protoreflect.Message { return m }

// Interface implements protoreflect.Message.
func (m *request) Interface() protoreflect.ProtoMessage { return m }

// Reset makes room for the next message; package proto calls it before each. It keeps no
// part of the last message alive.
func (m *request) Reset() {
	m.any.Reset()
	clear(m.results)
	m.isResults, m.ref, m.results = false, dispatch.Ref{}, m.results[:0]
}

// ProtoMethods implements protoreflect.Message.
func (m *request) ProtoMethods() *protoiface.Methods {
	return &protoiface.Methods{Unmarshal: func(in protoiface.UnmarshalInput) (protoiface.UnmarshalOutput, error) {
		return protoiface.UnmarshalOutput{Flags: protoiface.UnmarshalInitialized}, m.read(time.Now(), in.Buf)
	}}
}

func (m *request) read(now time.Time, wire []byte) error {
	if m.isResults = m.readResults(now, wire); m.isResults {
		return nil
	}
	m.Reset()
	if err := proto.Unmarshal(wire, m.any); err != nil {
		return fmt.Errorf("decode a request: %w", err)
	}
	return nil
}

// readResults reads Results in the form that checkers send. It returns false for any other
// message, and for one in an unusual form.
func (m *request) readResults(now time.Time, wire []byte) bool {
	outer := fields{left: wire}
	if !outer.next() || outer.tag != 3<<3|bytesType || len(outer.left) > 0 {
		return false
	}
	inner, refs := fields{left: outer.bytes}, 0
	for inner.next() {
		switch {
		case inner.tag == 1<<3|bytesType && refs == 0:
			refs++
			inner.odd = inner.odd || !m.readRef(inner.bytes)
		case inner.tag == 2<<3|bytesType && len(m.results) < maxResults:
			m.results = append(m.results, engine.Result{})
			inner.odd = inner.odd || !readResult(now, inner.bytes, &m.results[len(m.results)-1])
		default:
			return false
		}
	}
	return !inner.odd
}

func (m *request) readRef(wire []byte) bool {
	f := fields{left: wire}
	for f.next() {
		switch f.tag {
		case 1<<3 | varintType:
			m.ref.Batch = dispatch.BatchID(f.number)
		case 2<<3 | varintType:
			m.ref.Checkout = f.number
		default:
			return false
		}
	}
	return !f.odd
}

func readResult(now time.Time, wire []byte, to *engine.Result) bool {
	f, age, observations := fields{left: wire}, uint32(0), 0
	for f.next() {
		switch {
		case f.tag == 1<<3|varintType:
			to.Key.Site = check.SiteID(f.number)
		case f.tag == 2<<3|varintType:
			to.Key.Sequence = f.number
		case f.tag == 3<<3|bytesType && observations == 0:
			observations++
			if checkpb.ReadObservation(f.bytes, &to.Observation) != nil {
				return false
			}
		case f.tag == 4<<3|varintType:
			age = uint32(f.number)
		default:
			return false
		}
	}
	if observations == 0 {
		to.Observation = checkpb.ObservationFromProto(nil)
	}
	to.At = now.Add(-boundAge(age))
	return !f.odd
}

// boundAge returns the age of a result, bounded by maxAge: a checker is not trusted beyond
// that.
func boundAge(millis uint32) time.Duration {
	return min(time.Duration(millis)*time.Millisecond, maxAge)
}

// The two wire types in Results, as a tag encodes them.
const (
	varintType = 0
	bytesType  = 2
)

// fields reads a message field by field, until it ends or a field is odd: neither a varint
// nor bytes, or truncated.
type fields struct {
	left   []byte
	tag    uint64 // the field's number and wire type
	number uint64
	bytes  []byte
	odd    bool
}

func (f *fields) next() bool {
	if len(f.left) == 0 || f.odd {
		return false
	}
	f.tag = f.varint()
	switch f.tag & 7 {
	case varintType:
		f.number = f.varint()
	case bytesType:
		n := f.varint()
		if n > uint64(len(f.left)) {
			f.odd = true
			return false
		}
		f.bytes, f.left = f.left[:n], f.left[n:]
	default:
		f.odd = true
	}
	return !f.odd
}

// varint reads a number. One of more than ten bytes, or above 64 bits, is odd.
func (f *fields) varint() uint64 {
	var v uint64
	for i, c := range f.left {
		if i == 9 && c > 1 || i > 9 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			f.left = f.left[i+1:]
			return v
		}
	}
	f.odd = true
	return 0
}
