package engine

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// steps keeps what is recorded.
type steps struct{ all []Step }

func (s *steps) Record(one Step) { s.all = append(s.all, one) }

// last returns the newest step.
func (s *steps) last(t *testing.T) Step {
	t.Helper()
	if len(s.all) == 0 {
		t.Fatal("nothing was recorded")
	}
	return s.all[len(s.all)-1]
}

// tracedWorld is a world with a site, two checkers and a tracer.
func tracedWorld(t *testing.T) (w *world, s *steps, a, b *checker) {
	t.Helper()
	s = &steps{}
	w = newWorld(t)
	w.tracer = s
	w.engine = w.newEngine()
	a, b = w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a, b)
	return w, s, a, b
}

// out returns what the one check that is out was told of its trace, and its own.
func out(t *testing.T, cs ...*checker) (told, own traceid.Context) {
	t.Helper()
	n := 0
	for _, c := range cs {
		for _, batch := range c.batches {
			for i := range batch.Checks {
				n++
				own = ownTrace(&batch.Checks[i], batch.Ref)
				for _, traced := range batch.Traces {
					if traced.Check == i {
						told = traced.Parent
					}
				}
			}
		}
	}
	if n != 1 {
		t.Fatalf("%d checks are out, want 1", n)
	}
	return told, own
}

// answer checks in the check that is out.
func answer(t *testing.T, o check.Observation, cs ...*checker) {
	t.Helper()
	for _, c := range cs {
		if len(c.batches) == 0 {
			continue
		}
		if n := c.answer(o); n != 1 {
			t.Fatalf("%d answers counted, want 1", n)
		}
		return // what this leads to is for the next
	}
	t.Fatal("no check is out")
}

func TestAGoodCheckLeavesNoTraceAndIsToldOfNone(t *testing.T) {
	t.Parallel()
	w, s, a, b := tracedWorld(t)
	for range 3 {
		if told, _ := out(t, a, b); !told.IsZero() {
			t.Errorf("a check of a site that is up is told of %s", told.TraceID())
		}
		answer(t, up, a, b)
		w.engine.Soon(w.now, 42)
		w.pass(time.Second, a, b)
	}
	if len(s.all) != 0 {
		t.Errorf("recorded: %+v", s.all)
	}
}

func TestAStoryIsOneChainAndGoesOnAfterATakeover(t *testing.T) {
	t.Parallel()
	w, s, a, b := tracedWorld(t)
	told, first := out(t, a, b)
	if !told.IsZero() {
		t.Errorf("the first check is told of %s", told.TraceID())
	}
	answer(t, down, a, b)
	suspect := s.last(t)
	if suspect.Parent != first || suspect.Self.Trace != first.Trace || suspect.Judged.Before != lifecycle.NeverChecked || suspect.Judged.After != lifecycle.Suspect {
		t.Errorf("the first failure is %+v, below %v", suspect, first)
	}

	w.pass(25*time.Second, a, b)
	told, own := out(t, a, b)
	if told != suspect.Self {
		t.Errorf("the re-check is told of %v, want %v", told, suspect.Self)
	}
	answer(t, down, a, b)
	again := s.last(t)
	if again.Parent != own.Within(suspect.Self) {
		t.Errorf("the second failure is below %v", again.Parent)
	}

	w.killed(3*time.Second, row())
	a, b = w.join("a"), w.join("b")
	w.pass(25*time.Second, a, b)
	if told, own = out(t, a, b); told != again.Self {
		t.Errorf("after the takeover, the re-check is told of %v, want %v", told, again.Self)
	}
	answer(t, down, a, b)
	asks := s.last(t)
	if asks.Parent != own.Within(again.Self) || len(w.asked) != 1 || w.asked[0].Trace != asks.Self {
		t.Errorf("asked is %+v, after %+v", w.asked, asks)
	}
	ballot := w.asked[0].BallotSpan()
	w.decide(quorum.Confirmed)
	decided := s.last(t)
	if decided.Parent != ballot || decided.Judged.After != lifecycle.Down || decided.Self.Trace != first.Trace {
		t.Errorf("the verdict is %+v", decided)
	}
	if got := w.writes[len(w.writes)-1].Trace; got != decided.Self {
		t.Errorf("the change is of %v, want %v", got, decided.Self)
	}
	c := w.commit()
	if wrote := s.last(t); wrote.Written == nil || wrote.Self != WriteSpan(&c) || wrote.Parent != decided.Self {
		t.Errorf("the commit is %+v", wrote)
	}
}

func TestARecoveryIsATraceOfItsOwnLinkedToTheOutage(t *testing.T) {
	t.Parallel()
	w, s, a, b := tracedWorld(t)
	answer(t, down, a, b)
	for range 2 {
		w.pass(25*time.Second, a, b)
		answer(t, down, a, b)
	}
	w.decide(quorum.Confirmed)
	outage := w.commit()
	recorded := len(s.all)

	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a, b)
	told, own := out(t, a, b)
	if want := (traceid.Context{Trace: own.Trace}); told != want {
		t.Errorf("a check of a site that is down is told of %v, want its own trace", told)
	}
	answer(t, down, a, b)
	if len(s.all) != recorded {
		t.Errorf("another failure of a site that is down is %+v", s.last(t))
	}
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a, b)
	_, own = out(t, a, b)
	answer(t, up, a, b)
	better := s.last(t)
	if better.Parent != own || better.Self.Trace == outage.Trace.Trace || better.Link != outage.Trace || better.Judged.After != lifecycle.Recovering {
		t.Errorf("the first good check is %+v", better)
	}
	w.pass(time.Second, a, b)
	if told, _ = out(t, a, b); told != better.Self {
		t.Errorf("the second look is told of %v, want %v", told, better.Self)
	}
	answer(t, up, a, b)
	w.commit()
	if wrote := s.last(t); wrote.Self.Trace != better.Self.Trace || wrote.Link != outage.Trace || wrote.Written.To != check.StatusRunning {
		t.Errorf("the recovery's commit is %+v", wrote)
	}
}

func TestWithoutATracerNothingIsTraced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.engine.Soon(w.now, 42)
	w.pass(time.Second, a, b)
	for range 3 {
		if told, _ := out(t, a, b); !told.IsZero() {
			t.Errorf("a check is told of %s", told.TraceID())
		}
		answer(t, down, a, b)
		w.pass(25*time.Second, a, b)
	}
	w.decide(quorum.Confirmed)
	if c := w.commit(); c.Trace != (record.Change{}).Trace {
		t.Errorf("the change is of %s", c.Trace.TraceID())
	}
}
