package jetpack

import (
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/errorlog"
)

// errorLog adds a finding for the log and one for each group of its entries.
func (l *logFindings) errorLog(readErr error) {
	if !l.hasErrors {
		l.skip(checkErrorLog, "none is given (--error)")
		return
	}
	s := &l.report.Errors
	seen := fmt.Sprintf("%d entries in %d groups", s.Entries, len(s.Groups))
	if s.Server != "" {
		seen += ", written by " + string(s.Server)
	}
	if s.Bad > 0 {
		seen += fmt.Sprintf("; %d lines belong to none", s.Bad)
	}
	switch {
	case s.Entries == 0 && s.Bad > 0:
		l.show(checkErrorLog, Warn, cause.Cause{
			Name: "error_log_unreadable", Weight: cause.Minor, Sure: cause.Certain,
			Means: "No entry of the error log can be parsed.", Host: "Give a log of nginx, Apache, PHP or PHP-FPM, plain or gzip.",
		}, seen)
	case readErr != nil:
		l.show(checkErrorLog, Warn, cause.Cause{
			Name: "error_log_cut", Weight: cause.Minor, Sure: cause.Certain,
			Means: "The error log is damaged or truncated; the readable part was counted.", Host: "Give the whole file.",
		}, seen+"; reading ended early: "+readErr.Error())
	default:
		l.pass(checkErrorLog, seen)
	}
	for i := range s.Groups {
		l.errorGroup(&s.Groups[i])
	}
}

// errorGroup adds the finding of one kind of entries. A refusal or failure that no call of
// Jetpack met is only a remark: scanners are refused on every healthy site.
func (l *logFindings) errorGroup(g *errorlog.Group) {
	check, seen := checkErrorLog+"_"+string(g.Kind), evidence(g)
	if g.Kind == errorlog.KindOther {
		l.skip(check, seen)
		return
	}
	shown, verdict := g.Cause, Fail
	if len(g.Culprits) > 0 {
		shown.Means = strings.TrimSuffix(shown.Means, ".") + " (" + g.Culprits[0] + ")."
	}
	switch {
	case g.Harmless:
		verdict = Warn
	case g.Wide || g.Jetpack > 0:
	case g.Elsewhere > 0:
		verdict, shown.Weight = Warn, cause.Minor
		seen = "none about Jetpack's calls; " + seen
	default: // the entries do not say which requests
		shown.Weight = max(shown.Weight, cause.Partial)
	}
	l.show(check, verdict, shown, seen)
}

// evidence returns what a group shows, in one line.
func evidence(g *errorlog.Group) string {
	seen := fmt.Sprintf("%d times from %s to %s", g.Count, g.First.Format(time.DateTime), g.Last.Format(time.DateTime))
	if g.Jetpack > 0 {
		seen += fmt.Sprintf(", %d about Jetpack", g.Jetpack)
	}
	if len(g.Culprits) > 0 {
		seen += ", " + strings.Join(g.Culprits[:min(len(g.Culprits), 3)], ", ")
	}
	if len(g.Paths) > 0 {
		seen += ", requests for " + strings.Join(g.Paths[:min(len(g.Paths), 3)], ", ")
	}
	return seen + ": " + g.Example
}
