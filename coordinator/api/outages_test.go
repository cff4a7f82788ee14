package api

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/store"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// TestEveryEndReasonHasItsName fails for a reason of the contract that the store does not
// have, or has under another number.
func TestEveryEndReasonHasItsName(t *testing.T) {
	t.Parallel()
	named := map[store.EndReason]string{store.EndNone: "UNSPECIFIED", store.EndRecovered: "RECOVERED", store.EndDeleted: "DELETED"}
	if len(named) != len(monitorpb.EndReason_name) {
		t.Errorf("%d reasons, and the contract has %d", len(named), len(monitorpb.EndReason_name))
	}
	for reason, name := range named {
		o := outageToProto(store.Outage{End: time.Unix(1e9, 0), EndReason: reason})
		if got := strings.TrimPrefix(o.GetEndReason().String(), "END_REASON_"); got != name {
			t.Errorf("reason %d is %s, want %s", reason, got, name)
		}
	}
}
