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
		if r.saysLittle(&f) {
			f.Weight = cause.Minor
		}
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
	if n := len(r.Causes) - 1; n > 0 {
		text += fmt.Sprintf(" (Beside it: %s", r.Causes[1].Name)
		for _, c := range r.Causes[2:min(len(r.Causes), 4)] {
			text += ", " + c.Name
		}
		if n > 3 {
			text += fmt.Sprintf(" and %d more", n-3)
		}
		text += ".)"
	}
	return text
}

// saysLittle reports whether other findings explain the trouble better. The home page may
// fail while xmlrpc.php is open. xmlrpc.php itself shows a firewall best. Some bad lines in
// a log are not a fault of the site.
func (r *Report) saysLittle(f *Finding) bool {
	switch f.Check {
	case checkAnswer, checkFirewall:
		post := r.Find(checkPost)
		return post != nil && post.Verdict != Skipped
	case checkAccessLog, checkErrorLog:
		return true
	}
	return false
}

// cause returns a finding's cause in its own form.
func (f *Finding) cause() cause.Cause {
	return cause.Cause{Name: f.Cause, Weight: f.Weight, Sure: f.Sure, Means: f.Means, Owner: f.Do, Host: f.Host}
}

// show adds a finding that shows a cause.
func (l *list) show(check string, v Verdict, c cause.Cause, seen string) {
	l.add(Finding{Check: check, Verdict: v, Cause: c.Name, Weight: c.Weight, Sure: c.Sure, Seen: seen, Means: c.Means, Do: c.Owner, Host: c.Host})
}
