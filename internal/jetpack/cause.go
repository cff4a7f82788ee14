package jetpack

// conclude picks the most likely cause: the first failure on the path of a call explains
// those after it. Without a failure it picks the first warning. It picks a finding that
// says little only when there is no other.
func (r *Report) conclude() {
	var minor *Finding
	for _, wanted := range []Verdict{Fail, Warn} {
		for i := range r.Findings {
			f := &r.Findings[i]
			if f.Verdict != wanted || r.Cause != nil {
				continue
			}
			if r.saysLittle(f) {
				if minor == nil {
					minor = f
				}
				continue
			}
			r.Cause = f
		}
	}
	if r.Cause == nil {
		r.Cause = minor
	}
	switch {
	case r.Cause == nil:
		r.Conclusion = "Nothing wrong was found."
	case r.Cause.Verdict == Warn:
		r.Conclusion = "Nothing fails; most worth a look: " + r.Cause.Means
	default:
		r.Conclusion = "Most likely cause: " + r.Cause.Means
	}
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
