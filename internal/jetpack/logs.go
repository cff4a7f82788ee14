package jetpack

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
	"github.com/Automattic/jetmon/internal/jetpack/errorlog"
)

// The steps of section 6.
const (
	checkAccessLog = "access_log"
	checkSizes     = "response_sizes"
	checkTraffic   = "jetpack_calls"
	checkReplays   = "nonce_replays"
	checkErrorLog  = "error_log"
)

// Logs configures ReadLogs.
type Logs struct {
	// Access and Error are the logs, plain or gzip; Error may be nil.
	Access, Error io.Reader
	// Buffers are the FastCGI buffers; the zero value means defaultBuffers.
	Buffers Buffers
	// Top is how many URLs to list; 0 means 10.
	Top int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// withDefaults returns o with a value for each field that has a default.
func (o Logs) withDefaults() Logs {
	o.Buffers = cmp.Or(o.Buffers, defaultBuffers())
	o.Top = cmp.Or(o.Top, 10)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// LogReport is the result of ReadLogs.
type LogReport struct {
	Report
	Buffers Buffers
	// Proposed are buffers that hold the largest response; zero when the given ones do.
	Proposed Buffers
	Access   accesslog.Summary
	Errors   errorlog.Summary
}

// ReadLogs reads the logs of a server in constant memory.
func ReadLogs(o Logs) (*LogReport, error) {
	if o.Access == nil {
		return nil, errors.New("jetpack: an access log is needed")
	}
	o = o.withDefaults()
	start := o.Now()
	access := accesslog.New(accesslog.Options{Buffers: o.Buffers.Bytes(), Top: o.Top})
	readErr := access.Read(o.Access)
	out := &LogReport{Buffers: o.Buffers, Access: access.Summary()}
	l := &logFindings{list: list{section: SectionLogs}, report: out}
	l.accessLog(readErr)
	l.sizes()
	l.traffic()
	l.replays()
	if o.Error == nil {
		l.skip(checkErrorLog, "none is given (--error)")
	} else {
		errs := errorlog.New()
		readErr := errs.Read(o.Error)
		out.Errors = errs.Summary()
		l.errorLog(readErr)
	}
	out.Start, out.Took, out.Findings = start, o.Now().Sub(start), l.findings
	out.conclude()
	return out, nil
}

// logFindings makes findings from the counts.
type logFindings struct {
	list
	report *LogReport
}

// accessLog adds the finding about how much of the log was readable.
func (l *logFindings) accessLog(readErr error) {
	s := &l.report.Access
	f := Finding{Check: checkAccessLog, Verdict: Pass, Seen: fmt.Sprintf("%d requests", s.Good)}
	if !s.First.IsZero() && !s.Last.IsZero() {
		f.Seen += " from " + s.First.Format(time.DateTime) + " to " + s.Last.Format(time.DateTime) + " UTC"
	}
	if s.Bad > 0 {
		f.Seen += fmt.Sprintf("; %d lines are not in the common or combined format, the first is line %d", s.Bad, s.BadAt)
	}
	switch {
	case s.Good == 0:
		f.Verdict, f.Cause = Fail, "access_log_unreadable"
		f.Means = "No line of the access log can be parsed: it is empty, binary, or in another format."
		f.Do = "Give a log in the common or combined format (plain or gzip), as nginx and Apache write by default."
	case readErr != nil:
		f.Verdict, f.Cause = Warn, "access_log_cut"
		f.Seen += "; reading ended early: " + readErr.Error()
		f.Means = "The access log is damaged or truncated; the readable part was counted."
		f.Do = "Give an intact copy."
	case s.Bad > 0:
		f.Verdict, f.Cause = Warn, "access_log_malformed"
		f.Means = "Part of the access log cannot be parsed; the good lines were counted."
		f.Do = "Look at that line: rotation may have truncated it, or another format was mixed in."
	}
	l.add(f)
}

// sizes compares the largest response with the buffers. The average tells nothing: the
// one response that does not fit goes to disk.
func (l *logFindings) sizes() {
	d := &l.report.Access.Dynamic
	if d.Count == 0 {
		l.skip(checkSizes, "no response from PHP in the log")
		return
	}
	b := l.report.Buffers
	seen := fmt.Sprintf("largest response from PHP %d bytes%s, 99 %% within %d, median %d, average %d; buffers %s hold %d",
		d.Max, l.largest(), d.Percentile(99), d.Percentile(50), d.Average(), b, b.Bytes())
	if d.Max <= b.Bytes() {
		l.pass(checkSizes, seen)
		return
	}
	target, note := d.Max, ""
	if target > maxProposed {
		target = min(max(d.Percentile(99), b.Bytes()), maxProposed)
		note = " (enough for 99 % of the responses; it is better to stream the largest or leave them to the disk)"
	}
	proposed := b.propose(target)
	do := "Leave the buffers as they are: the few larger responses are too large for memory."
	if proposed.Bytes() > b.Bytes() {
		l.report.Proposed = proposed
		do = "In nginx: " + proposed.Directive() + note + " The log's numbers do not include gzip and headers, so leave some room."
	}
	l.add(Finding{Check: checkSizes, Verdict: Warn, Cause: "fastcgi_buffers", Seen: fmt.Sprintf("%d of %d do not fit; %s", l.report.Access.Over, d.Count, seen),
		Means: fmt.Sprintf("The largest response does not fit in the FastCGI buffers (%d > %d bytes) and goes through a temporary file, however small the average is.", d.Max, b.Bytes()),
		Do:    do})
}

func (l *logFindings) largest() string {
	if large := l.report.Access.Large; len(large) > 0 && large[0].Sizes.Max == l.report.Access.Dynamic.Max {
		return " (" + large[0].Path + ")"
	}
	return ""
}

// traffic adds the finding about Jetpack's calls.
func (l *logFindings) traffic() {
	c := &l.report.Access.Calls
	if l.report.Access.Good == 0 {
		l.skip(checkTraffic, "no request could be read")
		return
	}
	if c.Count == 0 {
		l.add(Finding{Check: checkTraffic, Verdict: Warn, Cause: "no_jetpack_calls", Seen: "no request for Jetpack in the log",
			Means: "WordPress.com's calls do not reach this server in this time: another server or CDN answers, a firewall drops them, or Jetpack is not connected.",
			Do:    "Check that the log is the one of this site; run jetmon diagnose with its URL."})
		return
	}
	var good uint64
	var parts []string
	worst, most := 0, uint64(0)
	for _, code := range slices.Sorted(maps.Keys(c.Statuses)) {
		n := c.Statuses[code]
		parts = append(parts, fmt.Sprintf("%d: %d", code, n))
		if code >= 200 && code < 300 {
			good += n
		} else if n > most {
			worst, most = code, n
		}
	}
	var agents []string
	for _, a := range c.Agents[:min(len(c.Agents), 3)] {
		agents = append(agents, fmt.Sprintf("%q %d (%d good)", a.Name, a.Count, a.Good))
	}
	f := Finding{Check: checkTraffic, Verdict: Pass, Seen: fmt.Sprintf("%d calls; by status %s; by user agent %s", c.Count, strings.Join(parts, ", "), strings.Join(agents, ", "))}
	if bad := c.Count - good; bad > 0 {
		f.Verdict, f.Cause = Warn, fmt.Sprintf("jetpack_calls_%d", worst)
		f.Means = fmt.Sprintf("%d of %d calls of Jetpack do not succeed, most of them with status %d: %s", bad, c.Count, worst, statusMeans(worst))
		f.Do = "Run jetmon diagnose with the site's URL: it shows who answers and why."
		if bad*2 > c.Count {
			f.Verdict = Fail
		}
	}
	l.add(f)
}

func statusMeans(code int) string {
	switch {
	case code == 301 || code == 302 || code == 307 || code == 308:
		return "they are redirected, and a redirected POST is lost."
	case code == 401:
		return "a password guards the site."
	case code == 403 || code == 406:
		return "a firewall or rule refuses them."
	case code == 404 || code == 410:
		return "the file is not there."
	case code == 405:
		return "POST is not allowed."
	case code == 413:
		return "they are larger than client_max_body_size."
	case code == 429 || code == 503:
		return "a rate limit or overload."
	case code == 499:
		return "WordPress.com gave up waiting: PHP is slow."
	case code == 502 || code == 504:
		return "PHP does not answer, or not in time."
	case code >= 500:
		return "PHP fails."
	}
	return "see the log."
}

func (l *logFindings) replays() {
	c := &l.report.Access.Calls
	switch {
	case c.Count == 0:
		l.skip(checkReplays, "no request for Jetpack in the log")
	case c.Replays == 0:
		l.pass(checkReplays, "no signed call came twice")
	default:
		l.add(Finding{Check: checkReplays, Verdict: Warn, Cause: "nonce_replays", Seen: fmt.Sprintf("%d signed calls came again, the first at %s", c.Replays, c.Replay),
			Means: "The same signed call arrived more than once; each repetition is refused with invalid_nonce. A proxy repeats POSTs, or somebody replays them.",
			Do:    "Turn off retries of POST in the proxy (proxy_next_upstream off; without non_idempotent), and exclude xmlrpc.php from caches."})
	}
}

// errorLog adds a finding for the log and one for each group of its entries.
func (l *logFindings) errorLog(readErr error) {
	s := &l.report.Errors
	f := Finding{Check: checkErrorLog, Verdict: Pass, Seen: fmt.Sprintf("%d entries in %d groups", s.Entries, len(s.Groups))}
	if s.Bad > 0 {
		f.Seen += fmt.Sprintf("; %d lines belong to none", s.Bad)
	}
	switch {
	case s.Entries == 0 && s.Bad > 0:
		f.Verdict, f.Cause = Warn, "error_log_unreadable"
		f.Means, f.Do = "No entry of the error log can be parsed.", "Give a log of nginx, Apache or PHP-FPM, plain or gzip."
	case readErr != nil:
		f.Verdict, f.Cause = Warn, "error_log_cut"
		f.Seen += "; reading ended early: " + readErr.Error()
		f.Means, f.Do = "The error log is damaged or truncated; the readable part was counted.", "Give an intact copy."
	}
	l.add(f)
	for _, g := range s.Groups {
		f := Finding{Check: checkErrorLog + "_" + string(g.Kind), Verdict: Fail, Cause: string(g.Kind), Means: g.Means, Do: g.Do}
		f.Seen = fmt.Sprintf("%d times from %s to %s", g.Count, g.First.Format(time.DateTime), g.Last.Format(time.DateTime))
		if g.Jetpack > 0 {
			f.Seen += fmt.Sprintf(", %d about Jetpack", g.Jetpack)
		}
		if len(g.Paths) > 0 {
			f.Seen += ", requests for " + strings.Join(g.Paths[:min(len(g.Paths), 3)], ", ")
		}
		f.Seen += ": " + g.Example
		switch {
		case g.Kind == errorlog.KindOther:
			f.Verdict, f.Cause = Skipped, ""
		case g.Harmless:
			f.Verdict = Warn
		}
		l.add(f)
	}
}
