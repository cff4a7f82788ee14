package jetpack

import (
	"fmt"

	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/errorlog"
)

// sizes compares the largest response with nginx's buffers. The average tells nothing: the
// one response that does not fit may go to disk. nginx writes to disk only what the client
// reads more slowly than PHP writes, so only its error log proves that it did.
func (l *logFindings) sizes() {
	d := &l.report.Access.Dynamic
	if d.Count == 0 {
		l.skip(checkSizes, "no response from PHP in the log")
		return
	}
	seen := fmt.Sprintf("largest response from PHP %d bytes%s, 99 %% within %d, median %d, average %d",
		d.Max, l.largest(), d.Percentile(99), d.Percentile(50), d.Average())
	if server := l.report.Server; server != "" && server != accesslog.ServerNginx {
		l.pass(checkSizes, seen+"; "+string(server)+" has no FastCGI buffers to overflow")
		return
	}
	b, over := l.report.Buffers, l.report.Access.Over
	seen = fmt.Sprintf("%d of %d do not fit; %s; buffers %s hold %d", over, d.Count, seen, b, b.Bytes())
	files := l.report.Errors.Find(errorlog.KindTemporaryFile)
	switch {
	case d.Max <= b.Bytes():
		l.pass(checkSizes, seen)
	case files != nil:
		l.show(checkSizes, Warn, cause.Cause{
			Name: "fastcgi_buffers", Weight: cause.Partial, Sure: cause.Certain,
			Means: fmt.Sprintf("Responses do not fit in the FastCGI buffers (%d > %d bytes) and go through a temporary file, as the error log shows, however small the average is (%d).", d.Max, b.Bytes(), d.Average()),
			Host:  l.propose(),
		}, fmt.Sprintf("%d temporary files in the error log; %s", files.Count, seen))
	case l.report.Errors.Warnings:
		l.pass(checkSizes, "nginx wrote no temporary file for them, as its error log shows (it has warnings); "+seen)
	default:
		l.show(checkSizes, Warn, cause.Cause{
			Name: "fastcgi_buffers", Weight: cause.Minor, Sure: cause.Possible,
			Means: fmt.Sprintf("The largest response does not fit in the FastCGI buffers (%d > %d bytes) and may go through a temporary file, when its client reads slowly; the average (%d) cannot show it.", d.Max, b.Bytes(), d.Average()),
			Host:  l.propose() + " Its error log is the proof, if error_log has the level warn: \"buffered to a temporary file\".",
		}, seen)
	}
}

// propose returns the line for nginx's configuration, and keeps the buffers.
func (l *logFindings) propose() string {
	d, b, note := &l.report.Access.Dynamic, l.report.Buffers, ""
	target := d.Max
	if target > maxProposed {
		target = min(max(d.Percentile(99), b.Bytes()), maxProposed)
		note = " (enough for 99 % of the responses; it is better to stream the largest or leave them to the disk)"
	}
	where := "In nginx: "
	if l.report.Server == "" {
		where = "If the server is nginx: "
	}
	proposed := b.propose(target)
	if proposed.Bytes() <= b.Bytes() {
		return where + "leave the buffers as they are; the few larger responses are too large for memory."
	}
	l.report.Proposed = proposed
	return where + proposed.Directive() + note + " The log's numbers do not include gzip and headers, so leave some room."
}

func (l *logFindings) largest() string {
	if large := l.report.Access.Large; len(large) > 0 && large[0].Sizes.Max == l.report.Access.Dynamic.Max {
		return " (" + large[0].Path + ")"
	}
	return ""
}
