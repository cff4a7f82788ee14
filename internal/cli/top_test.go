package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

func TestAScreenWritesOnlyWhatHasChanged(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := screen{w: &b}
	draw := func(lines ...string) string {
		b.Reset()
		var styled []format.StyledLine
		for _, line := range lines {
			styled = append(styled, format.StyledLine{Text: line})
		}
		if err := s.draw(styled); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if !s.resize(80, 4) || s.resize(80, 4) {
		t.Error("a size is new once")
	}
	if got := draw("a", "b", "c"); !strings.Contains(got, "\x1b[2J") || !strings.Contains(got, "\x1b[2;1Hb") {
		t.Errorf("%q", got)
	}
	if got := draw("a", "b", "c"); got != "" {
		t.Errorf("nothing has changed, and it writes %q", got)
	}
	if got := draw("a", "B"); got != "\x1b[?2026h\x1b[2;1HB\x1b[0m\x1b[K\x1b[3;1H\x1b[0m\x1b[K\x1b[?2026l" {
		t.Errorf("%q", got)
	}
	s.resize(80, 1)
	if got := draw("a", "b"); strings.Contains(got, "b") || !strings.Contains(got, "\x1b[2J") {
		t.Errorf("one row shows %q", got)
	}
}

func TestARateIsOfProcessesThatAnsweredTwice(t *testing.T) {
	t.Parallel()
	status := func(id string, checks, failures uint64) *monitorv1.CoordinatorStatus {
		return &monitorv1.CoordinatorStatus{InstanceId: id, Checks: checks, Failures: failures}
	}
	fleet := func(own *monitorv1.CoordinatorStatus, peers ...*monitorv1.CoordinatorStatus) *monitorv1.Fleet {
		f := &monitorv1.Fleet{Coordinator: own}
		for _, p := range peers {
			f.Peers = append(f.Peers, &monitorv1.PeerStatus{Status: p})
		}
		return f
	}
	before := fleet(status("a", 100, 1), status("b", 1000, 0))
	for name, tt := range map[string]struct {
		before, now *monitorv1.Fleet
		want        *format.Rate
	}{
		"both":          {before, fleet(status("a", 300, 3), status("b", 1200, 0)), &format.Rate{Checks: 200, Failures: 1}},
		"one restarted": {before, fleet(status("a", 300, 3), status("c", 5, 0)), &format.Rate{Checks: 100, Failures: 1}},
		"one is away":   {before, fleet(status("a", 300, 3), nil), &format.Rate{Checks: 100, Failures: 1}},
		"all restarted": {before, fleet(status("x", 300, 3)), nil},
		"the first":     {nil, before, nil},
	} {
		got := rateOf(tt.before, tt.now, 2*time.Second)
		if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
