package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// bench is a judge with one site. The tests read the consequences of an event off the
// effects, the agenda and dispatch; nothing is handed over.
type bench struct {
	*Engine
	m    moment
	site *site
}

func newBench(stage lifecycle.Stage, status check.Status) *bench {
	now := time.Unix(1_700_000_000, 0)
	b := &bench{Engine: bare(now), m: moment{Time: now}}
	b.site = b.watch.add(now, row())
	b.site.State = lifecycle.State{Stage: stage, Status: status, Ballot: 3, Round: 1, Node: "a", Observed: now.Add(-time.Minute)}
	b.site.Row.Status = status
	b.agenda.Rest(&b.site.timer)
	return b
}

func (b *bench) sees(o check.Observation, node string) {
	b.judge.observe(b.m, b.site, record.LocalCheck{Node: node, At: b.m.Time, Observation: o})
}

// kinds returns the kinds of the effects, except log lines.
func (b *bench) kinds() (kinds []effectKind) {
	for _, f := range b.out.order {
		if f.kind != logEffect {
			kinds = append(kinds, f.kind)
		}
	}
	return kinds
}

func (b *bench) wait() time.Duration {
	due, ok := b.agenda.Due(&b.site.timer)
	if !ok {
		return -1
	}
	return due.Sub(b.m.Time)
}

func TestEventsHaveTheirConsequences(t *testing.T) {
	t.Parallel()
	const running, gone = check.StatusRunning, check.StatusDown
	full := func(b *bench) { b.m.full = true }
	failed := func(n uint8) func(*bench) { return func(b *bench) { b.site.State.Failures = n } }
	for name, tt := range map[string]struct {
		stage  lifecycle.Stage
		status check.Status
		before func(*bench)
		event  func(*bench)
		after  lifecycle.Stage
		want   []effectKind
		queued int
		waits  time.Duration // at least, and for not more than a minute more; -1: for nothing
	}{
		"a first failure is checked again in its time": {lifecycle.Up, running, nil,
			func(b *bench) { b.sees(down, "a") }, lifecycle.Suspect, nil, 0, 20 * time.Second},
		"the last of three has the verifliers asked": {lifecycle.Suspect, running, failed(2),
			func(b *bench) { b.sees(down, "b") }, lifecycle.Verifying, []effectKind{askEffect}, 0, -1},
		"when the committer is full they are asked later": {lifecycle.Suspect, running, func(b *bench) { failed(2)(b); full(b) },
			func(b *bench) { b.sees(down, "b") }, lifecycle.Verifying, nil, 0, fullWait},
		"a site that comes back is looked at by a veriflier when there is no other checker": {lifecycle.Down, gone, nil,
			func(b *bench) { b.sees(up, "a") }, lifecycle.Recovering, []effectKind{lookEffect}, 0, 0},
		"and by another checker when there is one": {lifecycle.Down, gone, func(b *bench) { b.joins("b") },
			func(b *bench) { b.sees(up, "a") }, lifecycle.Recovering, nil, 1, 0},
		"a second good look is a change": {lifecycle.Recovering, gone, nil,
			func(b *bench) { b.sees(up, "b") }, lifecycle.Up, []effectKind{recordEffect}, 0, 0},
		"nothing comes back while the committer is full": {lifecycle.Recovering, gone, full,
			func(b *bench) { b.sees(up, "b") }, lifecycle.Recovering, nil, 0, -1},
		"a confirmed ballot is a change": {lifecycle.Verifying, running, nil,
			func(b *bench) { b.answers(quorum.Confirmed) }, lifecycle.Down, []effectKind{recordEffect}, 0, 0},
		"a rejected one is evidence": {lifecycle.Verifying, running, nil,
			func(b *bench) { b.answers(quorum.Rejected) }, lifecycle.Up, []effectKind{keepEffect}, 0, 0},
		"an inconclusive one is evidence and has another round": {lifecycle.Verifying, running, nil,
			func(b *bench) { b.answers(quorum.Inconclusive) }, lifecycle.Verifying, []effectKind{keepEffect}, 0, 5 * time.Second},
		"a paused site's ballot is abandoned": {lifecycle.Verifying, running, func(b *bench) { b.site.opened = true },
			func(b *bench) { b.judge.step(b.m, b.site, lifecycle.Pause{}) }, lifecycle.Paused, []effectKind{abandonEffect}, 0, -1},
		"a routine turn is one check": {lifecycle.Up, running, nil,
			func(b *bench) { b.judge.due(b.m, b.m.Time, b.site) }, lifecycle.Up, nil, 1, 0},
		"a suspect's turn is one re-check": {lifecycle.Suspect, running, nil,
			func(b *bench) { b.judge.due(b.m, b.m.Time, b.site) }, lifecycle.Suspect, nil, 1, 0},
		"a ballot's turn is the next round": {lifecycle.Verifying, running, func(b *bench) { b.site.askDue = true },
			func(b *bench) { b.judge.due(b.m, b.m.Time, b.site) }, lifecycle.Verifying, []effectKind{askEffect}, 0, -1},
		"a paused site has no turn": {lifecycle.Paused, running, nil,
			func(b *bench) { b.judge.due(b.m, b.m.Time, b.site) }, lifecycle.Paused, nil, 0, -1},
		"the failure of a checker that is not trusted is repeated elsewhere": {lifecycle.Up, running, func(b *bench) { b.joins("b") },
			func(b *bench) { b.judge.elsewhere(b.m, b.site, "a") }, lifecycle.Up, nil, 1, -1},
		"but once": {lifecycle.Up, running, func(b *bench) { b.joins("b"); b.site.Urgent = true },
			func(b *bench) { b.judge.elsewhere(b.m, b.site, "a") }, lifecycle.Up, nil, 0, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(tt.stage, tt.status)
			if tt.before != nil {
				tt.before(b)
			}
			tt.event(b)
			if got := b.kinds(); b.site.State.Stage != tt.after || !slices.Equal(got, tt.want) || b.core.Queued() != tt.queued {
				t.Errorf("%v, effects %v, %d checks queued; want %v, %v, %d", b.site.State.Stage, got, b.core.Queued(), tt.after, tt.want, tt.queued)
			}
			if w := b.wait(); (w < 0) != (tt.waits < 0) || w < tt.waits || w > max(tt.waits, 0)+time.Minute {
				t.Errorf("it waits for %v, want %v", w, tt.waits)
			}
		})
	}
}

func (b *bench) joins(node string) {
	if _, err := b.Join(b.m.Time, dispatch.Hello{Node: node, Instance: "1", MaxInFlight: 10}, nil, quiet{}); err != nil {
		panic(err)
	}
}

func (b *bench) answers(v quorum.Verdict) {
	b.site.opened = true
	b.judge.decided(b.m, b.site, &Answer{Question: Question{Site: 42, Ballot: 3}, Verdict: v, Opened: b.m.Time, Decided: b.m.Time})
}
