package jetpack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// traffic adds the findings about Jetpack's calls.
func (l *logFindings) traffic() {
	c := &l.report.Access.Calls
	if l.report.Access.Good == 0 {
		l.skip(checkTraffic, "no request could be read")
		return
	}
	if c.Count == 0 {
		l.show(checkTraffic, Warn, cause.Cause{
			Name: "no_jetpack_calls", Sure: cause.Possible,
			Means: "WordPress.com's calls do not reach this server in this time: another server or CDN answers, a firewall drops them, or Jetpack is not connected.",
			Owner: "Run jetmon diagnose with the site's URL: it shows who answers.",
			Host:  "Check that the log is the one of this site, and that no other server answers for it.",
		}, "no request for Jetpack in the log")
		return
	}
	statuses, worst, good := byStatus(c)
	var agents []string
	for _, a := range c.Agents[:min(len(c.Agents), 3)] {
		agents = append(agents, fmt.Sprintf("%q %d (%d good)", a.Name, a.Count, a.Good))
	}
	seen := fmt.Sprintf("%d calls; by status %s; by user agent %s", c.Count, statuses, strings.Join(agents, ", "))
	if bad := c.Count - good; bad == 0 {
		l.pass(checkTraffic, seen)
	} else {
		verdict, shown := Warn, refusal(worst)
		shown.Weight = cause.Partial
		if bad*2 > c.Count {
			verdict, shown.Weight = Fail, cause.Blocking
		}
		shown.Means = fmt.Sprintf("%d of %d calls of Jetpack do not succeed, most of them with status %d: %s", bad, c.Count, worst, shown.Means)
		l.show(checkTraffic, verdict, shown, seen)
	}
	l.times(&c.Times)
}

// byStatus returns the calls by status in words, the status that most failed calls have, and
// how many calls succeeded.
func byStatus(c *accesslog.Calls) (words string, worst int, good uint64) {
	var parts []string
	most := uint64(0)
	for _, code := range slices.Sorted(maps.Keys(c.Statuses)) {
		n := c.Statuses[code]
		parts = append(parts, fmt.Sprintf("%d: %d", code, n))
		if code >= 200 && code < 300 {
			good += n
		} else if n > most {
			worst, most = code, n
		}
	}
	return strings.Join(parts, ", "), worst, good
}

// patience is how long WordPress.com waits for an answer.
const patience = 10 * time.Second

// times adds the finding about how long the calls took.
func (l *logFindings) times(t *accesslog.Times) {
	if t.Count() == 0 {
		l.skip(checkTimes, "the log has no response times")
		return
	}
	show := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	seen := fmt.Sprintf("%d calls with a response time: median %s, 99 %% within %s, longest %s",
		t.Count(), show(t.Percentile(50)), show(t.Percentile(99)), show(t.Max()))
	if t.Percentile(99) < patience {
		l.pass(checkTimes, seen)
		return
	}
	l.show(checkTimes, Warn, cause.Cause{
		Name: "jetpack_calls_slow", Weight: cause.Partial, Sure: cause.Certain,
		Means: "Some calls of Jetpack take longer than the ten seconds that WordPress.com waits, so it never sees their answers.",
		Owner: "Find out which plugin makes requests slow: a query monitor, or switching them off on a copy of the site, shows it.",
		Host:  "Look at PHP-FPM's slow log and the number of its processes at those times.",
	}, seen)
}

// refusal returns the cause that calls end with a status. Its meaning continues a sentence.
func refusal(code int) cause.Cause {
	c := cause.Cause{Name: fmt.Sprintf("jetpack_calls_%d", code), Owner: "Run jetmon diagnose with the site's URL: it shows who answers and why."}
	switch {
	case code == 301 || code == 302 || code == 307 || code == 308:
		c.Means, c.Host = "they are redirected, and a redirected POST is lost.", "Answer xmlrpc.php and wp-json at the address that WordPress has as its own, without a redirect."
	case code == 401:
		c.Means, c.Host = "a password guards the site.", "Exempt xmlrpc.php and wp-json from the password."
	case code == 403 || code == 406:
		c.Means, c.Host = "a firewall or rule refuses them.", "Find the rule in the error log (mod_security, deny), and exempt WordPress.com's addresses."
	case code == 404 || code == 410:
		c.Means, c.Host = "the file is not there.", "Check that xmlrpc.php exists where the server looks for it, and is passed to PHP."
	case code == 405:
		c.Means, c.Host = "POST is not allowed.", "Allow POST to xmlrpc.php and wp-json."
	case code == 413:
		c.Means, c.Host = "they are larger than the server accepts.", "Raise client_max_body_size (nginx) or LimitRequestBody (Apache)."
	case code == 429 || code == 503:
		c.Means, c.Host = "a rate limit, maintenance or overload.", "Exempt WordPress.com's addresses from rate limits, and look at the number of PHP's processes."
	case code == 499:
		c.Means, c.Host = "WordPress.com gave up waiting: PHP is slow.", "Look at PHP-FPM's slow log."
	case code == 502 || code == 504:
		c.Means, c.Host = "PHP does not answer, or not in time.", "Look at the error log, and at PHP-FPM's log and the number of its processes."
	case code >= 500:
		c.Means, c.Host = "PHP fails.", "Look at the error log (--error) of the same time."
	default:
		c.Means, c.Host = "see the log.", "Look for these lines in the access log."
	}
	return c
}

// replays adds the finding about signed calls that came more than once.
func (l *logFindings) replays() {
	c := &l.report.Access.Calls
	relayed := ""
	if c.Relayed > 0 {
		relayed = fmt.Sprintf("; %d are in the log twice, from a proxy and from the server behind it", c.Relayed)
	}
	switch {
	case c.Count == 0:
		l.skip(checkReplays, "no request for Jetpack in the log")
	case c.Replays == 0:
		l.pass(checkReplays, fmt.Sprintf("none of %d signed calls came twice%s", c.Signed, relayed))
	case c.Twice():
		l.show(checkReplays, Warn, cause.Cause{
			Name: "calls_logged_twice", Weight: cause.Minor, Sure: cause.Likely,
			Means: "About every signed call is in the log twice, so two servers write one file, or the file was joined with itself; all counts are doubled.",
			Host:  "Give the proxy and the server behind it a log each, and read the proxy's.",
		}, fmt.Sprintf("%d of %d signed calls are there again", c.Replays, c.Signed))
	default:
		l.show(checkReplays, Warn, cause.Cause{
			Name: "nonce_replays", Weight: cause.Partial, Sure: cause.Likely,
			Means: "The same signed call arrived more than once from the same client; each repetition is refused. A proxy repeats POSTs, or somebody replays them.",
			Owner: "If a CDN is in front, exclude xmlrpc.php from its caches and retries.",
			Host:  "Turn off retries of POST in the proxy (proxy_next_upstream without non_idempotent in an nginx in front), and exclude xmlrpc.php from caches.",
		}, fmt.Sprintf("%d of %d signed calls came again, the first at %s%s", c.Replays, c.Signed, c.Replay, relayed))
	}
}
