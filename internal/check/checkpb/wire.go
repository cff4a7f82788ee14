package checkpb

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// What follows does at once what the conversions and the generated code do in two
// steps, for the streams on which a coordinator spends its time. It knows the messages
// as they nearly always are; any other goes the long way, so that the result is the same.

// AppendTarget appends the encoding of TargetToProto(t).
func AppendTarget(to []byte, t check.Target) ([]byte, error) {
	if len(t.Headers)+len(t.RequiredTexts)+len(t.ForbiddenTexts) > 0 || !utf8.ValidString(t.URL) {
		to, err := proto.MarshalOptions{}.MarshalAppend(to, TargetToProto(t))
		if err != nil {
			return to, fmt.Errorf("encode a target: %w", err)
		}
		return to, nil
	}
	if t.URL != "" {
		to = protowire.AppendTag(to, 1, protowire.BytesType)
		to = protowire.AppendString(to, t.URL)
	}
	to = appendNumber(to, 2, uint64(t.Method))
	to = appendNumber(to, 3, uint64(t.RedirectPolicy))
	to = appendNumber(to, 4, uint64(millisUp(min(t.Timeout, check.MaxTimeout))))
	to = appendNumber(to, 8, uint64(millisUp(min(t.SlowAfter, check.MaxTimeout))))
	if t.HeadHostile {
		to = appendNumber(to, 9, 1)
	}
	return to, nil
}

// appendNumber appends a field of a number, unless it is 0.
func appendNumber(to []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return to
	}
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.VarintType), n)
}

// ReadObservation reads an encoded observation into one: what ObservationFromProto makes
// of what the generated code makes of the bytes, which stay the caller's. The error says
// that they are no message.
func ReadObservation(wire []byte, to *check.Observation) error {
	if readObservation(wire, to) {
		return nil
	}
	var p checkv1.Observation
	if err := proto.Unmarshal(wire, &p); err != nil {
		return fmt.Errorf("decode an observation: %w", err)
	}
	*to = ObservationFromProto(&p)
	return nil
}
