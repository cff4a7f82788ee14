package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/internal/check"
)

// ports stands for all ports and the log. It records each call, and runs before first.
type ports struct {
	before func(what string)
	told   []string
}

func (p *ports) note(format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if p.before != nil {
		p.before(what)
	}
	p.told = append(p.told, what)
}

func (p *ports) Ask(q Question)                      { p.note("ask %d/%d", q.Site, q.Ballot) }
func (p *ports) Look(q Question)                     { p.note("look %d", q.Site) }
func (p *ports) Abandon(site check.SiteID, b uint32) { p.note("abandon %d/%d", site, b) }
func (p *ports) Record(c record.Change)              { p.note("record %s", c.Key) }
func (p *ports) Keep(b record.Ballot)                { p.note("keep %d", b.SiteID) }
func (p *ports) Full() bool                          { return false }

// stream is a session of the ports that refuses some batches.
type stream struct {
	*ports
	refuses dispatch.BatchID
	targets []check.Target // of the newest batch
}

func (s *stream) Assign(b dispatch.Batch, targets []check.Target, term uint64) bool {
	s.note("assign %d under %d with %d targets", b.Ref.Batch, term, len(targets))
	s.targets = slices.Clone(targets)
	return b.Ref.Batch != s.refuses
}

func (s *stream) Revoke(refs []dispatch.Ref) { s.note("revoke %d", refs[0].Batch) }
func (s *stream) End(why string)             { s.note("end: %s", why) }

func newHandover(p *ports) *handover {
	return &handover{panel: p, committer: p, log: slog.New(slog.DiscardHandler)}
}

func batch(id dispatch.BatchID, checks int) dispatch.Batch {
	return dispatch.Batch{Ref: dispatch.Ref{Batch: id}, Checks: make([]dispatch.Check, checks)}
}

func TestEffectsOfAllKindsAreHandedOverInOrder(t *testing.T) {
	t.Parallel()
	p := &ports{}
	h, s := newHandover(p), &stream{ports: p}
	to := &outlet{Session: s}
	var out effects
	out.ask(Question{Site: 1, Ballot: 1})
	out.assign(handout{to: to, batch: batch(7, 2), term: 3})
	out.targets = append(out.targets, target{URL: "a.example", settings: &check.Settings{}, timeout: time.Second}, target{})
	out.record(record.Change{Key: "a"})
	out.abandon(1, 1)
	out.ask(Question{Site: 1, Ballot: 2})
	h.put(&out)
	out.revoke(to, dispatch.Ref{Batch: 7})
	out.keep(record.Ballot{SiteID: 1})
	out.look(Question{Site: 2})
	out.record(record.Change{Key: "b"})
	out.end(to, "enough")
	h.put(&out)
	if !out.empty() {
		t.Error("queued effects would be handed over twice")
	}
	if refused := h.run(); len(refused) != 0 {
		t.Errorf("%d batches were refused", len(refused))
	}
	want := []string{
		"ask 1/1", "assign 7 under 3 with 2 targets", "record a", "abandon 1/1", "ask 1/2",
		"revoke 7", "keep 1", "look 2", "record b", "end: enough",
	}
	if !slices.Equal(p.told, want) {
		t.Errorf("told %q,\nwant %q", p.told, want)
	}
	if got := s.targets[0]; got.URL != "http://a.example" || got.Timeout != time.Second || s.targets[1].URL != "" {
		t.Errorf("targets %+v", s.targets)
	}
}

func TestASessionThatRefusesABatchGetsNothingMoreButItsEnd(t *testing.T) {
	t.Parallel()
	p := &ports{}
	h := newHandover(p)
	to, other := &outlet{id: 1, Session: &stream{ports: p, refuses: 2}}, &outlet{id: 2, Session: &stream{ports: p}}
	var out effects
	for id := range dispatch.BatchID(4) {
		out.assign(handout{to: to, batch: batch(id+1, 0)})
	}
	out.revoke(to, dispatch.Ref{Batch: 1})
	out.assign(handout{to: other, batch: batch(9, 0)})
	h.put(&out)
	refused := h.run()
	if len(refused) != 1 || refused[0].to.id != 1 {
		t.Fatalf("refused %+v", refused)
	}
	out.end(to, "it refused")
	out.assign(handout{to: to, batch: batch(10, 0)})
	h.put(&out)
	h.run()
	want := []string{"assign 1 under 0 with 0 targets", "assign 2 under 0 with 0 targets", "assign 9 under 0 with 0 targets", "end: it refused"}
	if !slices.Equal(p.told, want) {
		t.Errorf("told %q,\nwant %q", p.told, want)
	}
}

// Many calls decide at once: each effect is handed over once, in the order of the lock,
// and by the time that its call returns.
func TestCallsAtOnceHandOverInTheOrderInWhichTheyDecided(t *testing.T) {
	t.Parallel()
	p := &ports{}
	h := newHandover(p)
	var lock sync.Mutex
	var out effects
	decided := 0
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 500 {
				lock.Lock()
				for range 3 {
					decided++
					out.record(record.Change{Key: fmt.Sprint(decided)})
				}
				mine := decided
				h.put(&out)
				lock.Unlock()
				h.run()
				h.turn.Lock()
				if n := len(p.told); n < mine {
					t.Errorf("a call returned after %d effects were handed over; it had queued number %d", n, mine)
				}
				h.turn.Unlock()
			}
		})
	}
	calls.Wait()
	if len(p.told) != decided {
		t.Fatalf("%d effects were handed over, want %d", len(p.told), decided)
	}
	for i, what := range p.told {
		if want := fmt.Sprint("record ", i+1); what != want {
			t.Fatalf("effect %d is %q, want %q", i, what, want)
		}
	}
	if n := len(h.spare); n > maxSpare {
		t.Errorf("%d effects are kept for use again", n)
	}
}

func TestHandingOverAllocatesNothing(t *testing.T) {
	p := &ports{}
	h := newHandover(p)
	to := &outlet{Session: quiet{}}
	b := batch(1, 100)
	settings := &check.Settings{}
	var out effects
	call := func() {
		out.assign(handout{to: to, batch: b, first: len(out.targets)})
		for range b.Checks {
			out.targets = append(out.targets, target{URL: "https://a.example/", settings: settings})
		}
		h.put(&out)
		h.run()
	}
	call()
	if n := testing.AllocsPerRun(1000, call); n > 0 {
		t.Errorf("%.1f allocations a batch", n)
	}
}

// quiet is a session that takes everything.
type quiet struct{}

func (quiet) Assign(dispatch.Batch, []check.Target, uint64) bool { return true }
func (quiet) Revoke([]dispatch.Ref)                              {}
func (quiet) End(string)                                         {}

func TestAMassOutageLeavesNoLargeBuffers(t *testing.T) {
	t.Parallel()
	var out effects
	for i := range 100_000 {
		out.record(record.Change{Key: fmt.Sprint(i)})
		out.targets = append(out.targets, target{})
	}
	out.reset()
	if cap(out.changes) > keepOthers || cap(out.order) > keepOthers || cap(out.targets) > keepTargets || !out.empty() {
		t.Errorf("kept are %d, %d and %d", cap(out.changes), cap(out.order), cap(out.targets))
	}
	out.record(record.Change{Key: "a", Checks: make([]record.LocalCheck, 1)})
	out.reset()
	if kept := out.changes[:1]; kept[0].Checks != nil {
		t.Error("what was handed over is still pointed at")
	}
}

// outside wraps the ports of a world, and checks that they are not called
// under the engine's lock.
type outside struct {
	*world
	told map[string]bool
}

func (o *outside) note(what string) {
	o.told[what] = true
	if !o.engine.mu.TryLock() {
		o.t.Errorf("%s: called under the lock", what)
		return
	}
	o.engine.mu.Unlock()
	o.engine.Summary(o.now) // a port may look
}

func (o *outside) Ask(q Question)                      { o.note("ask"); o.world.Ask(q) }
func (o *outside) Look(q Question)                     { o.note("look"); o.world.Look(q) }
func (o *outside) Abandon(site check.SiteID, b uint32) { o.note("abandon"); o.world.Abandon(site, b) }
func (o *outside) Record(c record.Change)              { o.note("record"); o.world.Record(c) }
func (o *outside) Keep(b record.Ballot)                { o.note("keep"); o.world.Keep(b) }
func (o *outside) Full() bool                          { o.note("full"); return o.world.Full() }

func (o *outside) Enabled(context.Context, slog.Level) bool  { return true }
func (o *outside) Handle(context.Context, slog.Record) error { o.note("log"); return nil }
func (o *outside) WithAttrs([]slog.Attr) slog.Handler        { return o }
func (o *outside) WithGroup(string) slog.Handler             { return o }

// holding is a Holder that holds nothing, and records that it was asked.
type holding struct {
	*shardtest.Holder
	o *outside
}

func (h holding) Held() shard.Held { h.o.note("terms"); return h.Holder.Held() }

func (o *outside) join(node string) *checker {
	return o.world.joinAs(node, func(c *checker) Session { return outsideSession{c, o} })
}

type outsideSession struct {
	*checker
	o *outside
}

func (s outsideSession) Assign(b dispatch.Batch, targets []check.Target, term uint64) bool {
	s.o.note("assign")
	return s.checker.Assign(b, targets, term)
}

func (s outsideSession) Revoke(refs []dispatch.Ref) { s.o.note("revoke"); s.checker.Revoke(refs) }
func (s outsideSession) End(why string)             { s.o.note("end"); s.checker.End(why) }

func TestNoPortIsCalledUnderTheLock(t *testing.T) {
	t.Parallel()
	o := &outside{world: newWorld(t), told: map[string]bool{}}
	o.engine.hand = handover{panel: o, committer: o, log: slog.New(o)}
	o.engine.o.Shards = holding{shardtest.New(), o}
	a, b := o.join("a"), o.join("b")
	o.suspect(a, b)
	edited := row()
	edited.URL = "http://example.org/"
	o.engine.Put(o.now, edited) // the ballot is abandoned
	o.engine.Put(o.now, row())
	o.suspect(a, b)
	o.decide(quorum.Inconclusive)
	o.pass(6*time.Second, a, b)
	o.decide(quorum.Confirmed)
	o.commit()
	o.engine.Leave(o.now, b.id)
	for len(a.batches) == 0 {
		o.pass(time.Second, a)
	}
	a.answer(up) // nobody else is there: a veriflier is to look
	o.pass(3*time.Minute, a)
	for _, kind := range []string{"ask", "look", "abandon", "record", "keep", "full", "assign", "revoke", "end", "log", "terms"} {
		if !o.told[kind] {
			t.Errorf("the story has no %s", kind)
		}
	}
}

// A slow port blocks calls that have effects, and no others. DropShard returns only after
// every decision about the shard has been handed over.
func TestASlowPortBlocksOnlyCallsWithEffects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.suspect(w.join("a"), w.join("b"))
	slow := &slowLedger{world: w, began: make(chan struct{}), end: make(chan struct{})}
	w.engine.hand.committer = slow
	var calls sync.WaitGroup
	calls.Go(func() { w.decide(quorum.Confirmed) })
	<-slow.began
	w.stage(lifecycle.Down) // the engine answers
	w.engine.Counters()
	dropped := make(chan struct{})
	calls.Go(func() {
		w.engine.DropShard(shard.Of(row().Bucket))
		close(dropped)
	})
	for watched := true; watched; _, watched = w.engine.View(w.now, 42) {
		runtime.Gosched() // until the site is off
	}
	select {
	case <-dropped:
		t.Error("DropShard returned before a change of the shard was handed over")
	default:
	}
	close(slow.end)
	calls.Wait()
	if len(w.writes) != 1 {
		t.Errorf("%d changes are recorded", len(w.writes))
	}
}

type slowLedger struct {
	*world
	began, end chan struct{}
}

func (l *slowLedger) Record(c record.Change) {
	close(l.began)
	<-l.end
	l.world.Record(c)
}

// Checkers join, work, hang and leave, sites are edited and dropped, all at once: each session
// gets its batches in order, and nothing after its end.
func TestSessionsAreCalledInOrderUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 400 {
		r := row()
		r.ID, r.Bucket, r.URL = check.SiteID(i+1), check.BucketID(i%32), fmt.Sprintf("http://site%d.example/", i)
		w.engine.Put(w.now, r)
	}
	var clock atomic.Int64
	now := func() time.Time { return w.now.Add(time.Duration(clock.Load())) }
	var calls sync.WaitGroup
	stop := make(chan struct{})
	for n := range 4 {
		calls.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					(&orderly{t: t, e: w.engine, now: now, hangs: n == 3}).live(fmt.Sprint(n), fmt.Sprint(i))
				}
			}
		})
	}
	calls.Go(func() {
		for i := 0; w.engine.Counters().Checks < 10_000 && i < 10_000_000; i++ {
			clock.Add(int64(50 * time.Millisecond))
			w.engine.Tick(now())
			if i%10 == 0 {
				r := row()
				r.ID, r.Bucket, r.URL = check.SiteID(i%400+1), check.BucketID(i%32), fmt.Sprintf("http://site%d.example/%d", i%400, i)
				w.engine.Put(now(), r)
			}
			if i%500 == 0 {
				w.engine.DropShard(0)
			}
			runtime.Gosched()
		}
		close(stop)
	})
	calls.Wait()
	if n := w.engine.Counters().Checks; n < 10_000 {
		t.Errorf("only %d checks were made", n)
	}
}

// orderly is a checker that verifies the order of the calls it gets. It records them
// without a lock, since the engine never calls a session concurrently.
type orderly struct {
	t     *testing.T
	e     *Engine
	now   func() time.Time
	hangs bool

	mu      sync.Mutex
	batches []dispatch.Batch
	known   map[dispatch.BatchID]bool
	last    dispatch.BatchID
	over    bool
}

func (o *orderly) Assign(b dispatch.Batch, targets []check.Target, _ uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || b.Ref.Batch <= o.last || len(targets) != len(b.Checks) {
		o.t.Errorf("batch %d after %d, over: %t, %d targets for %d checks", b.Ref.Batch, o.last, o.over, len(targets), len(b.Checks))
	}
	o.last, o.known[b.Ref.Batch] = b.Ref.Batch, true
	o.batches = append(o.batches, b)
	return len(o.known) < 40
}

func (o *orderly) Revoke(refs []dispatch.Ref) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over || !o.known[refs[0].Batch] {
		o.t.Errorf("batch %d is revoked, known: %t, over: %t", refs[0].Batch, o.known[refs[0].Batch], o.over)
	}
}

func (o *orderly) End(string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		o.t.Error("it is ended twice")
	}
	o.over = true
}

func (o *orderly) take() (batches []dispatch.Batch, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	batches, o.batches = o.batches, nil
	return batches, o.over
}

// live is one session, until it ends.
func (o *orderly) live(node, instance string) {
	o.known = map[dispatch.BatchID]bool{}
	id, err := o.e.Join(o.now(), dispatch.Hello{Node: node, Instance: node, Region: instance, MaxInFlight: 50}, nil, o)
	if err != nil {
		o.t.Error(err)
		return
	}
	_ = o.e.Grant(o.now(), id, 50) // it may be over by now
	for turn := 0; ; turn++ {
		batches, over := o.take()
		if over || turn > 200 {
			o.e.Leave(o.now(), id)
			return
		}
		for _, b := range batches {
			if o.hangs && turn%3 == 0 {
				continue
			}
			var results []Result
			for _, k := range b.Checks {
				results = append(results, Result{Key: dispatch.Key{Site: k.Site, Sequence: k.Sequence}, At: o.now(), Observation: up})
			}
			if r, err := o.e.CheckIn(o.now(), id, b.Ref, results); err == nil {
				_ = o.e.Grant(o.now(), id, r.Accepted)
			}
		}
		if _, err := o.e.Heartbeat(o.now(), id, nil, check.SelfCheck{Healthy: true}); err != nil {
			continue
		}
		runtime.Gosched()
	}
}
