package api

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func TestAlarmsAboutCheckers(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	well, unwell := engine.CheckerView{Node: "a"}, engine.CheckerView{Node: "b", UnwellSince: since}
	stormy, both := engine.CheckerView{Node: "c", Quarantined: since}, engine.CheckerView{Node: "d", UnwellSince: since, Quarantined: since}
	const quarantine, connectivity = monitorpb.AlarmKind_ALARM_KIND_QUARANTINE, monitorpb.AlarmKind_ALARM_KIND_CONNECTIVITY
	tests := []struct {
		name     string
		checkers []engine.CheckerView
		want     []monitorpb.AlarmKind
	}{
		{"all is well", []engine.CheckerView{well, well}, nil},
		{"each quarantine is an alarm", []engine.CheckerView{well, stormy, stormy}, []monitorpb.AlarmKind{quarantine, quarantine}},
		{"all that do not reach their anchors are one", []engine.CheckerView{well, unwell, unwell}, []monitorpb.AlarmKind{connectivity}},
		{"failures that are explained by the own network are no quarantine besides", []engine.CheckerView{both, both}, []monitorpb.AlarmKind{connectivity}},
		{"two checkers with different trouble are two", []engine.CheckerView{stormy, unwell}, []monitorpb.AlarmKind{quarantine, connectivity}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []monitorpb.AlarmKind
			for _, a := range checkerAlarms(engine.Summary{Checkers: tt.checkers}) {
				got = append(got, a.GetKind())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
