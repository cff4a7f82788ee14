package stream

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestTheHighestVersionThatBothSpeakIsChosen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ours, theirs versions
		want         uint32 // 0: there is none
	}{
		"both speak one":                         {versions{1, 1}, versions{1, 1}, 1},
		"both speak the same ones":               {versions{1, 3}, versions{1, 3}, 3},
		"the checker was upgraded first":         {versions{1, 1}, versions{1, 2}, 1},
		"the coordinator was upgraded first":     {versions{1, 2}, versions{1, 1}, 1},
		"each speaks what the other does not":    {versions{1, 3}, versions{2, 4}, 3},
		"one version is common, at the edge":     {versions{3, 5}, versions{1, 3}, 3},
		"one range is inside the other":          {versions{1, 9}, versions{4, 6}, 6},
		"the checker is too old":                 {versions{3, 5}, versions{1, 2}, 0},
		"the coordinator is too old":             {versions{1, 2}, versions{3, 5}, 0},
		"neighbours have nothing in common":      {versions{1, 1}, versions{2, 2}, 0},
		"the highest that there can be is one":   {versions{1, 1<<32 - 1}, versions{2, 1<<32 - 1}, 1<<32 - 1},
		"the lowest of all against the highest ": {versions{1, 1}, versions{1<<32 - 1, 1<<32 - 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, order := range [][2]versions{{tt.ours, tt.theirs}, {tt.theirs, tt.ours}} {
				got, ok := order[0].common(order[1])
				if ok != (tt.want != 0) || ok && got != tt.want {
					t.Errorf("of %s and %s it is %d, %t", order[0], order[1], got, ok)
				}
			}
		})
	}
}

func TestAHelloNamesARangeOrOneVersion(t *testing.T) {
	t.Parallel()
	ours := versions{2, 3}
	for name, tt := range map[string]struct {
		hello *coordinatorv1.Hello
		want  uint32
		code  codes.Code // when there is no version
		field string
	}{
		"a range":                            {hello: &coordinatorv1.Hello{MinProtocolVersion: 1, MaxProtocolVersion: 2}, want: 2},
		"a range, and one for older ones":    {hello: &coordinatorv1.Hello{ProtocolVersion: 1, MinProtocolVersion: 1, MaxProtocolVersion: 3}, want: 3},
		"one version":                        {hello: &coordinatorv1.Hello{ProtocolVersion: 2}, want: 2},
		"one version that is not spoken":     {hello: &coordinatorv1.Hello{ProtocolVersion: 1}, code: codes.FailedPrecondition},
		"a range that is not spoken":         {hello: &coordinatorv1.Hello{ProtocolVersion: 2, MinProtocolVersion: 4, MaxProtocolVersion: 9}, code: codes.FailedPrecondition},
		"a range that ends before it begins": {hello: &coordinatorv1.Hello{MinProtocolVersion: 3, MaxProtocolVersion: 2}, code: codes.InvalidArgument, field: "hello.max_protocol_version"},
		"a range without end":                {hello: &coordinatorv1.Hello{ProtocolVersion: 2, MinProtocolVersion: 2}, code: codes.InvalidArgument, field: "hello.max_protocol_version"},
		"a range without beginning":          {hello: &coordinatorv1.Hello{ProtocolVersion: 2, MaxProtocolVersion: 2}, code: codes.InvalidArgument, field: "hello.min_protocol_version"},
		"no version":                         {hello: &coordinatorv1.Hello{}, code: codes.InvalidArgument, field: "hello.max_protocol_version"},
		"no hello":                           {code: codes.InvalidArgument, field: "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ours.negotiate(tt.hello)
			if got != tt.want || (err == nil) != (tt.want != 0) {
				t.Fatalf("it is %d, %v", got, err)
			}
			if err == nil {
				return
			}
			st := fault.Status(err)
			if st.Code() != tt.code || len(st.Details()) != 1 {
				t.Fatalf("it is %v with %v", err, st.Details())
			}
			switch d := st.Details()[0].(type) {
			case *errdetails.BadRequest:
				if f := d.GetFieldViolations()[0].GetField(); f != tt.field {
					t.Errorf("at fault is %s, want %s", f, tt.field)
				}
			case *errdetails.ErrorInfo:
				if d.GetReason() != "VERSION_UNSUPPORTED" || d.GetDomain() != "jetmon.coordinator" ||
					d.GetMetadata()["min_protocol_version"] != "2" || d.GetMetadata()["max_protocol_version"] != "3" {
					t.Errorf("the reason is %v", d)
				}
			}
		})
	}
}
