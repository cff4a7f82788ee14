package schedule_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

const grain = 100 * time.Millisecond

func TestOnHoldTurnsWaitAndRealTimesDoNot(t *testing.T) {
	t.Parallel()
	a := schedule.NewAgenda(start, grain, 1024)
	turn, wait := &schedule.Timer{Slot: 1}, &schedule.Timer{Slot: 2}
	a.TurnNow(turn)
	a.At(wait, after(time.Second))
	if due, ran := a.Advance(after(3*time.Second), true); len(due) != 0 || ran != 0 {
		t.Errorf("on hold %v are due, and the clock ran for %v", due, ran)
	}
	if due := a.Waited(after(3 * time.Second)); !slices.Equal(due, []schedule.Slot{2}) || !wait.Waits() {
		t.Errorf("%v have waited, want 2", due)
	}
	a.Rest(wait)
	if due, ran := a.Advance(after(4*time.Second), false); !slices.Equal(due, []schedule.Slot{1}) || ran != time.Second {
		t.Errorf("%v are due after %v, want 1 after a second", due, ran)
	}
}

func TestAnArrangementReplacesTheOneBefore(t *testing.T) {
	t.Parallel()
	type step = func(*schedule.Agenda, *schedule.Timer)
	turn := func(a *schedule.Agenda, t *schedule.Timer) { a.Turn(t, 42, time.Minute) }
	now := func(a *schedule.Agenda, t *schedule.Timer) { a.TurnNow(t) }
	at := func(a *schedule.Agenda, t *schedule.Timer) { a.At(t, after(5*time.Second)) }
	rest := func(a *schedule.Agenda, t *schedule.Timer) { a.Rest(t) }
	next := schedule.Next(42, time.Minute, start)
	for _, before := range []step{turn, now, at, rest} {
		for name, tt := range map[string]struct {
			do    step
			want  time.Time
			waits bool
		}{
			"a turn":      {turn, next, false},
			"a turn now":  {now, start.Add(grain), false},
			"a real time": {at, after(5 * time.Second), true},
			"rest":        {rest, time.Time{}, false},
		} {
			a := schedule.NewAgenda(start, grain, 1024)
			site := &schedule.Timer{Slot: 7}
			before(a, site)
			tt.do(a, site)
			due, ok := a.Due(site)
			if late := due.Sub(tt.want); ok != !tt.want.IsZero() || ok && (late < 0 || late > grain) || site.Waits() != tt.waits {
				t.Errorf("%s: due %v, %t, waits %t; want %v", name, due, ok, site.Waits(), tt.want)
			}
			came := 0
			for i := range 2 * 60 * 10 {
				now := after(time.Duration(i) * grain)
				due, _ := a.Advance(now, false)
				came += len(due)
				due = a.Waited(now)
				came += len(due)
			}
			if want := map[bool]int{true: 1}[ok]; came != want {
				t.Errorf("%s: it came up %d times, want %d", name, came, want)
			}
		}
	}
}

// The agenda against a model of one moment a site, over random arrangements, holds and pauses. Of the
// 32 sites every fourth only ever has turns, and so keeps no timer.
func TestAnAgendaBringsEachSiteUpOnceAndOnTime(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3, 4, 5}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		a := schedule.NewAgenda(start, grain, 64)
		now, own := start, start
		timers := make([]schedule.Timer, 32)
		type moment struct {
			at   time.Time
			real bool
		}
		want := map[schedule.Slot]moment{}
		for step := range 20_000 {
			slot := schedule.Slot(rng.IntN(len(timers)))
			timer := &timers[slot]
			if timer.Slot = slot; slot%4 == 0 {
				timer = &schedule.Timer{Slot: slot}
			}
			switch n := rng.IntN(8); {
			case n == 0 && slot%4 != 0:
				at := now.Add(time.Duration(rng.IntN(200)-20) * grain)
				a.At(timer, at)
				want[slot] = moment{at, true}
			case n == 1:
				a.Rest(timer)
				delete(want, slot)
			case n == 2:
				a.TurnNow(timer)
				want[slot] = moment{own, false}
			case n < 5:
				interval := time.Duration(1+rng.IntN(100)) * grain
				a.Turn(timer, check.SiteID(slot), interval)
				want[slot] = moment{schedule.Next(check.SiteID(slot), interval, own), false}
			default:
				passed := time.Duration(rng.IntN(20)) * grain
				hold := rng.IntN(3) == 0
				now = now.Add(passed)
				due, ran := a.Advance(now, hold)
				if most := min(passed, schedule.MaxStep); ran != map[bool]time.Duration{false: most}[hold] {
					t.Fatalf("step %d: the clock ran for %v of %v", step, ran, passed)
				}
				own = own.Add(ran)
				came := map[bool][]schedule.Slot{false: slices.Clone(due)}
				came[true] = a.Waited(now)
				for real, slots := range came {
					for _, slot := range slots {
						m, ok := want[slot]
						if !ok || m.real != real || m.at.After(map[bool]time.Time{true: now, false: own}[real]) {
							t.Fatalf("step %d: slot %d came up, want %+v, %t", step, slot, m, ok)
						}
						delete(want, slot)
						a.Rest(&timers[slot])
					}
				}
			}
		}
		// Nothing is left out, however long it takes.
		for range 400 {
			now = now.Add(grain)
			due, _ := a.Advance(now, false)
			for _, slot := range due {
				delete(want, slot)
			}
			for _, slot := range a.Waited(now) {
				delete(want, slot)
				a.Rest(&timers[slot])
			}
		}
		if len(want) != 0 || a.Len() != 0 {
			t.Fatalf("%v never came up; %d turns are left", want, a.Len())
		}
	})
}

func TestArrangingForManyMillionTurnsAllocatesNothing(t *testing.T) {
	a := schedule.NewAgenda(start, grain, 1024)
	const sites = 1000
	id := 0
	allocs := testing.AllocsPerRun(10_000, func() {
		id = (id + 1) % sites
		a.Turn(&schedule.Timer{Slot: schedule.Slot(id)}, check.SiteID(id), time.Minute)
	})
	if allocs > 0.1 {
		t.Errorf("%.2f allocations a turn", allocs)
	}
}
