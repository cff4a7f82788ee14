package event

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Version is the version of the form.
const Version = 1

// Type says what happened.
type Type uint8

// The types, numbered as in event.proto. The numbers never change: they are stored.
const (
	TypeNone Type = iota
	SiteDown
	SiteConfirmedDown
	SiteUp
	AdvisoryOpened
	AdvisoryClosed
	IncidentOpened
	IncidentUpdated
	IncidentResolved
	Test
	// TypeLast is the last of them.
	TypeLast = Test
)

var typeNames = [...]string{
	"UNSPECIFIED", "SITE_DOWN", "SITE_CONFIRMED_DOWN", "SITE_UP", "ADVISORY_OPENED", "ADVISORY_CLOSED",
	"INCIDENT_OPENED", "INCIDENT_UPDATED", "INCIDENT_RESOLVED", "TEST",
}

// String returns the type as EventType in event.proto names it, without the prefix.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

const typePrefix = "EVENT_TYPE_"

// MarshalText returns the type as JSON has it.
func (t Type) MarshalText() ([]byte, error) { return []byte(typePrefix + t.String()), nil }

// UnmarshalText reads a type; TypeNone when a newer program has written one that is unknown.
func (t *Type) UnmarshalText(text []byte) error {
	*t = TypeNone
	for i, name := range typeNames {
		if string(text) == typePrefix+name {
			*t = Type(i)
		}
	}
	return nil
}

// Event is something that happened. Its fields are those of jetmon.monitor.v1.Event.
type Event struct {
	Version uint32 `json:"version"`
	ID      string `json:"event_id"`
	Type    Type   `json:"type"`
	Time    Time   `json:"event_time"`
	// Sequence is the event's place among those of its site.
	Sequence int64           `json:"sequence,omitempty,string"`
	Site     *Site           `json:"site,omitempty"`
	Status   *StatusChange   `json:"status_change,omitempty"`
	Advisory *AdvisoryChange `json:"advisory,omitempty"`
	Incident *IncidentChange `json:"incident,omitempty"`
	Muted    bool            `json:"muted,omitempty"`
}

// Site is a site as it was at an event.
type Site struct {
	ID     check.SiteID `json:"site_id,string"`
	BlogID check.BlogID `json:"blog_id,omitempty,string"`
	URL    string       `json:"url"`
	Tags   []string     `json:"tags,omitempty"`
}

// StatusChange is a change of a site's status.
type StatusChange struct {
	Status         check.Status `json:"status_id"`
	PreviousStatus check.Status `json:"previous_status_id"`
	OutageID       int64        `json:"outage_id,omitempty,string"`
	Start          Time         `json:"start_time,omitzero"`
	LastCheck      Time         `json:"last_check_time,omitzero"`
	// Failure is the kind as the API names it; empty when there was none.
	Failure         string `json:"failure,omitempty"`
	Reason          string `json:"reason,omitempty"`
	HTTPStatus      int    `json:"http_status,omitempty"`
	ResolvedAddress string `json:"resolved_address,omitempty"`
	Detail          string `json:"detail,omitempty"`
	VotesDown       uint32 `json:"votes_down,omitempty"`
	Votes           uint32 `json:"votes,omitempty"`
	MaintenanceID   int64  `json:"maintenance_id,omitempty,string"`
	// CertificateIssuer is who issued the certificate that does not verify.
	CertificateIssuer string `json:"certificate_issuer,omitempty"`
}

// AdvisoryChange is the beginning or the end of a remark about a site.
type AdvisoryChange struct {
	// Advisory is the remark as the API names it.
	Advisory          string `json:"advisory"`
	Detail            string `json:"detail,omitempty"`
	Open              Time   `json:"open_time"`
	CertificateExpire Time   `json:"certificate_expire_time,omitzero"`
}

// IncidentChange is the state of an incident.
type IncidentChange struct {
	ID int64 `json:"incident_id,string"`
	// Cause is what the members share as the API names it, Value that as text.
	Cause       string `json:"cause,omitempty"`
	Value       string `json:"cause_value,omitempty"`
	Members     int64  `json:"members,omitempty,string"`
	MembersDown int64  `json:"members_down,omitempty,string"`
	Start       Time   `json:"start_time,omitzero"`
	End         Time   `json:"end_time,omitzero"`
	Examples    []Site `json:"examples,omitempty"`
}

// Time is a time as an event has it: in milliseconds and UTC.
type Time struct{ time.Time }

// At converts a time; the zero Time stays zero.
func At(t time.Time) Time {
	if t.IsZero() {
		return Time{}
	}
	return Time{t.UTC().Truncate(time.Millisecond)}
}

// MarshalJSON writes RFC 3339 with milliseconds, as the API does.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// UnmarshalJSON reads a time of RFC 3339.
func (t *Time) UnmarshalJSON(text []byte) error {
	err := json.Unmarshal(text, &t.Time)
	*t = At(t.Time)
	return err
}

// Encode returns the event as it is stored and told.
func (e Event) Encode() (string, error) {
	e.Version = Version
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode event %q: %w", e.ID, err)
	}
	return string(text), nil
}

// Decode reads a stored event. It passes over fields that a newer program has written.
func Decode(text string) (Event, error) {
	var e Event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return Event{}, fmt.Errorf("decode an event: %w", err)
	}
	return e, nil
}
