package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/test/seeds"
)

// start is no round number of anything.
var start = time.Date(2026, 11, 21, 7, 15, 3, 141_592_653, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

func TestWheel(t *testing.T) {
	t.Parallel()
	const second = time.Second
	type advance struct {
		to   time.Duration
		want []schedule.Slot
	}
	tests := map[string]struct {
		do    func(*schedule.Wheel)
		steps []advance
	}{
		"a slot is due once, at its time": {
			func(w *schedule.Wheel) { w.Add(7, after(3*second)) },
			[]advance{{2 * second, nil}, {3 * second, []schedule.Slot{7}}, {4 * second, nil}, {100 * second, nil}}},
		"a slot is never due before its time": {
			func(w *schedule.Wheel) { w.Add(7, after(2*second+1)) },
			[]advance{{2 * second, nil}, {2*second + 1, nil}, {3 * second, []schedule.Slot{7}}}},
		"a due time that has passed means the next tick": {
			func(w *schedule.Wheel) {
				w.Advance(after(5*second), nil)
				w.Add(1, after(2*second))
				w.Add(2, time.Time{})
			},
			[]advance{{5*second + 1, nil}, {6 * second, []schedule.Slot{1, 2}}}},
		"adding again moves a slot later": {
			func(w *schedule.Wheel) { w.Add(1, after(2*second)); w.Add(1, after(9*second)) },
			[]advance{{8 * second, nil}, {9 * second, []schedule.Slot{1}}}},
		"adding again moves a slot nearer": {
			func(w *schedule.Wheel) { w.Add(1, after(9*second)); w.Add(1, after(2*second)) },
			[]advance{{2 * second, []schedule.Slot{1}}, {20 * second, nil}}},
		"a removed slot is not due": {
			func(w *schedule.Wheel) { w.Add(1, after(2*second)); w.Add(2, after(2*second)); w.Remove(1) },
			[]advance{{2 * second, []schedule.Slot{2}}}},
		"removing what is not there is no error": {
			func(w *schedule.Wheel) { w.Remove(1); w.Add(2, after(second)); w.Remove(1); w.Remove(99) },
			[]advance{{2 * second, []schedule.Slot{2}}}},
		"a slot due in a later revolution waits for it": {
			func(w *schedule.Wheel) {
				w.Add(1, after(3*second))
				w.Add(2, after(11*second))
				w.Add(3, after(19*second))
			},
			[]advance{{3 * second, []schedule.Slot{1}}, {10 * second, nil}, {11 * second, []schedule.Slot{2}}, {19 * second, []schedule.Slot{3}}}},
		"a pause of many revolutions brings each slot once, in order": {
			func(w *schedule.Wheel) {
				for i, due := range []time.Duration{40, 3, 11, 19, 2, 70} {
					w.Add(schedule.Slot(i), after(due*second))
				}
			},
			[]advance{{60 * second, []schedule.Slot{4, 1, 2, 3, 0}}, {70 * second, []schedule.Slot{5}}}},
		"a pause of years brings what was due": {
			func(w *schedule.Wheel) { w.Add(1, after(time.Hour)); w.Add(2, after(2*second)) },
			[]advance{{200 * 365 * 24 * time.Hour, []schedule.Slot{2, 1}}}},
		"time that goes back changes nothing": {
			func(w *schedule.Wheel) { w.Advance(after(5*second), nil); w.Add(1, after(6*second)) },
			[]advance{{-3 * second, nil}, {4 * second, nil}, {6 * second, []schedule.Slot{1}}}},
		"a due time beyond all ticks is far away": {
			func(w *schedule.Wheel) { w.Add(1, after(1<<63-1)) },
			[]advance{{10 * 365 * 24 * time.Hour, nil}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := schedule.New(start, second, 8)
			tt.do(w)
			for _, s := range tt.steps {
				before := w.Len()
				got := w.Advance(after(s.to), nil)
				if s.to < 10*second {
					slices.Sort(got) // Within one tick the order is free.
				}
				if !slices.Equal(got, s.want) || w.Len() != before-len(s.want) {
					t.Fatalf("at %v: %v are due and %d left of %d, want %v", s.to, got, w.Len(), before, s.want)
				}
			}
		})
	}
}

func TestAdvanceAppends(t *testing.T) {
	t.Parallel()
	w := schedule.New(start, time.Second, 8)
	w.Add(5, after(time.Second))
	if got := w.Advance(after(time.Hour), []schedule.Slot{9, 8}); !slices.Equal(got, []schedule.Slot{9, 8, 5}) {
		t.Errorf("%v, want [9 8 5]", got)
	}
}

// The wheel against a map of due times, over random adds, moves, removals, steps and pauses.
func TestWheelAgainstMap(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for story := range 300 {
			rng := rand.New(rand.NewPCG(seed, uint64(story)))
			tick := []time.Duration{1, time.Millisecond, 100 * time.Millisecond, time.Second}[rng.IntN(4)]
			w := schedule.New(start, tick, rng.IntN(70))
			model := map[schedule.Slot]int64{} // the tick at which a slot is due
			var now int64
			slots := 1 + rng.IntN(200)
			ahead := []int64{8, 200}[rng.IntN(2)] // few ticks have many slots each
			if rng.IntN(2) == 0 {
				w.Grow(rng.IntN(slots))
			}
			for step := range 400 {
				switch n := rng.IntN(10); {
				case n < 6:
					slot := schedule.Slot(rng.IntN(slots))
					due := now - 5 + rng.Int64N(ahead)
					fraction := rng.Int64N(int64(tick))
					w.Add(slot, after(time.Duration(due)*tick-time.Duration(fraction)))
					model[slot] = max(due, now+1)
				case n < 7:
					slot := schedule.Slot(rng.IntN(slots + 5))
					w.Remove(slot)
					delete(model, slot)
				default:
					now += rng.Int64N([]int64{2, 10, 500}[rng.IntN(3)])
					got := w.Advance(after(time.Duration(now)*tick+time.Duration(rng.Int64N(int64(tick)))), nil)
					if err := sameDue(model, now, got); err != nil {
						t.Fatalf("story %d, step %d, tick %d: %v", story, step, now, err)
					}
				}
				if w.Len() != len(model) {
					t.Fatalf("story %d, step %d: %d on the wheel, want %d", story, step, w.Len(), len(model))
				}
			}
		}
	})
}

// sameDue compares what came due with the model and takes it off the model.
func sameDue(model map[schedule.Slot]int64, now int64, got []schedule.Slot) error {
	last := int64(-1)
	for _, slot := range got {
		due, there := model[slot]
		switch {
		case !there:
			return fmt.Errorf("slot %d is due and was not on the wheel", slot)
		case due > now:
			return fmt.Errorf("slot %d is due %d ticks early", slot, due-now)
		case due < last:
			return fmt.Errorf("slot %d of tick %d comes after tick %d", slot, due, last)
		}
		last = due
		delete(model, slot)
	}
	for slot, due := range model {
		if due <= now {
			return fmt.Errorf("slot %d of tick %d is missing", slot, due)
		}
	}
	return nil
}
