//go:build linux

package main

import (
	"fmt"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/test/load/machine"
)

// figures are the measurements of one phase.
type figures struct {
	phase     phase
	plan      plan
	wall      time.Duration
	cpu, base time.Duration // of the coordinator, and of the database
	work      work
	memory    machine.Memory
	tally     *tally
	unseen    int // sites that no checker saw for their interval and grace

	// The coordinator's own figures: the last ones, and the worst.
	last              *monitorv1.CoordinatorStatus
	queued, open      uint64
	stretch, coverage float64
	resident          uint64
	// caughtUp is when the queue was last longer than one second's checks.
	caughtUp time.Duration
}

// sampled records the coordinator's status at a moment of the phase.
func (f *figures) sampled(at time.Duration, s *monitorv1.CoordinatorStatus, m machine.Memory) {
	if f.last == nil {
		f.coverage = 1
	}
	f.last = s
	f.queued, f.open = max(f.queued, s.GetQueuedChecks()), max(f.open, s.GetOpenChecks())
	f.stretch = max(f.stretch, s.GetStretch())
	if s.Coverage != nil {
		f.coverage = min(f.coverage, s.GetCoverage())
	}
	f.resident = max(f.resident, m.Now)
	if float64(s.GetQueuedChecks()) > f.plan.demand() {
		f.caughtUp = at
	}
}

func printHead(p plan) {
	fmt.Printf("%d sites each %s ask for %.0f checks/s; %d checkers, %d checks at once each, a check takes %s to %s\n",
		p.sites, p.interval, p.demand(), p.checkers, p.inFlight, p.latency, p.latency+p.spread)
}

func (f *figures) print() {
	seconds := f.wall.Seconds()
	checks := float64(f.tally.checks)
	limit := "no limit"
	if f.phase.capacity > 0 {
		limit = fmt.Sprintf("%d checks/s at most", f.phase.capacity)
	}
	fmt.Printf("\nphase %q: %.0f s, %s\n", f.phase.name, seconds, limit)
	line := func(name, format string, a ...any) { fmt.Printf("  %-22s %s\n", name, fmt.Sprintf(format, a...)) }
	line("checks", "%.0f/s, %.2f %% of what the intervals ask for; %d accepted, %d duplicate, %d late, %d check-ins refused",
		checks/seconds, 100*checks/seconds/f.plan.demand(), f.tally.accepted, f.tally.duplicate, f.tally.late, f.tally.refused)
	line("seen by checkers", "a site each p1 %s, p50 %s, p99 %s, most %s; %d sites not seen for %s",
		f.tally.gaps.at(0.01), f.tally.gaps.at(0.5), f.tally.gaps.at(0.99), f.tally.gaps.at(1), f.unseen, f.plan.interval+grace)
	line("said by coordinator", "coverage %s, lowest %.4f; lateness p50 %d ms, p99 %d ms, most %d ms; stretch %.2f, most %.2f",
		coverage(f.last), f.coverage, f.last.GetLatenessP50Millis(), f.last.GetLatenessP99Millis(), f.last.GetLatenessMaxMillis(), f.last.GetStretch(), f.stretch)
	line("queue", "%d now, %d at most, last over a second's checks after %.0f s; open %d now, %d at most",
		f.last.GetQueuedChecks(), f.queued, f.caughtUp.Seconds(), f.last.GetOpenChecks(), f.open)
	line("coordinator CPU", "%.1f %% of a core, %.1f us a check", 100*f.cpu.Seconds()/seconds, 1e6*f.cpu.Seconds()/max(1, checks))
	line("coordinator memory", "%s resident now, %s at most in samples, %s at its peak; %.0f bytes a site",
		mib(f.memory.Now), mib(f.resident), mib(f.memory.Peak), float64(f.memory.Now)/float64(f.plan.sites))
	line("database CPU", "%.1f %% of a core; %.1f reads/s, %.2f MB/s sent", 100*f.base.Seconds()/seconds, float64(f.work.reads)/seconds, float64(f.work.sent)/seconds/1e6)
	line("database writes", "%.2f/s in all, %.6f a healthy check", float64(f.work.writes)/seconds, float64(f.work.writes)/max(1, float64(f.tally.accepted)))
}

func coverage(s *monitorv1.CoordinatorStatus) string {
	if s == nil || s.Coverage == nil {
		return "not said"
	}
	return fmt.Sprintf("%.4f", s.GetCoverage())
}

func mib(bytes uint64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
