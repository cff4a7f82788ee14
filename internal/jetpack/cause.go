package jetpack

// conclude names the most likely cause: what fails first on the way of a call explains
// what fails after it. Without a failure the first warning is named. What says little is
// named only when there is nothing else.
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

// saysLittle tells findings that others explain better: the home page may fail while
// Jetpack's door is open, the door itself tells a firewall best, and a log that has some
// bad lines is no trouble of the site's.
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
