package jetpack

import (
	"strings"
	"time"
	"unicode"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// Verdict of one finding.
type Verdict string

// The verdicts.
const (
	Pass    Verdict = "pass"
	Warn    Verdict = "warn"
	Fail    Verdict = "fail"
	Skipped Verdict = "skipped"
)

// Section is a part of a diagnosis, numbered from 1.
type Section int

// The sections in their order.
const (
	SectionWayIn Section = iota + 1
	SectionXMLRPC
	SectionJetpack
	SectionMetadata
	SectionSync
	SectionLogs
)

// String is the section's title.
func (s Section) String() string {
	switch s {
	case SectionWayIn:
		return "The way in"
	case SectionXMLRPC:
		return "xmlrpc.php"
	case SectionJetpack:
		return "Jetpack's answer"
	case SectionMetadata:
		return "What WordPress.com knows"
	case SectionSync:
		return "The site's own view"
	case SectionLogs:
		return "The server's logs"
	}
	return ""
}

// Finding is the result of one step.
type Finding struct {
	Section Section
	// Check names the step, as "xmlrpc_post"; it is stable, for programs.
	Check   string
	Verdict Verdict
	// Cause names what is wrong, as "firewall_sucuri"; it is stable, and empty when nothing is.
	// Findings with the same cause are explained by one fault. Weight and Sure are the
	// cause's.
	Cause  string
	Weight cause.Weight
	Sure   cause.Sure
	// Seen is the evidence, Means its meaning, Do the advice to the site's owner, Host that to
	// its host. All but Seen are empty when nothing is wrong.
	Seen, Means, Do, Host string
}

// Report is a whole diagnosis.
type Report struct {
	// URL is the diagnosed address, Given the one that was asked about; both are empty for logs.
	URL, Given string
	// Requests is how many were sent to the site, and to WordPress.com about it.
	Requests int
	// From is the address from which the calls came, as this machine knows it; empty when none
	// was made.
	From     string
	Start    time.Time
	Took     time.Duration
	Findings []Finding
	// Causes are what is wrong, the most probable first; empty when nothing is.
	Causes []Cause
	// Conclusion states the most probable cause in one line for people.
	Conclusion string
}

// Worst is the worst verdict of all findings: fail, warn, or pass.
func (r *Report) Worst() Verdict {
	worst := Pass
	for _, f := range r.Findings {
		switch {
		case f.Verdict == Fail:
			return Fail
		case f.Verdict == Warn:
			worst = Warn
		}
	}
	return worst
}

// Find returns the finding of a step, nil when there is none.
func (r *Report) Find(check string) *Finding {
	for i := range r.Findings {
		if r.Findings[i].Check == check {
			return &r.Findings[i]
		}
	}
	return nil
}

// list collects findings.
type list struct {
	section  Section
	findings []Finding
}

func (l *list) add(f Finding) {
	f.Section = l.section
	f.Seen = clean(f.Seen)
	l.findings = append(l.findings, f)
}

func (l *list) pass(check, seen string) { l.add(Finding{Check: check, Verdict: Pass, Seen: seen}) }

// skip adds a finding with the reason why a step was skipped.
func (l *list) skip(check, why string) { l.add(Finding{Check: check, Verdict: Skipped, Seen: why}) }

// maxSeen limits the evidence of one finding.
const maxSeen = 400

// clean makes a site's text safe to show: one line without control characters.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxSeen {
		s = strings.ToValidUTF8(s[:maxSeen], "") + "..."
	}
	return s
}
