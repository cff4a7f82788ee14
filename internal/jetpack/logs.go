package jetpack

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/errorlog"
)

// The steps of section 6.
const (
	checkAccessLog = "access_log"
	checkSizes     = "response_sizes"
	checkTraffic   = "jetpack_calls"
	checkTimes     = "jetpack_call_times"
	checkReplays   = "nonce_replays"
	checkErrorLog  = "error_log"
)

// Logs configures ReadLogs.
type Logs struct {
	// Access and Error are the logs, plain or gzip; Error may be nil.
	Access, Error io.Reader
	// Buffers are the FastCGI buffers; the zero value means defaultBuffers.
	Buffers Buffers
	// Server is the software that wrote the access log; empty means that the logs show it.
	Server accesslog.Server
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
	// Server wrote the access log; empty when that is unknown.
	Server accesslog.Server
	Access accesslog.Summary
	Errors errorlog.Summary
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
	var errorErr error
	if o.Error != nil {
		errs := errorlog.New()
		errorErr = errs.Read(o.Error)
		out.Errors = errs.Summary()
	}
	out.Server = cmp.Or(o.Server, out.server())
	l := &logFindings{list: list{section: SectionLogs}, report: out, hasErrors: o.Error != nil}
	l.accessLog(readErr)
	l.sizes()
	l.traffic()
	l.replays()
	l.errorLog(errorErr)
	out.Start, out.Took, out.Findings = start, o.Now().Sub(start), l.findings
	out.conclude()
	return out, nil
}

// server returns who wrote the logs, as far as they show it.
func (r *LogReport) server() accesslog.Server {
	if r.Errors.Server == errorlog.PHP {
		return r.Access.Server
	}
	return cmp.Or(r.Errors.Server, r.Access.Server)
}

// logFindings makes findings from the counts.
type logFindings struct {
	list
	report    *LogReport
	hasErrors bool
}

// accessLog adds the finding about how much of the log was readable.
func (l *logFindings) accessLog(readErr error) {
	s := &l.report.Access
	seen := fmt.Sprintf("%d requests", s.Good)
	if !s.First.IsZero() && !s.Last.IsZero() {
		seen += " from " + s.First.Format(time.DateTime) + " to " + s.Last.Format(time.DateTime) + " UTC"
	}
	if l.report.Server != "" {
		seen += ", written by " + string(l.report.Server)
	}
	if s.Bad > 0 {
		seen += fmt.Sprintf("; %d lines are in no known format, the first is line %d", s.Bad, s.BadAt)
	}
	switch {
	case s.Good == 0:
		l.show(checkAccessLog, Fail, cause.Cause{
			Name: "access_log_unreadable", Weight: cause.Minor, Sure: cause.Certain,
			Means: "No line of the access log can be parsed: it is empty, binary, or in an unknown format.",
			Host:  "Give a log in the common or combined format, or in JSON with the names that nginx, Apache, Caddy or Traefik use; plain or gzip.",
		}, seen)
	case readErr != nil:
		l.show(checkAccessLog, Warn, cause.Cause{
			Name: "access_log_cut", Weight: cause.Minor, Sure: cause.Certain,
			Means: "The access log is damaged or truncated; the readable part was counted.", Host: "Give an intact copy.",
		}, seen+"; reading ended early: "+readErr.Error())
	case s.Bad > 0:
		l.show(checkAccessLog, Warn, cause.Cause{
			Name: "access_log_malformed", Weight: cause.Minor, Sure: cause.Certain,
			Means: "Part of the access log cannot be parsed; the good lines were counted.",
			Host:  "Look at that line: rotation may have truncated it, or another format was mixed in.",
		}, seen)
	default:
		l.pass(checkAccessLog, seen)
	}
}
