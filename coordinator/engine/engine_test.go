package engine

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/outlier"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// world is an engine with fake ports. The test moves the time.
type world struct {
	t      *testing.T
	now    time.Time
	engine *Engine
	asked  []Question
	looked []Question
	gone   []uint32
	writes []record.Change
	kept   []record.Ballot
	full   bool
	random uint64
	pages  check.PageRule
	// history has the next engine note what becomes of turns.
	history bool
	// tracer is that of the next engine.
	tracer Tracer
}

func (w *world) Ask(q Question)                   { w.asked = append(w.asked, q) }
func (w *world) Look(q Question)                  { w.looked = append(w.looked, q) }
func (w *world) Abandon(_ check.SiteID, b uint32) { w.gone = append(w.gone, b) }
func (w *world) Record(c record.Change)           { w.writes = append(w.writes, c) }
func (w *world) Keep(b record.Ballot)             { w.kept = append(w.kept, b) }

func (w *world) Full() bool { return w.full }

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.engine = w.newEngine()
	return w
}

func (w *world) newEngine() *Engine {
	random := func() uint64 { w.random++; return w.random }
	return New(Options{
		Policy: lifecycle.DefaultPolicy(), Panel: w, Committer: w, Random: random, Pages: w.pages, History: w.history, Tracer: w.tracer,
		Log: slog.New(slog.DiscardHandler), Outliers: outlier.DefaultRule(),
		Dispatch: dispatch.Config{
			Lease: time.Minute, SessionTimeout: 15 * time.Second, AvoidFor: 5 * time.Second,
			MaxBatch: 10, MaxQueue: 1000, SlowStart: -1, Random: random,
		},
	}, w.now)
}

// checker is a connected checker; the test answers for it.
type checker struct {
	w       *world
	node    string
	id      dispatch.SessionID
	batches []dispatch.Batch
	targets map[check.SiteID]check.Target
	revoked []dispatch.Ref
	ended   string
}

func (c *checker) Assign(b dispatch.Batch, targets []check.Target, _ uint64) bool {
	c.batches = append(c.batches, b)
	for i, k := range b.Checks {
		c.targets[k.Site] = targets[i]
	}
	return true
}

func (c *checker) Revoke(refs []dispatch.Ref) { c.revoked = append(c.revoked, refs...) }

func (c *checker) End(reason string) { c.ended = reason }

func (w *world) join(node string) *checker {
	return w.joinAs(node, func(c *checker) Session { return c })
}

// joinAs joins a checker whose Session may be another value than the checker itself.
func (w *world) joinAs(node string, session func(*checker) Session) *checker {
	c := &checker{w: w, node: node, targets: map[check.SiteID]check.Target{}}
	var err error
	if c.id, err = w.engine.Join(w.now, dispatch.Hello{Node: node, Instance: node + "-1", Region: "here", MaxInFlight: 100}, nil, session(c)); err != nil {
		w.t.Fatal(err)
	}
	if err := w.engine.Grant(w.now, c.id, 100); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// answer checks in everything that the checker has out.
func (c *checker) answer(o check.Observation) int {
	return c.answerEach(func(check.SiteID) check.Observation { return o })
}

// answerEach is answer with an observation for each site.
func (c *checker) answerEach(of func(check.SiteID) check.Observation) int {
	n := 0
	for _, b := range c.batches {
		var results []Result
		for _, k := range b.Checks {
			results = append(results, Result{Key: dispatch.Key{Site: k.Site, Sequence: k.Sequence}, At: c.w.now, Observation: of(k.Site)})
		}
		r, err := c.w.engine.CheckIn(c.w.now, c.id, b.Ref, results)
		if err != nil {
			c.w.t.Fatalf("check-in: %v", err)
		}
		n += r.Accepted
	}
	c.batches = nil
	if err := c.w.engine.Grant(c.w.now, c.id, n); err != nil {
		c.w.t.Fatalf("grant: %v", err)
	}
	return n
}

// pass lets time go by in ticks, with heartbeats of the connected checkers.
func (w *world) pass(d time.Duration, cs ...*checker) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(grain)
		for _, c := range cs {
			var open []dispatch.Ref
			for _, b := range c.batches {
				open = append(open, b.Ref)
			}
			if _, err := w.engine.Heartbeat(w.now, c.id, open, check.SelfCheck{Healthy: true}); err != nil {
				w.t.Fatal(err)
			}
		}
		w.engine.Tick(w.now)
	}
}

func (w *world) decide(v quorum.Verdict) {
	q := w.asked[len(w.asked)-1]
	w.engine.Decide(w.now, Answer{Question: q, Verdict: v, Rule: quorum.Rule{Voters: 3, Need: 2, Regions: 2}, Opened: w.now, Decided: w.now})
}

func (w *world) commit() record.Change {
	c := w.writes[len(w.writes)-1]
	w.engine.Committed(w.now, c, record.Committed{OutageID: 77, TransitionID: 1})
	return c
}

// slot returns the slot of site 42.
func (w *world) slot() schedule.Slot {
	w.t.Helper()
	slot, ok := w.engine.sites.Find(42)
	if !ok {
		w.t.Fatal("site 42 is not watched")
	}
	return slot
}

func (w *world) stage(want lifecycle.Stage) {
	w.t.Helper()
	v, ok := w.engine.View(w.now, 42)
	if !ok {
		w.t.Fatal("site 42 is not watched")
	}
	if v.State.Stage != want {
		w.t.Fatalf("stage is %v, want %v", v.State.Stage, want)
	}
}

var (
	up   = check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}
	down = check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503}
)

func row() record.Site {
	return record.Site{ID: 42, BlogID: 7, Bucket: 7, URL: "http://example.com/", Interval: time.Minute, Status: check.StatusRunning}
}

// suspect brings the site to the point where the panel is asked.
func (w *world) suspect(a, b *checker) {
	w.t.Helper()
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a, b)
	for range 3 {
		if n := a.answer(down) + b.answer(down); n != 1 {
			w.t.Fatalf("%d checks were out, want 1", n)
		}
		w.pass(21*time.Second, a, b)
	}
	w.stage(lifecycle.Verifying)
}

func TestAnOutageRunsItsFullCourse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	if len(w.asked) != 1 || w.asked[0].Target.URL != "http://example.com/" || w.asked[0].Target.Timeout != check.VerifyTimeout {
		t.Fatalf("asked %+v", w.asked)
	}
	w.decide(quorum.Confirmed)
	w.stage(lifecycle.Down)
	c := w.commit()
	if c.From != check.StatusRunning || c.To != check.StatusDown || c.Ballot == nil || len(c.Checks) != 3 || c.Cause.HTTPStatus != 503 {
		t.Fatalf("change %+v", c)
	}
	if c.Checks[0].Node == c.Checks[1].Node || c.Checks[1].Node == c.Checks[2].Node {
		t.Errorf("repeats must go to another checker: %s, %s, %s", c.Checks[0].Node, c.Checks[1].Node, c.Checks[2].Node)
	}
	if !c.Start.Equal(c.Checks[0].At) {
		t.Errorf("start %v, want the first failure %v", c.Start, c.Checks[0].At)
	}

	w.pass(time.Minute, a, b)
	first, second := a, b
	if len(b.batches) > 0 {
		first, second = b, a
	}
	first.answer(up)
	w.stage(lifecycle.Recovering)
	w.pass(time.Second, a, b)
	if second.answer(up) != 1 {
		t.Fatal("the second look must go to the other checker")
	}
	w.stage(lifecycle.Up)
	c = w.commit()
	if c.From != check.StatusDown || c.To != check.StatusRunning || len(c.Checks) != 2 {
		t.Fatalf("change %+v", c)
	}
	if len(w.writes) != 2 {
		t.Errorf("%d changes, want 2", len(w.writes))
	}
}

func TestNothingIsDecidedWhileAChangeIsNotCommitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	for range 3 { // it comes back before the store has taken the change
		w.pass(time.Minute, a, b)
		a.answer(up)
		b.answer(up)
	}
	w.stage(lifecycle.Down)
	if len(w.writes) != 1 {
		t.Fatalf("%d changes, want 1", len(w.writes))
	}
	w.commit()
	for range 2 {
		w.pass(time.Minute, a, b)
		a.answer(up)
		b.answer(up)
	}
	w.stage(lifecycle.Up)
	if len(w.writes) != 2 || w.writes[1].To != check.StatusRunning {
		t.Fatalf("changes %+v", w.writes)
	}
}

func TestAnUndecidedSuspectIsListedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	for _, wait := range []time.Duration{5 * time.Second, 15 * time.Second, 0} {
		n := len(w.asked)
		w.decide(quorum.Inconclusive)
		if wait > 0 {
			w.pass(wait+time.Second, a, b)
			if len(w.asked) != n+1 {
				t.Fatalf("no new round after %v", wait)
			}
		}
	}
	w.stage(lifecycle.Suspect)
	sum := w.engine.Summary(w.now)
	if len(sum.Undecided) != 1 || sum.Undecided[0].Reason == "" || sum.Suspect != 1 {
		t.Fatalf("summary %+v", sum)
	}
	if len(w.writes) != 0 || len(w.kept) != 3 {
		t.Fatalf("%d changes, %d ballots kept; want 0, 3", len(w.writes), len(w.kept))
	}
	n := len(w.asked)
	w.pass(time.Minute, a, b)
	a.answer(down)
	b.answer(down)
	if len(w.asked) != n+1 {
		t.Fatal("the next failing check must begin a new verification")
	}
	w.decide(quorum.Confirmed)
	w.stage(lifecycle.Down)
	if sum := w.engine.Summary(w.now); len(sum.Undecided) != 0 {
		t.Errorf("still undecided: %+v", sum.Undecided)
	}
}

func TestAFailureSeenByAnUnhealthyCheckerDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a)
	var open []dispatch.Ref
	for _, b := range a.batches {
		open = append(open, b.Ref)
	}
	if _, err := w.engine.Heartbeat(w.now, a.id, open, check.SelfCheck{Anchors: 2, Detail: "no anchor answers"}); err != nil {
		t.Fatal(err)
	}
	if a.answer(down) != 1 {
		t.Fatal("nothing was out")
	}
	w.stage(lifecycle.NeverChecked)
}

func TestAVeriflierTakesTheSecondLookWhenThereIsOneChecker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	r := row()
	r.Status, r.StatusSince, r.OutageID = check.StatusDown, w.now.Add(-time.Minute), 77
	w.engine.Put(w.now, r)
	w.pass(time.Minute, a)
	a.answer(up)
	w.stage(lifecycle.Recovering)
	if len(w.looked) != 1 {
		t.Fatal("no veriflier was asked")
	}
	w.engine.Looked(w.now.Add(time.Second), Look{Question: w.looked[0], Veriflier: "eu1", At: w.now.Add(time.Second), Observation: &up})
	w.stage(lifecycle.Up)
}

func TestEditsOfTheTable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*record.Site)
		want func(t *testing.T, w *world, a *checker)
	}{
		{"a paused site is not checked", func(s *record.Site) { s.Paused = true }, func(t *testing.T, w *world, a *checker) {
			w.pass(3*time.Minute, a)
			if len(a.batches) != 0 {
				t.Error("it is")
			}
		}},
		{"a new URL is checked from then on, as if never checked", func(s *record.Site) { s.URL = "http://example.org/" }, func(t *testing.T, w *world, a *checker) {
			w.stage(lifecycle.NeverChecked)
			w.pass(time.Second, a)
			if got := a.targets[42].URL; got != "http://example.org/" {
				t.Errorf("checked %s", got)
			}
		}},
		{"a URL without a scheme is an http one", func(s *record.Site) { s.URL = "example.org/x" }, func(t *testing.T, w *world, a *checker) {
			w.pass(time.Second, a)
			if got := a.targets[42].URL; got != "http://example.org/x" {
				t.Errorf("checked %s", got)
			}
		}},
		{"a longer interval is kept", func(s *record.Site) { s.Interval = 10 * time.Minute }, func(t *testing.T, w *world, a *checker) {
			n := 0
			for range 20 {
				w.pass(time.Minute, a)
				n += a.answer(up)
			}
			if n != 2 {
				t.Errorf("%d checks in 20 minutes", n)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := w.join("a")
			w.engine.Put(w.now, row())
			w.pass(time.Minute, a)
			if a.answer(up) != 1 {
				t.Fatal("the first check is missing")
			}
			r := row()
			tt.edit(&r)
			w.engine.Put(w.now, r)
			tt.want(t, w, a)
		})
	}
}

func TestAReadingOfABucketWinsOverOlderEdits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.engine.Put(w.now, row())
	began := w.now.Add(time.Second)
	later := row()
	later.ID = 43
	w.engine.Put(began.Add(time.Second), later) // created while the bucket was read
	putBucket(w.engine, began, 7, nil)
	if _, ok := w.engine.View(w.now, 42); ok {
		t.Error("the deleted row is still watched")
	}
	if _, ok := w.engine.View(w.now, 43); !ok {
		t.Error("the new row was removed")
	}
}

func TestARefusedChangeStartsTheSiteAfresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decide(quorum.Confirmed)
	r := row()
	r.Status, r.StatusSince = check.StatusDown, w.now
	w.engine.Refused(w.now, w.writes[0], &r) // somebody else has set it
	w.stage(lifecycle.Down)
	w.pass(time.Second, a, b)
	if len(a.batches)+len(b.batches) != 1 {
		t.Error("it is not checked")
	}
}

func TestALateAnswerToABallotChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	r := row()
	r.URL = "http://example.org/"
	w.engine.Put(w.now, r)
	if len(w.gone) != 1 {
		t.Fatal("the ballot about the old URL goes on")
	}
	w.decide(quorum.Confirmed)
	if len(w.writes) != 0 {
		t.Fatalf("changes %+v", w.writes)
	}
}

func TestResultsOfAnEndedSessionCountAfterAReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a)
	b := a.batches[0]
	results := []Result{{Key: dispatch.Key{Site: 42, Sequence: b.Checks[0].Sequence}, At: w.now, Observation: down}}
	w.engine.Leave(w.now, a.id)
	if _, err := w.engine.CheckIn(w.now, a.id, b.Ref, results); err == nil {
		t.Fatal("an ended session checked in")
	}
	w.stage(lifecycle.NeverChecked)
	again := w.join("a")
	r, err := w.engine.CheckIn(w.now, again.id, b.Ref, results)
	if err != nil || r.Accepted != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	w.stage(lifecycle.Suspect)
}

func TestHeadIsAvoidedWhereItFailsAndTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	hostile := check.Observation{Outcome: check.OutcomeUp, Method: check.MethodGet, Advisories: []check.Advisory{check.AdvisoryHeadUnsupported}}
	next := func(o check.Observation) bool {
		w.pass(time.Minute, a)
		told := a.targets[42].HeadHostile
		if a.answer(o) != 1 {
			t.Fatal("no check was out")
		}
		return told
	}
	if next(hostile) {
		t.Error("HEAD is avoided before it has failed")
	}
	tried := 0
	for range headAgain {
		if !next(hostile) {
			tried++
		}
	}
	if tried != 1 {
		t.Errorf("HEAD was tried %d times in %d checks, want once", tried, headAgain)
	}
	next(check.Observation{Outcome: check.OutcomeUp, Method: check.MethodHead})
	if next(up) {
		t.Error("not forgotten though HEAD works")
	}
}

// fleet is a world of sites on unrelated networks, watched by two checkers.
func fleetOf(t *testing.T, sites int) (*world, *checker, *checker) {
	w := newWorld(t)
	for i := range sites {
		r := row()
		r.ID, r.URL = check.SiteID(i+1), fmt.Sprintf("http://site%d.example/", i)
		w.engine.Put(w.now, r)
	}
	return w, w.join("a"), w.join("b")
}

// each lets d go by in seconds; each checker reports of every site what its function returns.
func (w *world) each(d time.Duration, say map[*checker]check.Observation) {
	w.t.Helper()
	for range d / time.Second {
		w.now = w.now.Add(time.Second - grain)
		var cs []*checker
		for c := range say {
			cs = append(cs, c)
		}
		w.pass(grain, cs...)
		for c, o := range say {
			c.answer(o)
		}
	}
}

func TestACheckerThatFailsEverywhereIsQuarantined(t *testing.T) {
	t.Parallel()
	w, a, b := fleetOf(t, 60)
	w.each(2*time.Minute, map[*checker]check.Observation{a: up, b: up})
	// The network of a breaks; its own anchors are still there.
	w.each(3*time.Minute, map[*checker]check.Observation{a: down, b: up})
	sum := w.engine.Summary(w.now)
	if sum.Checkers[0].Quarantined.IsZero() || !sum.Checkers[1].Quarantined.IsZero() {
		t.Fatalf("checkers %+v", sum.Checkers)
	}
	if len(w.asked) != 0 || len(w.writes) != 0 {
		t.Errorf("%d verifications, %d changes; want none", len(w.asked), len(w.writes))
	}
	for id := range check.SiteID(60) {
		if v, _ := w.engine.View(w.now, id+1); w.now.Sub(v.LastCheck) > 2*time.Minute || v.State.Stage == lifecycle.Suspect {
			t.Fatalf("site %d: %+v", id+1, v)
		}
	}
	w.each(4*time.Minute, map[*checker]check.Observation{a: up, b: up})
	if sum := w.engine.Summary(w.now); !sum.Checkers[0].Quarantined.IsZero() {
		t.Errorf("it does not come back: %+v", sum.Checkers)
	}
}

func TestAnOutageOfOneProviderCausesNoQuarantine(t *testing.T) {
	t.Parallel()
	w, a, b := fleetOf(t, 60)
	w.each(2*time.Minute, map[*checker]check.Observation{a: up, b: up})
	gone := down
	gone.ResolvedAddress = "192.0.2.7:80"
	w.each(3*time.Minute, map[*checker]check.Observation{a: gone, b: gone})
	if sum := w.engine.Summary(w.now); !sum.Checkers[0].Quarantined.IsZero() || !sum.Checkers[1].Quarantined.IsZero() {
		t.Errorf("checkers %+v", sum.Checkers)
	}
	if len(w.asked) != 60 {
		t.Errorf("%d sites are verified, want 60", len(w.asked))
	}
}

func TestAFailureSeenByAFaultyCheckerIsRepeatedElsewhereAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.pass(time.Minute, a, b)
	first, second := a, b
	if len(b.batches) > 0 {
		first, second = b, a
	}
	open := []dispatch.Ref{first.batches[0].Ref}
	if _, err := w.engine.Heartbeat(w.now, first.id, open, check.SelfCheck{Anchors: 1, Detail: "no anchor answers"}); err != nil {
		t.Fatal(err)
	}
	first.answer(down)
	w.now = w.now.Add(grain)
	w.engine.Tick(w.now)
	if second.answer(down) != 1 {
		t.Fatal("nobody else looked")
	}
	w.stage(lifecycle.Suspect)
	if sum := w.engine.Summary(w.now); sum.Checkers[0].UnwellSince.IsZero() == sum.Checkers[1].UnwellSince.IsZero() {
		t.Errorf("checkers %+v", sum.Checkers)
	}
}

// putBucket does a whole reading at once.
func putBucket(e *Engine, began time.Time, bucket check.BucketID, rows []record.Site) {
	rows = slices.SortedFunc(slices.Values(rows), func(a, b record.Site) int { return cmp.Compare(a.ID, b.ID) })
	r := e.Read(began, bucket)
	r.PutSpan(record.Span{First: 1, Last: math.MaxInt64}, []shard.ID{shard.Of(bucket)}, rows)
	r.Done()
}

// The newest check may be one that could not tell: LastNode names its node, State.Node does not.
func TestTheLastCheckNamesItsOwnNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	first, second := w.next(a, b), b
	if first == b {
		second = a
	}
	first.answer(up)
	w.stage(lifecycle.Up)
	w.engine.Leave(w.now, first.id)
	w.next(second).answer(check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy})
	w.stage(lifecycle.Up)
	v, _ := w.engine.View(w.now, 42)
	if v.LastNode != second.node || v.State.Node != first.node || v.Last.Outcome != check.OutcomeUnknown {
		t.Errorf("the last check is %+v by %s, want one by %s that could not tell", v.Last, v.LastNode, second.node)
	}
}
