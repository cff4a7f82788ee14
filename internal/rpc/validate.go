package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/fault"
)

// validator holds requests to the constraints that their protos state.
type validator struct {
	protovalidate.Validator
	shapes shapes
}

func newValidator() (validator, error) {
	v, err := protovalidate.New()
	if err != nil {
		return validator{}, fmt.Errorf("make the validator of requests: %w", err)
	}
	return validator{v, shapes{}}, nil
}

func (v validator) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if m, ok := req.(proto.Message); ok {
		if err := v.check(m); err != nil {
			return nil, err
		}
	}
	return handle(ctx, req)
}

type validatorKey struct{}

// stream holds the request of a stream of answers to its constraints. The messages of a stream
// of requests are the handler's to check, with Check.
func (v validator) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	s := validStream{withContext{ss, context.WithValue(ss.Context(), validatorKey{}, v)}, validator{}}
	if !info.IsClientStream {
		s.v = v
	}
	return handle(srv, s)
}

// validStream is a stream whose messages v checks, if it has one.
type validStream struct {
	withContext
	v validator
}

// RecvMsg receives a message.
func (s validStream) RecvMsg(m any) error {
	if err := s.withContext.RecvMsg(m); err != nil {
		return err
	}
	if p, ok := m.(proto.Message); ok && s.v.Validator != nil {
		return s.v.check(p)
	}
	return nil
}

// Check holds a message of a stream of requests to the constraints that its proto states, as
// requests are held to theirs. ctx is the context of the stream.
func Check(ctx context.Context, m proto.Message) error {
	v, ok := ctx.Value(validatorKey{}).(validator)
	if !ok {
		return fault.New(fault.Internal, "the server validates nothing")
	}
	return v.check(m)
}

// check answers a fault that names the fields at fault, in the message and as
// google.rpc.BadRequest. A list that is too long is one, and its items are not looked at.
func (v validator) check(m proto.Message) error {
	if s := v.shapes[m.ProtoReflect().Descriptor().FullName()]; s != nil {
		if found := s.fit(m.ProtoReflect()); len(found) > 0 {
			return violated(found)
		}
	}
	if field := noTime(m.ProtoReflect()); field != "" {
		return fault.InvalidField(field, "must be a time from the year 1 to 9999, with 0 to 999999999 nanoseconds")
	}
	err := v.Validate(m)
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return fault.New(fault.Internal, "validate %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	var found []*errdetails.BadRequest_FieldViolation
	for _, violation := range invalid.Violations {
		found = append(found, &errdetails.BadRequest_FieldViolation{
			Field:       protovalidate.FieldPathString(violation.Proto.GetField()),
			Description: strings.ToValidUTF8(violation.Proto.GetMessage(), "\uFFFD"),
			Reason:      violation.Proto.GetRuleId(),
		})
	}
	return violated(found)
}

// violated is the fault of a request; of many violations it names the first ones.
func violated(found []*errdetails.BadRequest_FieldViolation) error {
	named := found[:min(len(found), maxViolations)]
	lines := make([]string, len(named))
	for i, v := range named {
		lines[i] = v.GetField() + ": " + v.GetDescription()
	}
	if more := len(found) - len(named); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return fault.New(fault.Invalid, "%s", strings.Join(lines, "; ")).With(&errdetails.BadRequest{FieldViolations: named})
}
