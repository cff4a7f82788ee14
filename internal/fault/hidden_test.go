package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/fault"
)

func TestWhatIsHiddenIsForTheLogOnly(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp 192.0.2.1:3306: refused")
	hidden := fault.New(fault.Unavailable, "read sites: %w", cause).Hidden("the database does not answer")
	for name, err := range map[string]error{
		"itself":             hidden,
		"wrapped":            fmt.Errorf("list: %w", hidden),
		"in another fault":   fault.New(fault.Unavailable, "list: %w", hidden),
		"wrapped in another": fmt.Errorf("x: %w", fault.New(fault.Unavailable, "list: %w", fmt.Errorf("y: %w", hidden))),
	} {
		if !strings.Contains(err.Error(), "192.0.2.1") || !errors.Is(err, cause) {
			t.Errorf("%s: the log has only %v", name, err)
		}
		if s := fault.Status(err); s.Message() != "the database does not answer" || s.Code() != codes.Unavailable {
			t.Errorf("%s: callers read %v", name, s)
		}
		if fault.InsteadOf(err) == "" {
			t.Errorf("%s: nothing is hidden", name)
		}
	}
	if s := status.Convert(hidden); s.Message() != "the database does not answer" {
		t.Errorf("gRPC's own caller reads %v", s)
	}
	for _, err := range []error{nil, cause, fault.New(fault.Invalid, "x")} {
		if text := fault.InsteadOf(err); text != "" {
			t.Errorf("%v: %q", err, text)
		}
	}
}
