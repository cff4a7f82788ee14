package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// disagreeing is the vote of a veriflier whose readers disagree.
func disagreeing(veriflier string) record.Vote {
	engine := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "loop"}
	seen := engine
	seen.Outcome, seen.Reason = check.OutcomeUnknown, check.ReasonReadersDisagree
	return record.Vote{
		Veriflier: veriflier, Region: "eu", Value: quorum.Unknown, UnknownReason: check.ReasonReadersDisagree + ": loop or page", Observation: &seen,
		SecondOpinion: &check.SecondOpinion{Engine: engine, Reader: check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}},
	}
}

func (w *world) decideWith(v quorum.Verdict, votes ...record.Vote) {
	q := w.asked[len(w.asked)-1]
	w.engine.Decide(w.now, Answer{Question: q, Verdict: v, Rule: quorum.Rule{Voters: 3, Need: 2, Regions: 2}, Opened: w.now, Decided: w.now, Votes: votes})
}

func TestASuspectIsListedWhileReadersDisagreeAboutIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	plain := record.Vote{Veriflier: "v3", Region: "us", Value: quorum.Unknown, UnknownReason: "no answer"}
	for _, wait := range []time.Duration{5 * time.Second, 15 * time.Second, 0} {
		w.decideWith(quorum.Inconclusive, plain, disagreeing("v1"), disagreeing("v2"))
		sum := w.engine.Summary(w.now)
		if sum.DisagreementCount != 1 || len(sum.Disagreements) != 1 {
			t.Fatalf("%d disagreements, listed %+v", sum.DisagreementCount, sum.Disagreements)
		}
		if d := sum.Disagreements[0]; d.Site != 42 || d.URL == "" || d.Veriflier != "v1" || !d.Since.Equal(w.now) ||
			d.Opinion.String() != "the engine saw REDIRECT (loop), another reader a good page with HTTP status 200" {
			t.Errorf("listed %+v", d)
		}
		w.pass(wait+time.Second, a, b)
	}
	w.stage(lifecycle.Suspect)
	if v, _ := w.engine.View(w.now, 42); !strings.Contains(v.UndecidedReason, "v1 (eu) readers_disagree: loop or page") {
		t.Errorf("held because %q", v.UndecidedReason)
	}
	if len(w.writes) != 0 {
		t.Errorf("%d changes", len(w.writes))
	}
	w.pass(time.Minute, a, b)
	a.answer(up)
	b.answer(up)
	w.stage(lifecycle.Up)
	if sum := w.engine.Summary(w.now); sum.DisagreementCount != 0 || len(sum.Disagreements) != 0 {
		t.Errorf("of a site that is up: %+v", sum.Disagreements)
	}
}

// Verifliers that all see a site down may be outvoted by nobody; the one whose readers
// disagree counts for nothing, and an outage is no disagreement any more.
func TestAnOutageIsNotListedAsADisagreement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.join("a"), w.join("b")
	w.suspect(a, b)
	w.decideWith(quorum.Confirmed, disagreeing("v1"), record.Vote{Veriflier: "v2", Value: quorum.Down}, record.Vote{Veriflier: "v3", Value: quorum.Down})
	if sum := w.engine.Summary(w.now); sum.DisagreementCount != 1 {
		t.Errorf("%d disagreements while the change is not committed", sum.DisagreementCount)
	}
	w.commit()
	w.stage(lifecycle.Down)
	if sum := w.engine.Summary(w.now); sum.DisagreementCount != 0 {
		t.Errorf("of an outage: %+v", sum.Disagreements)
	}
}

func TestTheListOfDisagreementsIsBounded(t *testing.T) {
	t.Parallel()
	var all []Disagreement
	for i := range 3 * maxDisagreements {
		all = append(all, Disagreement{Site: check.SiteID(i), Since: time.Unix(int64(1000-i), 0)})
	}
	got := oldest(all)
	if len(got) != maxDisagreements || got[0].Site != check.SiteID(3*maxDisagreements-1) {
		t.Errorf("%d are listed, first %s", len(got), fmt.Sprint(got[0].Site))
	}
}
