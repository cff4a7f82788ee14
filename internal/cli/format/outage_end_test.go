package format

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func TestTheEndOfAnOutageHasItsReason(t *testing.T) {
	t.Parallel()
	end := timestamppb.New(time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC))
	for want, o := range map[string]*monitorv1.Outage{
		"-":                                {},
		"2026-05-13 12:00:00Z (recovered)": {EndTime: end, EndReason: monitorv1.EndReason_END_REASON_RECOVERED},
		"2026-05-13 12:00:00Z (deleted)":   {EndTime: end, EndReason: monitorv1.EndReason_END_REASON_DELETED},
		"2026-05-13 12:00:00Z (changed)":   {EndTime: end, EndReason: monitorv1.EndReason_END_REASON_CHANGED},
		"2026-05-13 12:00:00Z (99)":        {EndTime: end, EndReason: 99}, // of a newer coordinator
		"2026-05-13 12:00:00Z":             {EndTime: end},                // of an older one
	} {
		if got := over(o); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
