//go:build linux

package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/test/load/machine"
	"github.com/Automattic/jetmon/test/seeds"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestQuantiles(t *testing.T) {
	t.Parallel()
	h := newHistogram(time.Second, 100*time.Second)
	if h.at(0.5) != 0 {
		t.Error("of nothing there is a median")
	}
	other := newHistogram(time.Second, 100*time.Second)
	for i := range 50 {
		h.add(time.Duration(2*i) * time.Second)
		other.add(time.Duration(2*i+1) * time.Second)
	}
	h.merge(other) // 0 s to 99 s, each once
	for share, want := range map[float64]time.Duration{0: 0, 0.01: 0, 0.5: 49 * time.Second, 0.99: 98 * time.Second, 1: 99 * time.Second} {
		if got := h.at(share); got != want {
			t.Errorf("at %v it is %s, want %s", share, got, want)
		}
	}
	h.add(time.Hour)
	h.add(-time.Hour)
	if h.at(1) != 100*time.Second || h.at(0) != 0 {
		t.Errorf("beyond its ends it is %s and %s", h.at(0), h.at(1))
	}
}

func TestSights(t *testing.T) {
	t.Parallel()
	s, tally := newSights(3, start), newTally()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	for _, x := range []struct {
		at time.Duration
		id int64
		ok bool
	}{{0, 1, true}, {time.Second, 2, true}, {time.Minute, 1, true}, {61 * time.Second, 0, false}, {61 * time.Second, 4, false}} {
		if got := s.see(at(x.at), x.id, tally); got != x.ok {
			t.Errorf("site %d is seen: %v", x.id, got)
		}
	}
	if tally.checks != 3 || tally.gaps.total != 1 || tally.gaps.at(1) != time.Minute {
		t.Errorf("%d checks, %d gaps, %s", tally.checks, tally.gaps.total, tally.gaps.at(1))
	}
	for d, want := range map[time.Duration]int{30 * time.Second: 2, 59 * time.Second: 1, time.Hour: 1} {
		if got := s.unseen(at(time.Minute), d); got != want {
			t.Errorf("%d sites were not seen for %s, want %d", got, d, want)
		}
	}
}

func assigned(n int) *coordinatorv1.Assignments {
	a := &coordinatorv1.Assignments{Batch: &coordinatorv1.BatchRef{BatchId: 1, CheckoutId: 2}}
	for i := range n {
		a.Assignments = append(a.Assignments, &coordinatorv1.Assignment{SiteId: int64(i + 1), Sequence: 7})
	}
	return a
}

func TestABatchComesBackInParts(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		for _, spread := range []time.Duration{0, time.Second, 10 * time.Second} {
			var all parts
			seen := map[int64]bool{}
			lasts := 0
			for _, p := range (latency{50 * time.Millisecond, spread, random}).split(assigned(100), start) {
				all.Push(p)
				if p.last {
					lasts++
				}
				for _, d := range p.done {
					wait := p.due.Sub(d.ended)
					if wait < 0 || wait > company || d.took < 50*time.Millisecond || d.took > 50*time.Millisecond+spread || seen[d.site] {
						t.Errorf("spread %s: site %d took %s and waits %s", spread, d.site, d.took, wait)
					}
					seen[d.site] = true
				}
			}
			if len(seen) != 100 || lasts != 1 || (spread == 0) != (len(all) == 1) {
				t.Errorf("spread %s: %d results in %d parts, %d of them the last", spread, len(seen), len(all), lasts)
			}
		}
	})
}

func TestPartsGoOutWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	p := parts{{due: start.Add(time.Second)}, {due: start.Add(3 * time.Second)}, {due: start.Add(2 * time.Second)}}
	if _, ok := p.next(start); ok {
		t.Error("one goes out too early")
	}
	for i := 1; i <= 3; i++ {
		if got, ok := p.next(start.Add(3 * time.Second)); !ok || !got.due.Equal(start.Add(time.Duration(i)*time.Second)) {
			t.Errorf("the %d. is that of %s", i, got.due)
		}
	}
	if _, ok := p.next(start.Add(time.Hour)); ok {
		t.Error("there is one more")
	}
}

func TestAPaceIsKept(t *testing.T) {
	t.Parallel()
	answered := func(rate float64) (n int) {
		var p pace
		p.set(rate)
		for now := start; now.Before(start.Add(10 * time.Second)); now = now.Add(10 * time.Millisecond) {
			for range 5 {
				if p.allow(now, 10) {
					n += 10
				}
			}
		}
		return n
	}
	if n := answered(0); n != 50_000 {
		t.Errorf("without a limit %d were answered", n)
	}
	if n := answered(1000); n < 9900 || n > 10_100 {
		t.Errorf("at 1000 a second %d were answered in 10 s", n)
	}
}

func TestResultsAreThoseOfHealthySitesAndOfThoseThatAreDown(t *testing.T) {
	t.Parallel()
	const sites = 100_000
	down := latency{least: 80 * time.Millisecond}.split(assigned(203), start)[0].results(start, &plan{sites: sites, down: 2})
	for _, one := range down.GetResults() {
		o := checkpb.ObservationFromProto(one.GetObservation())
		if isDown := one.GetSiteId()%100 < 2; isDown != (o.Outcome == check.OutcomeDown) || isDown != (len(o.Headers) > 0) || isDown != (o.HTTPStatus == 503) {
			t.Errorf("site %d is %v", one.GetSiteId(), o)
		}
	}
	p := latency{least: 80 * time.Millisecond}.split(assigned(3), start)[0]
	r := p.results(start.Add(200*time.Millisecond), &plan{sites: sites})
	if r.GetBatch().GetCheckoutId() != 2 || len(r.GetResults()) != 3 {
		t.Fatalf("results are %v", r)
	}
	for i, one := range r.GetResults() {
		o := checkpb.ObservationFromProto(one.GetObservation())
		if one.GetSiteId() != int64(i+1) || one.GetSequence() != 7 || one.GetAgeMillis() != 120 || o.Outcome != 1 || o.Timing.Total != 80*time.Millisecond {
			t.Errorf("result is %v", one)
		}
	}
	machines, networks := map[string]int{}, map[string]bool{}
	for id := range int64(sites) {
		a := addressOf(id+1, sites)
		machines[a]++
		networks[a[:strings.LastIndexByte(a, '.')]] = true
	}
	if n := len(machines); n < sites/sitesOfMachine*8/10 || n > sites/sitesOfMachine {
		t.Errorf("%d sites are on %d machines", sites, n)
	}
	if n := len(networks); n < sites/sitesOfMachine/machinesOfNetwork/2 || n > len(machines)/2 {
		t.Errorf("%d machines are in %d networks", len(machines), n)
	}
}

func TestThePlanIsChecked(t *testing.T) {
	t.Parallel()
	good := plan{sites: 60_000, interval: time.Minute, length: time.Minute, checkers: 2}
	if err := good.check(); err != nil || good.inFlight != 1500 || good.demand() != 1000 || len(good.phases()) != 1 {
		t.Errorf("%+v: %v", good, err)
	}
	good.capacity = 500
	if ph := good.phases(); len(ph) != 3 || ph[1].capacity != 500 || ph[2].capacity != 0 {
		t.Errorf("phases are %v", ph)
	}
	for name, change := range map[string]func(*plan){
		"no sites":                 func(p *plan) { p.sites = 0 },
		"an interval of seconds":   func(p *plan) { p.interval = 90 * time.Second },
		"an interval of no column": func(p *plan) { p.interval = 256 * time.Minute },
		"no time":                  func(p *plan) { p.length = 0 },
		"no checker":               func(p *plan) { p.checkers = 0 },
		"a check that takes ages":  func(p *plan) { p.latency = time.Minute },
	} {
		p := good
		change(&p)
		if p.check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTheWorstOfAPhaseIsKept(t *testing.T) {
	t.Parallel()
	f := figures{plan: plan{sites: 60, interval: time.Minute}}
	half, whole := 0.5, 1.0
	f.sampled(time.Second, &monitorv1.CoordinatorStatus{QueuedChecks: 9, Stretch: 2, Coverage: &half}, machine.Memory{Now: 7})
	f.sampled(2*time.Second, &monitorv1.CoordinatorStatus{OpenChecks: 3, Stretch: 1, Coverage: &whole}, machine.Memory{Now: 5})
	if f.queued != 9 || f.open != 3 || f.stretch != 2 || f.coverage != 0.5 || f.resident != 7 || f.caughtUp != time.Second || f.last.GetStretch() != 1 {
		t.Errorf("%+v", f)
	}
}

// The sequences of all sites are alike: a share of the sites must fail at each of them.
func TestAShareOfTheChecksFails(t *testing.T) {
	t.Parallel()
	for sequence := range uint64(10) {
		failed := 0
		for site := range int64(10_000) {
			if failsOnce(site+1, sequence, 2) {
				failed++
			}
		}
		if failed < 150 || failed > 250 {
			t.Errorf("%d of 10,000 checks of sequence %d fail, want about 200", failed, sequence)
		}
	}
}
