package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/internal/fault"
)

var kinds = map[fault.Kind]codes.Code{
	fault.Internal:        codes.Internal,
	fault.Invalid:         codes.InvalidArgument,
	fault.NotFound:        codes.NotFound,
	fault.AlreadyExists:   codes.AlreadyExists,
	fault.Conflict:        codes.Aborted,
	fault.Fenced:          codes.FailedPrecondition,
	fault.Unavailable:     codes.Unavailable,
	fault.Unauthenticated: codes.Unauthenticated,
	fault.Exhausted:       codes.ResourceExhausted,
	fault.Denied:          codes.PermissionDenied,
	fault.Gone:            codes.OutOfRange,
}

func TestAKindStandsForOneCodeHereAndOverTheWire(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for kind, code := range kinds {
		err := fmt.Errorf("outer: %w", fault.New(kind, "site %d", 7))
		s, ok := status.FromError(err)
		if !ok || s.Code() != code || s.Message() != "outer: site 7" {
			t.Errorf("%v: status is %v %v %q, want %v", kind, ok, s.Code(), s.Message(), code)
		}
		for other := range kinds {
			if got := fault.Is(err, other); got != (other == kind) {
				t.Errorf("Is(%v fault, %v) = %v", kind, other, got)
			}
			remote := fmt.Errorf("call: %w", status.Error(code, "x"))
			if got := fault.Is(remote, other); got != (other == kind) {
				t.Errorf("Is(remote %v, %v) = %v", code, other, got)
			}
		}
		names[kind.String()] = true
	}
	if len(names) != len(kinds) {
		t.Errorf("names of kinds are not distinct: %v", names)
	}
	if k := fault.Kind(200); k.Code() != codes.Internal || k.String() != "kind 200" {
		t.Errorf("unknown kind: %v %v", k.Code(), k)
	}
}

func TestIsOfOtherErrors(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		if fault.Is(nil, kind) || fault.Is(io.EOF, kind) {
			t.Errorf("%v: nil or a plain error is a fault", kind)
		}
	}
}

func TestTheOutermostFaultDecides(t *testing.T) {
	t.Parallel()
	err := fault.New(fault.Unavailable, "read: %w", fault.New(fault.NotFound, "no row"))
	if !fault.Is(err, fault.Unavailable) || fault.Is(err, fault.NotFound) {
		t.Errorf("kind of %v is not that of the outer fault", err)
	}
}

func TestCausesStayInTheChain(t *testing.T) {
	t.Parallel()
	one := fault.New(fault.Unavailable, "read: %w", io.EOF)
	two := fault.New(fault.Unavailable, "read: %w, %w", io.EOF, io.ErrClosedPipe)
	field := fault.InvalidField("url", "is bad: %w", io.EOF)
	for _, err := range []error{one, two, field} {
		if !errors.Is(err, io.EOF) {
			t.Errorf("%v has lost its cause", err)
		}
	}
	if !errors.Is(two, io.ErrClosedPipe) {
		t.Error("the second cause is lost")
	}
}

func TestInvalidFieldNamesTheField(t *testing.T) {
	t.Parallel()
	err := fault.InvalidField("site.url", "port must be from 1 to 65535, is %d", 99999)
	const want = "site.url: port must be from 1 to 65535, is 99999"
	if err.Error() != want || err.Kind() != fault.Invalid {
		t.Errorf("got %v %q, want %q", err.Kind(), err, want)
	}
	bad := detail[*errdetails.BadRequest](t, err)
	if len(bad.FieldViolations) != 1 || bad.FieldViolations[0].Field != "site.url" ||
		bad.FieldViolations[0].Description != "port must be from 1 to 65535, is 99999" {
		t.Errorf("violations: %v", bad)
	}
}

func TestWithLeavesTheOriginalAlone(t *testing.T) {
	t.Parallel()
	base := fault.InvalidField("a", "b")
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}
	first := base.With(retry)
	second := base.With(&errdetails.ErrorInfo{Reason: "X"})
	if n := len(base.GRPCStatus().Details()); n != 1 {
		t.Errorf("the original has %d details", n)
	}
	if got := detail[*errdetails.RetryInfo](t, first); !proto.Equal(got, retry) {
		t.Errorf("got %v", got)
	}
	if got := detail[*errdetails.ErrorInfo](t, second); got.Reason != "X" {
		t.Errorf("got %v", got)
	}
}

func TestStatusOfAnyError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		code    codes.Code
		message string
	}{
		"no error":                  {nil, codes.OK, ""},
		"a plain error":             {io.EOF, codes.Internal, "EOF"},
		"a status without a class":  {status.Error(codes.Unknown, "x"), codes.Internal, "x"},
		"a status of another kind":  {status.Error(codes.Unimplemented, "x"), codes.Unimplemented, "x"},
		"a wrapped fault":           {fmt.Errorf("a: %w", fault.New(fault.NotFound, "b")), codes.NotFound, "a: b"},
		"a deadline that passed":    {fmt.Errorf("a: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "a: context deadline exceeded"},
		"a caller that went away":   {context.Canceled, codes.Canceled, "context canceled"},
		"text that is not UTF-8":    {fault.New(fault.Invalid, "a\xffb"), codes.InvalidArgument, "a\uFFFDb"},
		"such text around a fault":  {fmt.Errorf("\xff: %w", fault.New(fault.Invalid, "b")), codes.InvalidArgument, "\uFFFD: b"},
		"a fault about a deadline":  {fault.New(fault.Unavailable, "a: %w", context.DeadlineExceeded), codes.Unavailable, "a: context deadline exceeded"},
		"more text than a line has": {errors.New(strings.Repeat("x", 2000)), codes.Internal, strings.Repeat("x", 1021) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s := fault.Status(c.err); s.Code() != c.code || s.Message() != c.message {
				t.Errorf("got %v %q, want %v %q", s.Code(), s.Message(), c.code, c.message)
			}
		})
	}
}

func FuzzAStatusIsAlwaysFitForTheWire(f *testing.F) {
	f.Add("site.url", "bad")
	f.Add("\xff", "\xc3\x28")
	f.Add("field", strings.Repeat("ж", 600))
	f.Add(strings.Repeat("x", 5000), "")
	f.Fuzz(func(t *testing.T, field, text string) {
		s := fault.InvalidField(field, "%s", text).GRPCStatus()
		if s.Code() != codes.InvalidArgument || !utf8.ValidString(s.Message()) || len(s.Message()) > 1024 {
			t.Errorf("status %v, %d bytes: %q", s.Code(), len(s.Message()), s.Message())
		}
		if len(s.Details()) != 1 {
			t.Errorf("%d details", len(s.Details()))
		}
		if _, err := proto.Marshal(s.Proto()); err != nil {
			t.Error(err)
		}
		if short := field + ": " + text; utf8.ValidString(short) && len(short) <= 1024 && s.Message() != short {
			t.Errorf("message %q, want %q", s.Message(), short)
		}
	})
}

// detail finds the detail of one type in the status that a caller would get.
func detail[M proto.Message](t *testing.T, err error) M {
	t.Helper()
	var none M
	for _, d := range status.Convert(err).Details() {
		if m, ok := d.(M); ok {
			return m
		}
	}
	t.Fatalf("no %T in %v", none, err)
	return none
}
