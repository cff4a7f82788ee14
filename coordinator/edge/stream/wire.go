package stream

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/runtime/protoiface"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/internal/traceid"
)

// A stream carries almost only Assignments and Results, and for these the generated code
// would cost more than all the rest of a check. So this package encodes the one from, and
// decodes the other into, the engine's own values. Package proto lets a message bring its
// own encoding. The bytes are those of the contract; messages in an unusual form go through
// the generated code.

// encoded is a response that is encoded already.
type encoded struct {
	protoreflect.Message // of an empty response: the type without the contents
	bytes                []byte
	one, target          []byte // scratch
}

func newEncoded() *encoded {
	return &encoded{Message: new(coordinatorv1.StreamAssignmentsResponse).ProtoReflect()}
}

// ProtoReflect implements proto.Message.
func (m *encoded) ProtoReflect() protoreflect.Message { return m }

// Interface implements protoreflect.Message.
func (m *encoded) Interface() protoreflect.ProtoMessage { return m }

// ProtoMethods implements protoreflect.Message.
func (m *encoded) ProtoMethods() *protoiface.Methods {
	return &protoiface.Methods{
		Flags: protoiface.SupportMarshalDeterministic,
		Size:  func(protoiface.SizeInput) protoiface.SizeOutput { return protoiface.SizeOutput{Size: len(m.bytes)} },
		Marshal: func(in protoiface.MarshalInput) (protoiface.MarshalOutput, error) {
			return protoiface.MarshalOutput{Buf: append(in.Buf, m.bytes...)}, nil
		},
		CheckInitialized: func(protoiface.CheckInitializedInput) (out protoiface.CheckInitializedOutput, _ error) {
			return out, nil
		},
	}
}

// handout is a batch to be sent.
type handout struct {
	batch   dispatch.Batch
	targets []check.Target
	term    uint64
	lease   time.Duration
}

// write encodes a batch as a StreamAssignmentsResponse.
func (m *encoded) write(h handout) error {
	// The length that precedes the assignments is known only after they are encoded.
	all := m.bytes[:0]
	all = protowire.AppendTag(all, 1, protowire.BytesType)
	m.one = appendRef(m.one[:0], h.batch.Ref)
	all = protowire.AppendBytes(all, m.one)
	all = appendNumber(all, 3, h.term)
	all = appendNumber(all, 4, uint64(uint32(h.lease.Milliseconds())))
	traces := h.batch.Traces
	for i, c := range h.batch.Checks {
		var err error
		if m.target, err = checkpb.AppendTarget(m.target[:0], h.targets[i]); err != nil {
			return err
		}
		m.one = appendNumber(m.one[:0], 1, uint64(c.Site))
		m.one = appendNumber(m.one, 2, c.Sequence)
		m.one = protowire.AppendTag(m.one, 3, protowire.BytesType)
		m.one = protowire.AppendBytes(m.one, m.target)
		if len(traces) > 0 && traces[0].Check == i {
			m.one = protowire.AppendTag(m.one, 4, protowire.BytesType)
			m.one = protowire.AppendVarint(m.one, traceid.Size)
			m.one = traces[0].Parent.Append(m.one)
			traces = traces[1:]
		}
		all = protowire.AppendTag(all, 5, protowire.BytesType)
		all = protowire.AppendBytes(all, m.one)
	}
	m.one = protowire.AppendTag(m.one[:0], 2, protowire.BytesType)
	m.one = protowire.AppendVarint(m.one, uint64(len(all)))
	m.bytes = append(all, m.one...)
	copy(m.bytes[len(m.one):], all)
	copy(m.bytes, m.one)
	return nil
}

func appendRef(to []byte, r dispatch.Ref) []byte {
	return appendNumber(appendNumber(to, 1, uint64(r.Batch)), 2, r.Checkout)
}

// appendNumber appends a varint field, unless its value is 0.
func appendNumber(to []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return to
	}
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.VarintType), n)
}
