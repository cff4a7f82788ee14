package api

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// TestEveryEndReasonHasItsName fails for a reason in the contract that the store lacks or
// numbers differently.
func TestEveryEndReasonHasItsName(t *testing.T) {
	t.Parallel()
	named := map[record.EndReason]string{record.EndNone: "UNSPECIFIED", record.EndRecovered: "RECOVERED", record.EndDeleted: "DELETED", record.EndChanged: "CHANGED"}
	if len(named) != len(monitorv1.EndReason_name) {
		t.Errorf("%d reasons, and the contract has %d", len(named), len(monitorv1.EndReason_name))
	}
	for reason, name := range named {
		o := outageToProto(record.Outage{End: time.Unix(1e9, 0), EndReason: reason})
		if got := strings.TrimPrefix(o.GetEndReason().String(), "END_REASON_"); got != name {
			t.Errorf("reason %d is %s, want %s", reason, got, name)
		}
	}
}

func TestThePageTokenOfAnOutageReadsBack(t *testing.T) {
	t.Parallel()
	for _, want := range []record.OutageMark{
		{Confirmed: time.UnixMilli(1778673600123), ID: 1}, {Confirmed: time.UnixMilli(0), ID: math.MaxInt64},
		{Confirmed: time.UnixMilli(-5), ID: 7}, {Confirmed: time.UnixMilli(math.MaxInt64), ID: math.MaxInt64},
	} {
		text := markToken(want)
		if len(text) > 64 {
			t.Errorf("token %q is longer than a request may have", text)
		}
		got, err := parseMark(text)
		if err != nil || got.ID != want.ID || !got.Confirmed.Equal(want.Confirmed) {
			t.Errorf("token %q of %v reads as %v, %v", text, want, got, err)
		}
	}
	if got, err := parseMark(""); err != nil || got != (record.OutageMark{}) {
		t.Errorf("no token reads as %v, %v", got, err)
	}
	for _, text := range []string{"a", "a.", ".a", ".", "a.b.c", "a.-1", "a.0", "?.a", "a.?", "zzzzzzzzzzzzzz.1", "1.zzzzzzzzzzzzzz", "1 .1"} {
		if got, err := parseMark(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q reads as %v, %v", text, got, err)
		}
	}
}
