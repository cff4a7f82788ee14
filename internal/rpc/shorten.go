package rpc

import (
	"encoding/base64"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/Automattic/jetmon/internal/fault"
)

// shorten makes an error fit for the trailers of a call. They travel in HTTP/2 headers,
// which many clients bound at 8 KiB; one that is too long ends a connection that others
// use as well.
func shorten(s *status.Status) *status.Status {
	p := s.Proto() // a copy
	if p == nil {
		return nil
	}
	p.Message = fault.Clip(p.GetMessage(), maxMessageBytes)
	p.Details = p.GetDetails()[:min(len(p.GetDetails()), maxViolations)]
	for i, packed := range p.GetDetails() {
		if bad := new(errdetails.BadRequest); packed.UnmarshalTo(bad) == nil {
			clipViolations(bad)
			p.Details[i] = repacked(bad, packed)
		}
	}
	for len(p.GetDetails()) > 0 && wireSize(p) > maxErrorBytes {
		dropLast(p)
	}
	return status.FromProto(p)
}

func clipViolations(bad *errdetails.BadRequest) {
	bad.FieldViolations = bad.GetFieldViolations()[:min(len(bad.GetFieldViolations()), maxViolations)]
	for _, v := range bad.GetFieldViolations() {
		v.Field, v.Description = fault.Clip(v.GetField(), maxFieldBytes), fault.Clip(v.GetDescription(), maxMessageBytes)
		v.Reason, v.LocalizedMessage = fault.Clip(v.GetReason(), maxFieldBytes), nil
	}
}

// dropLast takes the last violation off, or the last detail if it has none to spare.
func dropLast(p *spb.Status) {
	last := len(p.GetDetails()) - 1
	bad := new(errdetails.BadRequest)
	if p.GetDetails()[last].UnmarshalTo(bad) == nil && len(bad.GetFieldViolations()) > 1 {
		bad.FieldViolations = bad.GetFieldViolations()[:len(bad.GetFieldViolations())-1]
		p.Details[last] = repacked(bad, p.GetDetails()[last])
		return
	}
	p.Details = p.GetDetails()[:last]
}

func repacked(m proto.Message, otherwise *anypb.Any) *anypb.Any {
	if a, err := anypb.New(m); err == nil {
		return a
	}
	return otherwise
}

// wireSize is how many bytes of trailers an error takes: grpc-message in percent-encoding
// and, if there are details, grpc-status-details-bin in base64.
func wireSize(p *spb.Status) int {
	n := len("grpc-status") + len("grpc-message") + len("grpc-status-details-bin")
	for _, c := range []byte(p.GetMessage()) {
		n++
		if c < ' ' || c > '~' || c == '%' {
			n += 2
		}
	}
	if len(p.GetDetails()) > 0 {
		n += base64.StdEncoding.EncodedLen(proto.Size(p))
	}
	return n
}
