package lifecycle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
)

// play runs a story and returns the reported changes and the last state.
func play(events ...lifecycle.Event) (told []lifecycle.Change, s state) {
	return playFrom(fresh, events...)
}

// playFrom plays a story from a given state.
func playFrom(s state, events ...lifecycle.Event) (told []lifecycle.Change, _ state) {
	p := lifecycle.DefaultPolicy()
	for _, e := range events {
		if d, ok := e.(lifecycle.Decided); ok {
			d.Ballot = s.Ballot
			e = d
		}
		var did effects
		s, did = lifecycle.Step(s, e, p)
		for _, f := range did {
			if c, ok := f.(lifecycle.Change); ok {
				told = append(told, c)
			}
		}
	}
	return told, s
}

// breaks returns three failing checks and a confirmed ballot, from second on.
func breaks(second int) []lifecycle.Event {
	return []lifecycle.Event{
		failing(second, "a"), failing(second+20, "b"), failing(second+40, "a"),
		decided(second+42, 0, quorum.Confirmed),
	}
}

// mends returns a good check and a second one by another node.
func mends(second int) []lifecycle.Event {
	return []lifecycle.Event{up(second, "a"), up(second+1, "b")}
}

func stories(parts ...[]lifecycle.Event) []lifecycle.Event {
	var out []lifecycle.Event
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func TestAFlappingSiteIsOneOutageWithACount(t *testing.T) {
	t.Parallel()
	twice := stories(breaks(0), mends(300), breaks(600), mends(900), breaks(1200))
	tests := []struct {
		name     string
		events   []lifecycle.Event
		told     int // changes
		relapses uint16
		stage    lifecycle.Stage
	}{
		{"two outages in an hour are two", stories(breaks(0), mends(300), breaks(600), mends(900)), 4, 0, lifecycle.Up},
		{"a third one does not end with the first good look", stories(twice, mends(1500)), 5, 0, lifecycle.Recovering},
		{"it ends when the site was good for ten minutes", stories(twice, mends(1500), mends(1800), mends(2100)), 6, 0, lifecycle.Up},
		{"the second node need not be the last one to see it good", stories(twice,
			[]lifecycle.Event{up(1500, "a"), up(1501, "b"), up(2100, "b")}), 6, 0, lifecycle.Up},
		{"one node alone does not end it, however long it was good", stories(twice,
			[]lifecycle.Event{up(1500, "b"), up(1800, "b"), up(2100, "b"), up(2700, "b")}), 5, 0, lifecycle.Recovering},
		{"nine minutes are too short", stories(twice, mends(1500), mends(2039)), 5, 0, lifecycle.Recovering},
		{"a good stretch that does not last is counted, not reported", stories(twice,
			mends(1500), []lifecycle.Event{failing(1700, "a")},
			mends(1800), []lifecycle.Event{failing(2000, "b")}), 5, 2, lifecycle.Down},
		{"a look that nobody else shared is no good stretch", stories(twice,
			[]lifecycle.Event{up(1500, "a"), failing(1520, "b")}), 5, 0, lifecycle.Down},
		{"the ten minutes begin again after each relapse", stories(twice,
			mends(1500), []lifecycle.Event{failing(1900, "a")}, mends(2000), mends(2110)), 5, 1, lifecycle.Recovering},
		{"what was good before a pause is no part of the stretch after it", stories(twice,
			mends(1500), []lifecycle.Event{lifecycle.Pause{}, lifecycle.Resume{}, up(1600, "a"), up(2300, "a")}), 5, 0, lifecycle.Recovering},
		{"after a pause the ten minutes begin again", stories(twice,
			mends(1500), []lifecycle.Event{lifecycle.Pause{}, lifecycle.Resume{}}, mends(1600), mends(2190)), 5, 0, lifecycle.Recovering},
		{"after a pause a flapping site is reported running once it was good for ten minutes", stories(twice,
			mends(1500), []lifecycle.Event{lifecycle.Pause{}, lifecycle.Resume{}}, mends(1600), mends(2200)), 6, 0, lifecycle.Up},
		{"a pause is no relapse", stories(twice, mends(1500), []lifecycle.Event{lifecycle.Pause{}, lifecycle.Resume{},
			up(1600, "a"), failing(1700, "a")}), 5, 0, lifecycle.Down},
		{"recoveries that are over an hour old do not count", stories(breaks(0), mends(300), breaks(600), mends(900), breaks(5000), mends(5300)), 6, 0, lifecycle.Up},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			told, s := play(tt.events...)
			if len(told) != tt.told || s.Stage != tt.stage || s.Flap.Relapses != tt.relapses {
				t.Errorf("%d changes, %v, %d relapses; want %d, %v, %d", len(told), s.Stage, s.Flap.Relapses, tt.told, tt.stage, tt.relapses)
			}
		})
	}
}

func TestAChangeReportsTheCountOfRelapses(t *testing.T) {
	t.Parallel()
	told, s := play(stories(breaks(0), mends(300), breaks(600), mends(900), breaks(1200),
		mends(1500), []lifecycle.Event{failing(1700, "a")}, mends(1800), mends(2500))...)
	last := told[len(told)-1]
	want := lifecycle.Change{From: down, To: running, Start: at(1200), At: at(2500), Relapses: 1}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Flap.Relapses != 0 || !s.Flap.Good.IsZero() {
		t.Errorf("the next outage begins with %+v", s.Flap)
	}
}
