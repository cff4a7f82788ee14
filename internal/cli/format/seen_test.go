package format_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

func TestTheFleetIsThatOfAllCoordinators(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	checker := func(node string, ago time.Duration, open uint32, sick string) *monitorv1.CheckerStatus {
		return &monitorv1.CheckerStatus{Node: node, Region: "eu", ConnectTime: timestamppb.New(now.Add(-ago)), OpenChecks: open, Credit: 10,
			SelfCheck: &checkv1.SelfCheck{Detail: sick}}
	}
	veriflier := func(name string, state monitorv1.VeriflierState, asked uint64) *monitorv1.VeriflierStatus {
		return &monitorv1.VeriflierStatus{Name: name, Region: "eu", State: state, Asked: asked}
	}
	pair := func(ballots, differed uint64) []*monitorv1.VeriflierPair {
		return []*monitorv1.VeriflierPair{{Veriflier: "v1", OtherVeriflier: "v2", Ballots: ballots, Differed: differed}, {Veriflier: "v1", OtherVeriflier: "v3", Ballots: ballots}}
	}
	f := &monitorv1.Fleet{
		Coordinator: &monitorv1.CoordinatorStatus{Node: "c1"},
		Checkers:    []*monitorv1.CheckerStatus{checker("k1", time.Hour, 3, "")},
		Verifliers:  []*monitorv1.VeriflierStatus{veriflier("v1", monitorv1.VeriflierState_VERIFLIER_STATE_OK, 5), veriflier("v2", monitorv1.VeriflierState_VERIFLIER_STATE_OK, 5)},
		Peers: []*monitorv1.PeerStatus{
			{Node: "c2", Status: &monitorv1.CoordinatorStatus{Node: "c2"},
				Checkers:       []*monitorv1.CheckerStatus{checker("k1", time.Minute, 4, "no anchor answers"), checker("k2", time.Minute, 0, "")},
				Verifliers:     []*monitorv1.VeriflierStatus{veriflier("v1", monitorv1.VeriflierState_VERIFLIER_STATE_UNREACHABLE, 2), veriflier("v2", monitorv1.VeriflierState_VERIFLIER_STATE_OK, 2)},
				VeriflierPairs: pair(30, 9)},
			{Node: "older", Status: &monitorv1.CoordinatorStatus{Node: "older"}},
		},
		VeriflierPairs: pair(10, 1), Rule: rule(),
	}
	fields := func(text, name string) string {
		for line := range strings.Lines(text) {
			if words := strings.Fields(line); len(words) > 0 && words[0] == name {
				return strings.Join(words, " ")
			}
		}
		return ""
	}
	var b bytes.Buffer
	if err := format.Fleet(&b, 0, f, now); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"k1": "k1 eu 7 20 1h0m c2: no anchor answers",
		"k2": "k2 eu 0 10 1m0s not connected to c1",
		"v2": "v2 eu ok 7 0 0 -",
	} {
		if got := fields(b.String(), name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if text := b.String(); !strings.Contains(text, "c1: ok; c2: unreachable") || !strings.Contains(text, "v1         v2            10     40          25.0 %\n") || strings.Contains(text, "v3") {
		t.Errorf("fleet:\n%s", text)
	}
	top := format.Top{Fleet: f, Now: now, Came: now}
	found := false
	for _, line := range top.Lines(0) {
		found = found || strings.Contains(line.Text, "DIFFERS FROM")
	}
	if !found {
		t.Error("top does not show who differs")
	}
}
