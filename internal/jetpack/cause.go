package jetpack

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// Cause is a cause that findings show, with all findings that show it.
type Cause struct {
	cause.Cause
	// Verdict is the worst of its findings: fail or warn.
	Verdict Verdict
	// Checks are its findings' checks; the first shows it best.
	Checks []string
}

// conclude groups the findings by cause, the most probable first, and says the conclusion.
// Among causes of the same weight, one that fails comes before one that warns, and then the
// earlier one on the path of a call, because it explains those after it.
func (r *Report) conclude() {
	r.Causes = nil
	for _, f := range r.Findings {
		if f.Verdict != Fail && f.Verdict != Warn {
			continue
		}
		f.Weight = r.place(&f)
		i := slices.IndexFunc(r.Causes, func(c Cause) bool { return c.Name == f.Cause })
		if i < 0 {
			r.Causes = append(r.Causes, Cause{Cause: f.cause(), Verdict: f.Verdict, Checks: []string{f.Check}})
			continue
		}
		c := &r.Causes[i]
		c.Checks = append(c.Checks, f.Check)
		if f.Verdict == Fail && c.Verdict != Fail || f.Verdict == c.Verdict && f.Weight < c.Weight {
			// This finding shows it better.
			c.Cause, c.Verdict = f.cause(), f.Verdict
			last := len(c.Checks) - 1
			c.Checks = append([]string{f.Check}, c.Checks[:last]...)
		}
	}
	slices.SortStableFunc(r.Causes, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(a.Weight, b.Weight), cmp.Compare(rank(a.Verdict), rank(b.Verdict)))
	})
	r.Conclusion = r.conclusion()
}

func rank(v Verdict) int {
	if v == Fail {
		return 0
	}
	return 1
}

// conclusion states the most probable cause in one line, and how many others there are. It
// never says less than the worst finding.
func (r *Report) conclusion() string {
	if len(r.Causes) == 0 {
		return "Nothing wrong was found."
	}
	text := ""
	first := r.Causes[0]
	switch {
	case first.Weight == cause.Ours:
		text = "Nothing can be said about the site: "
	case r.Worst() == Warn:
		text = "Nothing fails; most worth a look: "
	case first.Sure == cause.Certain:
		text = "The cause: "
	case first.Sure == cause.Possible:
		text = "A possible cause: "
	default:
		text = "Most likely cause: "
	}
	text += first.Means
	others := r.Causes[1:]
	if len(others) > 0 && others[0].Verdict == Fail && others[0].Weight <= cause.Blocking {
		// Two faults that have nothing to do with each other.
		text += " Another: " + others[0].Means
		others = others[1:]
	}
	if n := len(others); n > 0 {
		text += " (Beside it: " + others[0].Name
		for _, c := range others[1:min(n, 3)] {
			text += ", " + c.Name
		}
		if n > 3 {
			text += fmt.Sprintf(" and %d more", n-3)
		}
		text += ".)"
	}
	return text
}

// place returns how much a finding's cause matters beside the other findings. The home page
// may fail while calls are answered. Some bad lines in a log are not a fault of the site.
func (r *Report) place(f *Finding) cause.Weight {
	switch f.Check {
	case checkAnswer, checkFirewall:
		if post := r.Find(checkPost); post != nil && (post.Verdict == Pass || post.Verdict == Warn) {
			return max(f.Weight, cause.Partial)
		}
	case checkAccessLog, checkErrorLog:
		return cause.Minor
	}
	return f.Weight
}

// cause returns a finding's cause in its own form.
func (f *Finding) cause() cause.Cause {
	return cause.Cause{Name: f.Cause, Weight: f.Weight, Sure: f.Sure, Means: f.Means, Owner: f.Do, Host: f.Host}
}

// show adds a finding that shows a cause.
func (l *list) show(check string, v Verdict, c cause.Cause, seen string) {
	l.add(Finding{Check: check, Verdict: v, Cause: c.Name, Weight: c.Weight, Sure: c.Sure, Seen: seen, Means: c.Means, Do: c.Owner, Host: c.Host})
}

// restate gives the findings of a step that fail another cause, which a later step has shown.
func (l *list) restate(check string, c cause.Cause) {
	for i := range l.findings {
		if f := &l.findings[i]; f.Check == check && f.Verdict == Fail {
			f.Cause, f.Weight, f.Sure, f.Means, f.Do, f.Host = c.Name, c.Weight, c.Sure, c.Means, c.Owner, c.Host
		}
	}
}
