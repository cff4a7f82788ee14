package api

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

const (
	inconclusive = monitorpb.AlarmKind_ALARM_KIND_INCONCLUSIVE
	quarantine   = monitorpb.AlarmKind_ALARM_KIND_QUARANTINE
)

// raised makes alarms of a kind, one a minute, the newest first.
func raised(kind monitorpb.AlarmKind, n int, first time.Time) []*monitorpb.Alarm {
	var out []*monitorpb.Alarm
	for i := range n {
		a := &monitorpb.Alarm{Kind: kind, Message: "m", RaiseTime: timestamp(first.Add(time.Duration(i) * time.Minute))}
		if kind == inconclusive {
			a.SiteId = int64(i + 1)
		}
		out = append(out, a)
	}
	slices.Reverse(out)
	return out
}

// said is the list in short: how many of a kind in a row, and the message of what is not
// about a site, where it is not the one of raised.
func said(alarms []*monitorpb.Alarm) []string {
	var out []string
	for i := 0; i < len(alarms); {
		from := i
		for i < len(alarms) && alarms[i].GetKind() == alarms[from].GetKind() && alarms[i].GetMessage() == alarms[from].GetMessage() {
			i++
		}
		out = append(out, fmt.Sprint(i-from, " ", alarms[from].GetKind()))
		if text := alarms[from].GetMessage(); text != "m" {
			out = append(out, text)
		}
	}
	return out
}

func TestAlarmsAboutTheMonitorComeFirstAndAreNotCutByThoseOfSites(t *testing.T) {
	t.Parallel()
	old := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	now := old.Add(24 * time.Hour)
	const store, peer, lonely = monitorpb.AlarmKind_ALARM_KIND_STORE, monitorpb.AlarmKind_ALARM_KIND_PEER, monitorpb.AlarmKind_ALARM_KIND_NO_CHECKERS
	// What a peer says whose own list was too long.
	cut := &monitorpb.Alarm{Kind: inconclusive, Message: "coordinator b: 100 or more sites are held", RaiseTime: timestamp(old)}
	for _, tt := range []struct {
		name     string
		alarms   [][]*monitorpb.Alarm
		hidden   int
		suspects uint64
		want     []string
	}{
		{"none", nil, 0, 0, nil},
		{"the monitor's, the oldest first, then checkers, then sites, however old",
			[][]*monitorpb.Alarm{raised(inconclusive, 3, old), raised(quarantine, 2, old), raised(store, 1, now), raised(peer, 1, now.Add(-time.Hour))}, 0, 7,
			[]string{"1 ALARM_KIND_PEER", "1 ALARM_KIND_STORE", "2 ALARM_KIND_QUARANTINE", "3 ALARM_KIND_INCONCLUSIVE"}},
		{"as many as are listed", [][]*monitorpb.Alarm{raised(inconclusive, 99, old), raised(store, 1, now)}, 0, 150,
			[]string{"1 ALARM_KIND_STORE", "99 ALARM_KIND_INCONCLUSIVE"}},
		{"one site more", [][]*monitorpb.Alarm{raised(inconclusive, 99, old), raised(store, 1, now), raised(lonely, 1, now.Add(time.Hour))}, 0, 150,
			[]string{"1 ALARM_KIND_STORE", "1 ALARM_KIND_NO_CHECKERS", "1 ALARM_KIND_INCONCLUSIVE",
				"sites held as suspect: 99, of which the oldest 97 are listed; sites suspect in all: 150", "97 ALARM_KIND_INCONCLUSIVE"}},
		{"more than the engine lists", [][]*monitorpb.Alarm{raised(inconclusive, 100, old)}, 4100, 5000,
			[]string{"1 ALARM_KIND_INCONCLUSIVE", "sites held as suspect: 4200, of which the oldest 99 are listed; sites suspect in all: 5000", "99 ALARM_KIND_INCONCLUSIVE"}},
		{"more than a peer lists, and a few of our own", [][]*monitorpb.Alarm{raised(inconclusive, 3, old), raised(inconclusive, 99, old), {cut}}, 0, 5000,
			[]string{"1 ALARM_KIND_INCONCLUSIVE", "sites held as suspect: 102 or more, of which the oldest 99 are listed; sites suspect in all: 5000", "99 ALARM_KIND_INCONCLUSIVE"}},
		{"checkers without end", [][]*monitorpb.Alarm{raised(quarantine, 150, old), raised(inconclusive, 1, old), raised(store, 1, now)}, 0, 2,
			[]string{"1 ALARM_KIND_STORE", "1 ALARM_KIND_INCONCLUSIVE", "sites held as suspect: 1, of which the oldest 0 are listed; sites suspect in all: 2", "98 ALARM_KIND_QUARANTINE"}},
		{"checkers without end and no sites", [][]*monitorpb.Alarm{raised(quarantine, 150, old)}, 0, 2, []string{"100 ALARM_KIND_QUARANTINE"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := listed(slices.Concat(tt.alarms...), tt.hidden, tt.suspects)
			if !slices.Equal(said(got), tt.want) {
				t.Errorf("listed are\n%q\nwant\n%q", said(got), tt.want)
			}
			for i, a := range got[:max(0, len(got)-1)] {
				b := got[i+1]
				if a.GetKind() == b.GetKind() && (a.GetSiteId() == 0) == (b.GetSiteId() == 0) && a.GetRaiseTime().AsTime().After(b.GetRaiseTime().AsTime()) {
					t.Errorf("%v is listed before %v", a, b)
				}
			}
		})
	}
}

func TestSitesThatAreHeldWhileTheNetworkIsSickAreCounted(t *testing.T) {
	t.Parallel()
	sick := []engine.CheckerView{{Node: "a", UnwellSince: time.Now()}}
	for n, want := range map[int]string{
		99:   "1 of 1 checkers do not reach their own anchors, their failures count for nothing: a (); 99 sites are held as suspect",
		4321: "1 of 1 checkers do not reach their own anchors, their failures count for nothing: a (); 4321 sites are held as suspect",
	} {
		alarms := checkerAlarms(engine.Summary{Checkers: sick, Held: make([]engine.Held, min(n, 100)), HeldCount: n})
		if len(alarms) != 1 || alarms[0].GetMessage() != want {
			t.Errorf("of %d sites is said %v", n, alarms)
		}
	}
}
