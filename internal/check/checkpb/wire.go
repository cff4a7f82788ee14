package checkpb

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// The functions below do in one step what the conversions and the generated code do in
// two, for the streams on which a coordinator spends its time. They handle the usual
// messages; unusual ones take the long way, so that the result is always the same.

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
	to = appendNumber(to, 10, uint64(t.PageRule))
	if t.PageWasFilled {
		to = appendNumber(to, 11, 1)
	}
	to = appendNumber(to, 12, uint64(t.TLSErrors))
	return to, nil
}

// appendNumber appends a numeric field, unless it is 0.
func appendNumber(to []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return to
	}
	return protowire.AppendVarint(protowire.AppendTag(to, field, protowire.VarintType), n)
}

// ReadObservation decodes an observation. The result is that of the generated code and
// ObservationFromProto together. It does not keep wire. It returns an error when the bytes
// are not a message.
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
