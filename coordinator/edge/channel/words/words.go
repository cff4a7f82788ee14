// Package words says an event in words, for the channels that people read: a title, which is a
// sentence that stands on its own, and facts. It knows no form of any channel: who uses it must
// escape what it returns, in which texts of sites appear.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
)

// Mood says how bad the news is.
type Mood uint8

// The moods.
const (
	Neutral Mood = iota
	Good
	Warning
	Bad
)

// MoodOf returns the mood of an event.
func MoodOf(e *event.Event) Mood {
	switch e.Type {
	case event.SiteDown, event.SiteConfirmedDown, event.IncidentOpened, event.IncidentUpdated:
		return Bad
	case event.AdvisoryOpened:
		return Warning
	case event.SiteUp, event.AdvisoryClosed, event.IncidentResolved:
		return Good
	}
	return Neutral
}

// Title returns an event as one sentence.
func Title(e *event.Event) string {
	site := "A site"
	if e.Site != nil {
		site = e.Site.URL
	}
	switch e.Type {
	case event.SiteDown:
		return site + " is down"
	case event.SiteConfirmedDown:
		return site + " is still down"
	case event.SiteUp:
		return site + " is up again"
	case event.AdvisoryOpened, event.AdvisoryClosed:
		if e.Advisory == nil {
			break
		}
		if e.Type == event.AdvisoryClosed {
			return site + ": no longer so: " + advisory(e.Advisory.Advisory)
		}
		return site + ": " + advisory(e.Advisory.Advisory)
	case event.IncidentOpened, event.IncidentUpdated, event.IncidentResolved:
		if e.Incident != nil {
			return incident(e)
		}
	case event.Test:
		return "This is a test of a subscription; nothing has happened"
	}
	return "Event " + e.Type.String()
}

// incident is the title of an incident.
func incident(e *event.Event) string {
	i := e.Incident
	what := fmt.Sprintf("Incident %d", i.ID)
	if i.Value != "" {
		what += ", " + cause(i.Cause) + i.Value
	}
	if e.Type == event.IncidentResolved {
		return fmt.Sprintf("%s: over, none of its %d sites is down", what, i.Members)
	}
	return fmt.Sprintf("%s: %d of %d sites are down at once", what, i.MembersDown, i.Members)
}

// cause names what the members of an incident share.
func cause(name string) string {
	switch word := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "SHARED_CAUSE_")), "_", " "); word {
	case "", "unspecified":
		return ""
	default:
		return word + " "
	}
}

// advisory returns a remark in words.
func advisory(name string) string {
	switch name {
	case "ADVISORY_TLS_EXPIRING":
		return "the certificate ends soon"
	case "ADVISORY_TLS_DEPRECATED":
		return "the server speaks nothing newer than TLS 1.1"
	case "ADVISORY_SLOW":
		return "answers are slow"
	case "ADVISORY_SLOWER_THAN_USUAL":
		return "answers take much longer than usual"
	case "ADVISORY_IPV6_BROKEN":
		return "its IPv6 addresses do not work"
	case "ADVISORY_HEAD_UNSUPPORTED":
		return "HEAD fails where GET works"
	case "ADVISORY_TLS_INVALID":
		return "the certificate does not verify"
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "ADVISORY_")), "_", " ")
}

// Fact is one line about an event.
type Fact struct{ Name, Value string }

// Facts returns what is known of an event beside its title.
func Facts(e *event.Event) []Fact {
	var f facts
	switch {
	case e.Status != nil:
		f.status(e)
	case e.Advisory != nil:
		f.add("Detail", e.Advisory.Detail)
		f.at("Since", e.Advisory.Open)
		f.at("Certificate ends", e.Advisory.CertificateExpire)
	case e.Incident != nil:
		f.incident(e)
	}
	f.at("Time", e.Time)
	if s := e.Site; s != nil {
		f.add("Site", strconv.FormatInt(int64(s.ID), 10))
		if s.BlogID != 0 {
			f.add("Blog", strconv.FormatInt(int64(s.BlogID), 10))
		}
		f.add("Tags", strings.Join(s.Tags, ", "))
	}
	return f
}

type facts []Fact

func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, Fact{name, value})
	}
}

func (f *facts) at(name string, t event.Time) {
	if !t.IsZero() {
		f.add(name, t.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
}

func (f *facts) status(e *event.Event) {
	s := e.Status
	f.add("Why", why(s))
	f.at("Down since", s.Start)
	if e.Type != event.SiteDown && !s.Start.IsZero() {
		f.add("Down for", e.Time.Sub(s.Start.Time).Round(time.Second).String())
	}
	if s.Votes > 0 {
		f.add("Seen down by", fmt.Sprintf("%d of %d verifliers", s.VotesDown, s.Votes))
	}
	f.add("Address", s.ResolvedAddress)
	if s.OutageID != 0 {
		f.add("Outage", strconv.FormatInt(s.OutageID, 10))
	}
	if s.MaintenanceID != 0 {
		f.add("Began in maintenance", strconv.FormatInt(s.MaintenanceID, 10))
	}
}

// why is the failure in words.
func why(s *event.StatusChange) string {
	text := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(s.Failure, "FAILURE_KIND_")), "_", " ")
	if text != "" && s.Reason != "" {
		text += ", " + strings.ReplaceAll(s.Reason, "_", " ")
	}
	switch {
	case text == "":
		return s.Detail
	case s.Detail != "":
		return text + ": " + s.Detail
	}
	return text
}

func (f *facts) incident(e *event.Event) {
	i := e.Incident
	if i.Value != "" {
		f.add("Shared", cause(i.Cause)+i.Value)
	}
	f.add("Down now", fmt.Sprintf("%d of the %d sites that failed", i.MembersDown, i.Members))
	f.at("Began", i.Start)
	f.at("Ended", i.End)
	var some []string
	for _, s := range i.Examples {
		some = append(some, s.URL)
	}
	f.add("Sites", strings.Join(some, ", "))
}
