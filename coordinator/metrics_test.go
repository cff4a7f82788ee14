package coordinator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/engine"
)

// The engine lists at most 100 held sites; the metric is their number.
func TestTheMetricOfHeldSitesCountsAllOfThem(t *testing.T) {
	t.Parallel()
	const name = "jetmon_held_sites"
	now := state{engine: engine.Summary{Undecided: make([]engine.Undecided, 100), UndecidedCount: 250}}
	for _, f := range allFigures() {
		if !strings.Contains(f.desc.String(), `"`+name+`"`) {
			continue
		}
		if got := f.read(now); got != 250 || f.kind != prometheus.GaugeValue {
			t.Errorf("%s is %v for 250 held sites", name, got)
		}
		if strings.Contains(f.desc.String(), "100") {
			t.Errorf("its help text knows a limit: %s", f.desc)
		}
		return
	}
	t.Errorf("there is no %s", name)
}

func TestReasonsAreBounded(t *testing.T) {
	t.Parallel()
	by := map[string]uint64{"userinfo": 3}
	for i := range 100 {
		by[fmt.Sprintf("a%03d", i)] = 1
	}
	got := bounded(by)
	if len(got) != maxReasons || got["a000"] != 1 || got["other"] != 100-(maxReasons-1)+3 {
		t.Errorf("%d series, %v", len(got), got)
	}
	if got := bounded(map[string]uint64{"scheme": 2}); len(got) != 1 || got["scheme"] != 2 {
		t.Errorf("%v", got)
	}
}
