package fault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// maxWireBytes limits the message that leaves the process: a status travels in HTTP/2
// headers, and a message may quote a caller's input.
const maxWireBytes = 1024

// Error is an error of a known kind. It is immutable.
type Error struct {
	kind    Kind
	err     error
	details []proto.Message
	hidden  string // what callers read instead; empty when they read err
}

// New makes a fault. A cause given with %w in format stays in the chain.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{kind: kind, err: fmt.Errorf(format, args...)}
}

// InvalidField makes an Invalid fault that names the field at fault, in its message
// ("field: description") and as google.rpc.BadRequest.
func InvalidField(field, format string, args ...any) *Error {
	description := fmt.Errorf(format, args...)
	e := &Error{kind: Invalid, err: fmt.Errorf("%s: %w", field, description)}
	return e.With(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{
		Field:       onWire(field),
		Description: onWire(description.Error()),
	}}})
}

// With returns a copy of e that also carries details, such as those of google.rpc
// (RetryInfo, ErrorInfo, ...).
func (e *Error) With(details ...proto.Message) *Error {
	c := *e
	c.details = slices.Concat(e.details, details)
	return &c
}

// Hidden returns a copy of e of which callers read only text: e has an address in it or the
// words of another program, and is for our own log.
func (e *Error) Hidden(text string) *Error {
	c := *e
	c.hidden = text
	return &c
}

// InsteadOf returns what callers read instead of an error's message; empty when they read
// that.
func InsteadOf(err error) string {
	for {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.hidden != "" {
			return e.hidden
		}
		err = e.err
	}
}

// Error returns the message.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the error with the causes given with %w.
func (e *Error) Unwrap() error { return e.err }

// Kind returns the kind of e.
func (e *Error) Kind() Kind { return e.kind }

// GRPCStatus returns the status for a caller over gRPC. gRPC calls it by itself.
func (e *Error) GRPCStatus() *status.Status {
	s := &spb.Status{Code: int32(e.kind.Code()), Message: onWire(cmp.Or(InsteadOf(e), e.Error()))}
	for _, d := range e.details {
		// A detail that cannot be packed (text that is not UTF-8) is left out: the
		// message has the same content, and no error must hide another.
		if a, err := anypb.New(d); err == nil {
			s.Details = append(s.Details, a)
		}
	}
	return status.FromProto(s)
}

// Is reports whether err is of this kind: whether the first fault in its chain is, or,
// without a fault, the gRPC status that came from another process.
func Is(err error, kind Kind) bool {
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.kind == kind
	}
	if s, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err); ok {
		return s.GRPCStatus().Code() == kind.Code()
	}
	return false
}

// Status returns the status of any error for a caller over gRPC. It is that of the first
// fault or gRPC status in the chain, with the whole chain's message, or what hides it. The end of a context
// is DEADLINE_EXCEEDED or CANCELED, and any other error INTERNAL.
func Status(err error) *status.Status {
	s, ok := status.FromError(err)
	if !ok {
		s = status.FromContextError(err)
	}
	p := s.Proto()
	if p == nil {
		return nil
	}
	if p.Code == int32(codes.Unknown) {
		p.Code = int32(codes.Internal)
	}
	p.Message = onWire(cmp.Or(InsteadOf(err), p.Message))
	return status.FromProto(p)
}

// onWire makes text fit for a protobuf string of limited length.
func onWire(text string) string { return Clip(strings.ToValidUTF8(text, "\uFFFD"), maxWireBytes) }

// Clip shortens a text to at most so many bytes, between two characters, and ends it with
// "...". A quoted text from outside must not be longer than the rest of the error.
func Clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	const more = "..."
	cut := max(0, most-len(more))
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + more
}
