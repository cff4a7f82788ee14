package jetpack

import (
	"slices"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/symptom"
)

// Answered is what a report says about a symptom.
type Answered struct {
	// Name, Words, Means and Else are the symptom's.
	Name, Words, Means, Else string
	// Causes are the names of those causes of the report that explain it, in the order of the
	// report. It is empty when nothing that was found does.
	Causes []string
	// RuledOut are the usual reasons that are none here; Unknown are those that could not be
	// looked at, with the reason.
	RuledOut, Unknown []string
}

// Answer puts the causes that explain a symptom before the others, but behind those of the
// whole site and our own, and says what else was looked at.
func (r *Report) Answer(s symptom.Symptom) *Answered {
	a := &Answered{Name: s.Name, Words: s.Words[0], Means: s.Means, Else: s.Else}
	bears := func(c Cause) bool {
		return c.Weight <= cause.Whole || slices.ContainsFunc(s.Steps, func(step symptom.Step) bool { return slices.Contains(c.Checks, step.Check) })
	}
	slices.SortStableFunc(r.Causes, func(a, b Cause) int { return order(a, bears(a)) - order(b, bears(b)) })
	for _, c := range r.Causes {
		if bears(c) {
			a.Causes = append(a.Causes, c.Name)
		}
	}
	if len(r.Causes) > 0 {
		r.Conclusion = r.conclusion()
	}
	for _, step := range s.Steps {
		f := r.Find(step.Check)
		switch {
		case f == nil:
			a.Unknown = append(a.Unknown, step.Check+": not looked at")
		case f.Verdict == Pass:
			a.RuledOut = append(a.RuledOut, step.Check+": "+step.Well)
		case f.Verdict == Skipped:
			a.Unknown = append(a.Unknown, step.Check+": "+f.Seen)
		}
	}
	return a
}

// order is the place of a cause among those that do and do not explain a symptom.
func order(c Cause, bears bool) int {
	switch {
	case c.Weight <= cause.Whole:
		return 0
	case bears:
		return 1
	}
	return 2
}
