package api

import (
	"math"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func TestHowWellCheckersKeepUpIsShown(t *testing.T) {
	t.Parallel()
	c := &monitorv1.CoordinatorStatus{}
	keepingUp(c, coverage.Report{Stretch: 1})
	if c.Coverage != nil || c.GetStretch() != 1 || c.GetLatenessP99Millis() != 0 {
		t.Errorf("nothing is known yet, and said is %v", c)
	}
	keepingUp(c, coverage.Report{Known: true, Stretch: 2.5, P50: time.Microsecond, P99: 1500 * time.Millisecond})
	if c.Coverage == nil || c.GetCoverage() != 0 || c.GetStretch() != 2.5 || c.GetLatenessP50Millis() != 1 || c.GetLatenessP99Millis() != 1500 {
		t.Errorf("said is %v", c)
	}
	keepingUp(c, coverage.Report{Known: true, Coverage: 0.75, Stretch: 1, P99: 1 << 62})
	if c.GetCoverage() != 0.75 || c.GetLatenessP99Millis() != math.MaxUint32 {
		t.Errorf("said is %v", c)
	}
}
