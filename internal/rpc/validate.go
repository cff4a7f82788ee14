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

// validator checks requests against the constraints in their protos.
type validator struct{ protovalidate.Validator }

func newValidator() (validator, error) {
	v, err := protovalidate.New()
	if err != nil {
		return validator{}, fmt.Errorf("make the validator of requests: %w", err)
	}
	return validator{v}, nil
}

func (v validator) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if m, ok := req.(proto.Message); ok {
		if err := v.check(m); err != nil {
			return nil, err
		}
	}
	return handle(ctx, req)
}

// check returns a fault that names every invalid field, in its message and as
// google.rpc.BadRequest.
func (v validator) check(m proto.Message) error {
	err := v.Validate(m)
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*protovalidate.ValidationError](err)
	if !ok {
		return fault.New(fault.Internal, "validate %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	bad := new(errdetails.BadRequest)
	var lines []string
	for _, violation := range invalid.Violations {
		field := protovalidate.FieldPathString(violation.Proto.GetField())
		text := strings.ToValidUTF8(violation.Proto.GetMessage(), "\uFFFD")
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: field, Description: text, Reason: violation.Proto.GetRuleId(),
		})
		lines = append(lines, field+": "+text)
	}
	return fault.New(fault.Invalid, "%s", strings.Join(lines, "; ")).With(bad)
}
