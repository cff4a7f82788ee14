package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

func TestWhichChecksJudgeThePage(t *testing.T) {
	t.Parallel()
	const n = pageCheckEvery
	for name, c := range map[string]struct {
		rule     check.PageRule
		settings check.Settings
		trouble  bool
		judged   int // of n checks in a row
	}{
		"one in twelve":            {rule: check.PageDecides, judged: 1},
		"in trouble, each":         {rule: check.PageDecides, trouble: true, judged: n},
		"always":                   {rule: check.PageAdvised, settings: check.Settings{PageCheck: check.PageCheckAlways}, judged: n},
		"never":                    {rule: check.PageDecides, settings: check.Settings{PageCheck: check.PageCheckNever}},
		"never, in trouble":        {rule: check.PageDecides, settings: check.Settings{PageCheck: check.PageCheckNever}, trouble: true},
		"HEAD alone":               {rule: check.PageDecides, settings: check.Settings{Method: check.MethodHead, PageCheck: check.PageCheckAlways}, trouble: true},
		"GET":                      {rule: check.PageDecides, settings: check.Settings{Method: check.MethodGet}, judged: 1},
		"off for the fleet":        {trouble: true},
		"off for the fleet, wins":  {settings: check.Settings{PageCheck: check.PageCheckAlways}},
		"an advisory, one in many": {rule: check.PageAdvised, judged: 1},
	} {
		judged := 0
		for turn := range uint64(n) {
			switch pageChecks(c.rule).rule(&c.settings, turn, c.trouble) {
			case check.PageIgnored:
			case c.rule:
				judged++
			default:
				t.Errorf("%s: another rule", name)
			}
		}
		if judged != c.judged {
			t.Errorf("%s: %d of %d checks judge the page, want %d", name, judged, n, c.judged)
		}
	}
}

// TestPageChecksAreSpread shows that at any time one site in twelve is judged, whatever ids
// and numbers of checks are.
func TestPageChecksAreSpread(t *testing.T) {
	t.Parallel()
	const sites = 24_000
	for sequence := range uint64(pageCheckEvery) {
		judged := 0
		for id := range check.SiteID(sites) {
			if turnOf(4*id, sequence)%pageCheckEvery == 0 {
				judged++
			}
		}
		if judged < sites/pageCheckEvery*9/10 || judged > sites/pageCheckEvery*11/10 {
			t.Errorf("check %d: %d of %d sites", sequence, judged, sites)
		}
	}
}

var (
	filledPage = check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200, PageState: check.PageFilled}
	brokenPage = check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureContent, Reason: "wordpress_fatal_error", HTTPStatus: 200, PageState: check.PageFilled}
	emptyNow   = check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureContent, Reason: "empty_page", HTTPStatus: 200, PageState: check.PageEmpty}
)

// judging is a world whose page checks decide.
func judging(t *testing.T) *world {
	w := newWorld(t)
	w.pages = check.PageDecides
	w.engine = w.newEngine()
	return w
}

// untilPageCheck answers that the site is up until a check is out that judges the page.
func (w *world) untilPageCheck(cs ...*checker) *checker {
	w.t.Helper()
	for range 2 * pageCheckEvery {
		w.pass(time.Minute, cs...)
		for _, c := range cs {
			if len(c.batches) > 0 && c.targets[42].PageRule != check.PageIgnored {
				return c
			}
			c.answer(up)
		}
	}
	w.t.Fatal("no check judges the page")
	return nil
}

func TestABrokenPageIsAnOutage(t *testing.T) {
	t.Parallel()
	w := judging(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	w.untilPageCheck(a, b).answer(brokenPage)
	w.stage(lifecycle.Suspect)
	for range 2 {
		w.pass(21*time.Second, a, b)
		for _, c := range []*checker{a, b} {
			if len(c.batches) > 0 && c.targets[42].PageRule != check.PageDecides {
				t.Errorf("the re-check by %s does not judge the page", c.node)
			}
			c.answer(brokenPage)
		}
	}
	w.stage(lifecycle.Verifying)
	if q := w.asked[0]; q.Target.PageRule != check.PageDecides {
		t.Error("the verifliers do not judge the page")
	}
	w.decide(quorum.Confirmed)
	if c := w.commit(); c.To != check.StatusDown || c.Cause.Reason != "wordpress_fatal_error" {
		t.Errorf("committed %+v", c)
	}
	w.pass(time.Minute, a, b)
	for _, c := range []*checker{a, b} {
		if len(c.batches) > 0 && c.targets[42].PageRule != check.PageDecides {
			t.Error("a check of a site that is down does not judge the page")
		}
	}
}

func TestAdvisoriesOfAPageLastUntilTheNextPageCheck(t *testing.T) {
	t.Parallel()
	w := judging(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	listing := filledPage
	listing.Advisories, listing.Detail = []check.Advisory{check.AdvisoryDirectoryListing}, "the page lists a directory"
	slow := up
	slow.Advisories = []check.Advisory{check.AdvisorySlow}
	w.untilPageCheck(a).answer(listing)
	for range 3 {
		w.pass(time.Minute, a)
		a.answer(slow)
		v, _ := w.engine.View(w.now, 42)
		if !slices.Equal(v.Last.Advisories, []check.Advisory{check.AdvisorySlow, check.AdvisoryDirectoryListing}) || v.Last.Detail != listing.Detail {
			t.Fatalf("got %+v", v.Last)
		}
	}
	w.untilPageCheck(a).answer(filledPage)
	if v, _ := w.engine.View(w.now, 42); len(v.Last.Advisories) != 0 || w.engine.cases.of(42) != nil {
		t.Errorf("got %+v", v.Last)
	}
}

func TestWhetherThePageWasFilledIsRemembered(t *testing.T) {
	t.Parallel()
	w := judging(t)
	a, b := w.join("a"), w.join("b")
	w.engine.Put(w.now, row())
	if c := w.untilPageCheck(a, b); c.targets[42].PageWasFilled {
		t.Error("a page is known before it was judged")
	} else {
		c.answer(filledPage)
	}
	c := w.untilPageCheck(a, b)
	if !c.targets[42].PageWasFilled {
		t.Fatal("it is not remembered")
	}
	c.answer(emptyNow)
	for range 2 {
		w.pass(21*time.Second, a, b)
		a.answer(emptyNow)
		b.answer(emptyNow)
	}
	if !w.asked[0].Target.PageWasFilled {
		t.Error("the verifliers are not told")
	}
	w.decide(quorum.Confirmed)
	w.commit()
	w.stage(lifecycle.Down)

	// The next owner knows it, too: otherwise the empty page would be a recovery.
	r := row()
	r.Status, r.StatusSince, r.OutageID = check.StatusDown, w.writes[0].At, 77
	w.killed(10*time.Second, r)
	a = w.join("a")
	w.pass(time.Minute, a)
	if target := a.targets[42]; !target.PageWasFilled || target.PageRule != check.PageDecides {
		t.Errorf("after a restart the target is %+v", target)
	}

	r.URL = "http://example.com/other"
	w.engine.Put(w.now, r)
	w.pass(time.Minute, a)
	if a.targets[42].PageWasFilled {
		t.Error("it is remembered of another URL")
	}
}

func TestAnEmptyPageThatIsTakenIsForgotten(t *testing.T) {
	t.Parallel()
	w := judging(t)
	a := w.join("a")
	w.engine.Put(w.now, row())
	w.untilPageCheck(a).answer(filledPage)
	empty := up
	empty.PageState, empty.Advisories = check.PageEmpty, []check.Advisory{check.AdvisoryPageEmpty}
	w.untilPageCheck(a).answer(empty) // as with --page-check advise
	if c := w.untilPageCheck(a); c.targets[42].PageWasFilled {
		t.Error("it is still remembered as filled")
	}
}
