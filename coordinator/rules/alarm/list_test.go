package alarm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// raised makes alarms of a kind, a minute apart, the newest first.
func raised(kind Kind, n int, first time.Time) []Alarm {
	var out []Alarm
	for i := range n {
		a := Alarm{Condition: Condition{Kind: kind, Message: "m"}, Raised: first.Add(time.Duration(i) * time.Minute)}
		if kind == KindInconclusive {
			a.Site = check.SiteID(i + 1)
		}
		out = append(out, a)
	}
	slices.Reverse(out)
	return out
}

// summary abbreviates a list: the length of each run of one kind, and the messages of the
// alarms that raised did not make.
func summary(alarms []Alarm) []string {
	var out []string
	for i := 0; i < len(alarms); {
		from := i
		for i < len(alarms) && alarms[i].Kind == alarms[from].Kind && alarms[i].Message == alarms[from].Message {
			i++
		}
		out = append(out, fmt.Sprint(i-from, " ", alarms[from].Kind))
		if text := alarms[from].Message; text != "m" {
			out = append(out, text)
		}
	}
	return out
}

func TestAlarmsAboutTheMonitorComeFirstAndAreNotCutByThoseOfSites(t *testing.T) {
	t.Parallel()
	now := at(24 * time.Hour)
	// The alarm of a peer whose own list was too long.
	cut := Alarm{Condition: Condition{Kind: KindInconclusive, Message: "coordinator b: 100 or more suspects are undecided"}, Raised: noon}
	for _, tt := range []struct {
		name     string
		alarms   [][]Alarm
		unlisted int
		suspects uint64
		want     []string
	}{
		{"none", nil, 0, 0, nil},
		{"the monitor's, the oldest first, then checkers, then sites, however old",
			[][]Alarm{raised(KindInconclusive, 3, noon), raised(KindQuarantine, 2, noon), raised(KindStore, 1, now), raised(KindPeer, 1, now.Add(-time.Hour))}, 0, 7,
			[]string{"1 peer", "1 store", "2 quarantine", "3 inconclusive"}},
		{"as many as are listed", [][]Alarm{raised(KindInconclusive, 99, noon), raised(KindStore, 1, now)}, 0, 150,
			[]string{"1 store", "99 inconclusive"}},
		{"one site more", [][]Alarm{raised(KindInconclusive, 99, noon), raised(KindStore, 1, now), raised(KindNoCheckers, 1, now.Add(time.Hour))}, 0, 150,
			[]string{"1 store", "1 no_checkers", "1 inconclusive",
				"undecided suspects: 99, of which the oldest 97 are listed; suspects in all: 150", "97 inconclusive"}},
		{"more than the facts list", [][]Alarm{raised(KindInconclusive, 100, noon)}, 4100, 5000,
			[]string{"1 inconclusive", "undecided suspects: 4200, of which the oldest 99 are listed; suspects in all: 5000", "99 inconclusive"}},
		{"more than a peer lists, and a few of our own", [][]Alarm{raised(KindInconclusive, 3, noon), raised(KindInconclusive, 99, noon), {cut}}, 0, 5000,
			[]string{"1 inconclusive", "undecided suspects: 102 or more, of which the oldest 99 are listed; suspects in all: 5000", "99 inconclusive"}},
		{"checkers without end", [][]Alarm{raised(KindQuarantine, 150, noon), raised(KindInconclusive, 1, noon), raised(KindStore, 1, now)}, 0, 2,
			[]string{"1 store", "1 inconclusive", "undecided suspects: 1, of which the oldest 0 are listed; suspects in all: 2", "98 quarantine"}},
		{"checkers without end and no sites", [][]Alarm{raised(KindQuarantine, 150, noon)}, 0, 2, []string{"100 quarantine"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := List(slices.Concat(tt.alarms...), tt.unlisted, tt.suspects)
			if !slices.Equal(summary(got), tt.want) {
				t.Errorf("listed are\n%q\nwant\n%q", summary(got), tt.want)
			}
			for i, a := range got[:max(0, len(got)-1)] {
				b := got[i+1]
				if a.rank() == b.rank() && a.Raised.After(b.Raised) {
					t.Errorf("%v is listed before %v", a, b)
				}
			}
		})
	}
}
