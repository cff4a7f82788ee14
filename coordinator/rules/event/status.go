package event

import (
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// Place is what only the commit of a change knows of it.
type Place struct {
	// OutageID is the outage concerned, Sequence the change's place among those of its site.
	OutageID, Sequence int64
	// Tags are those of the site.
	Tags []string
	// Muted means that nobody is told.
	Muted bool
	// MaintenanceID is the maintenance during which the failure began; 0 for none.
	MaintenanceID int64
}

// OfChange returns the event of a status change; ok is false when there is none, because the
// change opens the outage of a status that was there before.
func OfChange(c record.Change, at Place) (e Event, ok bool) {
	if c.From == c.To {
		return Event{}, false
	}
	return Event{
		ID: c.Key, Type: TypeOf(c.To), Time: At(c.At), Sequence: at.Sequence, Muted: at.Muted,
		Site:   &Site{ID: c.SiteID, BlogID: c.BlogID, URL: c.URL, Tags: at.Tags},
		Status: statusChange(c, at),
	}, true
}

// TypeOf returns what a change to a status is.
func TypeOf(s check.Status) Type {
	switch s {
	case check.StatusDown:
		return SiteDown
	case check.StatusConfirmedDown:
		return SiteConfirmedDown
	default:
		return SiteUp
	}
}

func statusChange(c record.Change, at Place) *StatusChange {
	s := &StatusChange{
		Status: c.To, PreviousStatus: c.From, OutageID: at.OutageID, LastCheck: At(c.LastCheck), MaintenanceID: at.MaintenanceID,
	}
	if at.OutageID != 0 {
		s.Start = At(c.Start)
	}
	seen := c.Cause
	if c.To == check.StatusRunning {
		seen = check.Observation{}
		if n := len(c.Checks); n > 0 {
			seen = c.Checks[n-1].Observation
		}
		seen.Failure, seen.Reason, seen.Detail, seen.CertificateIssuer = check.FailureNone, "", "", ""
	}
	if seen.Failure != check.FailureNone {
		s.Failure = "FAILURE_KIND_" + seen.Failure.String()
	}
	s.CertificateIssuer = seen.CertificateIssuer
	s.Reason, s.HTTPStatus, s.ResolvedAddress, s.Detail = seen.Reason, seen.HTTPStatus, seen.ResolvedAddress, seen.Detail
	if c.Ballot != nil {
		s.Votes = uint32(len(c.Ballot.Votes))
		for _, v := range c.Ballot.Votes {
			if v.Value == quorum.Down {
				s.VotesDown++
			}
		}
	}
	return s
}
