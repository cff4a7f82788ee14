package jetpack

import (
	"strings"
	"time"
	"unicode"
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
		return "The sync queue"
	case SectionLogs:
		return "The server's logs"
	}
	return ""
}

// Finding is what one step found.
type Finding struct {
	Section Section
	// Check names the step, as "xmlrpc_post"; stable, for programs.
	Check   string
	Verdict Verdict
	// Cause names what is wrong, as "firewall"; stable, empty when nothing is.
	Cause string
	// Seen is the evidence, Means what it means, Do what to do. The latter two are
	// empty when nothing is wrong.
	Seen, Means, Do string
}

// Report is a whole diagnosis.
type Report struct {
	// URL that was diagnosed; empty for logs.
	URL      string
	Start    time.Time
	Took     time.Duration
	Findings []Finding
	// Cause is the finding that most likely explains the trouble; nil when nothing is
	// wrong.
	Cause *Finding
	// Conclusion is one line for people: the most likely cause.
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

// Find gives the finding of a step, nil when there is none.
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

// skip says why a step was not done.
func (l *list) skip(check, why string) { l.add(Finding{Check: check, Verdict: Skipped, Seen: why}) }

// maxSeen bounds the evidence of one finding.
const maxSeen = 400

// clean makes what a site sent fit to be shown: one line without control characters.
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
