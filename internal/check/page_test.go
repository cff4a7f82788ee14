package check

import "testing"

func TestPageVerdict(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    Observation
		want PageVerdict
	}{
		"no page was judged":                {Observation{Outcome: OutcomeUp}, ""},
		"a text is missing":                 {Observation{Outcome: OutcomeDown, Failure: FailureContent}, ""},
		"a good page":                       {Observation{Outcome: OutcomeUp, PageState: PageFilled}, PageGood},
		"a good page, slow":                 {Observation{Outcome: OutcomeUp, PageState: PageFilled, Advisories: []Advisory{AdvisorySlow}}, PageGood},
		"a broken page that decides":        {Observation{Outcome: OutcomeDown, Failure: FailureContent, PageState: PageFilled}, PageBroken},
		"a broken page that is remarked":    {Observation{Outcome: OutcomeUp, PageState: PageFilled, Advisories: []Advisory{AdvisoryPageBroken}}, PageBroken},
		"a parking page":                    {Observation{Outcome: OutcomeUp, PageState: PageFilled, Advisories: []Advisory{AdvisorySlow, AdvisoryPlaceholder}}, PageRemarked},
		"a page that is empty":              {Observation{Outcome: OutcomeDown, Failure: FailureContent, PageState: PageEmpty}, PageIsEmpty},
		"a page that has always been empty": {Observation{Outcome: OutcomeUp, PageState: PageEmpty, Advisories: []Advisory{AdvisoryPageEmpty}}, PageIsEmpty},
	} {
		if got := c.o.PageVerdict(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
