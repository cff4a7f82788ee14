package lifecycle_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

// inherits returns the state of a site whose URL changed while it was down.
func inherits(status check.Status) state { return lifecycle.Initial(status, at(-60), false).Inherit() }

func TestAnInheritedStatusStaysUntilTheNewURLIsJudged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		from     state
		events   []lifecycle.Event
		told     []lifecycle.Change
		stage    lifecycle.Stage
		inherits bool
	}{
		{"a good check and one by another node tell running once", inherits(down),
			stories(mends(10), mends(20)), changes(down, running, 11), lifecycle.Up, false},
		{"a confirmed status is told running, too", inherits(confirmed),
			mends(10), changes(confirmed, running, 11), lifecycle.Up, false},
		{"one node alone tells nothing", inherits(down),
			[]lifecycle.Event{up(10, "a"), up(20, "a")}, nil, lifecycle.Recovering, true},
		{"a failing check is no more believed than another", inherits(down),
			[]lifecycle.Event{failing(10, "a")}, nil, lifecycle.Suspect, true},
		{"a confirmed failure opens an outage of the same status", inherits(down), breaks(10),
			[]lifecycle.Change{{From: down, To: down, Start: at(10), At: at(52)}}, lifecycle.Down, false},
		{"a confirmed failure of a site that is confirmed down opens one as well", inherits(confirmed), breaks(10),
			[]lifecycle.Change{{From: confirmed, To: confirmed, Start: at(10), At: at(52)}}, lifecycle.ConfirmedDown, false},
		{"the notice window runs since the status was told", inherits(down), stories(breaks(10), []lifecycle.Event{failing(3479, "a"), failing(3480, "a")}),
			[]lifecycle.Change{{From: down, To: down, Start: at(10), At: at(52)}, {From: down, To: confirmed, Start: at(10), At: at(3480)}}, lifecycle.ConfirmedDown, false},
		{"no notice is due before the new URL was judged", inherits(down),
			[]lifecycle.Event{failing(10_000, "a")}, nil, lifecycle.Suspect, true},
		{"a rejection leaves it to the next check", inherits(down),
			[]lifecycle.Event{failing(10, "a"), failing(30, "b"), failing(50, "a"), decided(52, 0, quorum.Rejected)}, nil, lifecycle.NeverChecked, true},
		{"a good check among failing ones is put to another node", inherits(down),
			[]lifecycle.Event{failing(10, "a"), up(30, "b")}, nil, lifecycle.Recovering, true},
		{"a second look that fails begins a run of failures", inherits(down),
			[]lifecycle.Event{up(10, "a"), failing(11, "b")}, nil, lifecycle.Suspect, true},
		{"a pause keeps it", inherits(down),
			[]lifecycle.Event{failing(10, "a"), lifecycle.Pause{}, lifecycle.Resume{}}, nil, lifecycle.NeverChecked, true},
		{"running is nothing to inherit", inherits(running), breaks(10),
			[]lifecycle.Change{{From: running, To: down, Start: at(10), At: at(52)}}, lifecycle.Down, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			told, s := playFrom(tt.from, tt.events...)
			if diff := cmp.Diff(tt.told, told); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if s.Stage != tt.stage || s.Inherited != tt.inherits {
				t.Errorf("%v, inherited %t; want %v, %t", s.Stage, s.Inherited, tt.stage, tt.inherits)
			}
		})
	}
}
