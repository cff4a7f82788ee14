package incident

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/internal/check"
)

// Cause is what the sites of an incident share.
type Cause uint8

// The causes, numbered as SharedCause in event.proto, and the narrower ones first. The numbers
// never change: they are stored.
const (
	CauseNone Cause = iota
	Address
	Network
	NameServer
	Issuer
	Tag
)

// String returns the cause as SharedCause in event.proto names it.
func (c Cause) String() string {
	names := [...]string{"UNSPECIFIED", "ADDRESS", "NETWORK", "NAME_SERVER", "ISSUER", "TAG"}
	return "SHARED_CAUSE_" + names[min(int(c), len(names)-1)]
}

// broad reports whether so many sites share a cause of this kind that some of them fail at any
// time.
func (c Cause) broad() bool { return c >= NameServer }

// Shared is something that sites share.
type Shared struct {
	Cause Cause
	Value string
}

// compare orders what is shared: the narrower first.
func (s Shared) compare(o Shared) int {
	return cmp.Or(cmp.Compare(s.Cause, o.Cause), cmp.Compare(s.Value, o.Value))
}

// Bits of an address that make its network.
const (
	networkBits4 = 24
	networkBits6 = 48
)

// SharedBy returns what the site of a failure may share with others.
func SharedBy(e *event.Event) (all []Shared) {
	if at, err := netip.ParseAddrPort(e.Status.ResolvedAddress); err == nil {
		a := at.Addr().Unmap().WithZone("")
		bits := networkBits4
		if a.Is6() {
			bits = networkBits6
		}
		network, _ := a.Prefix(bits) // the address has so many
		all = append(all, Shared{Address, a.String()}, Shared{Network, network.String()})
	}
	if issuer := e.Status.CertificateIssuer; issuer != "" {
		all = append(all, Shared{Issuer, issuer})
	}
	for _, tag := range e.Site.Tags {
		all = append(all, Shared{Tag, tag})
	}
	return all
}

// Member is a site in an incident.
type Member struct {
	Site check.SiteID
	// At is the time of its newest change, to Down or not.
	At   time.Time
	Down bool
}

// Incident is a failure of many sites at once.
type Incident struct {
	ID int64
	Shared
	// Start is when the first of its members failed; End is zero while it goes on.
	Start, End time.Time
	// Members counts the sites that failed in it, Down those that are down.
	Members, Down int64
	// Examples are some of the members, the first that failed.
	Examples []event.Site
	// Told is the number of members that operators were told last, at ToldAt.
	Told   int64
	ToldAt time.Time
}

// Event returns the event that tells of an incident as it is now. Its sequence rises with time.
func (i *Incident) Event(kind event.Type, at time.Time) event.Event {
	return event.Event{
		ID: eventID(i.ID, kind, at), Type: kind, Time: event.At(at), Sequence: at.UnixMilli(),
		Incident: &event.IncidentChange{
			ID: i.ID, Cause: i.Cause.String(), Value: i.Value, Members: i.Members, MembersDown: i.Down,
			Start: event.At(i.Start), End: event.At(i.End), Examples: slices.Clone(i.Examples),
		},
	}
}

// Rule says what an incident is.
type Rule struct {
	// Sites is how many sites that share something make one. Of what many sites share, as many
	// times Usual as usually fail at once must fail.
	Sites int
	Usual float64
	// Window is how long a failure is a candidate: somewhat longer than the sites' interval.
	Window time.Duration
	// Quiet is how long no other failure may follow before an incident opens, and Patience how
	// long to wait for that at most.
	Quiet, Patience time.Duration
	// Again is the time between two updates; an update tells that the members have doubled.
	Again time.Duration
	// Few is the share of the members that may be down when an incident ends, if no more are for
	// Calm.
	Few  float64
	Calm time.Duration
}

// DefaultRule returns the rule for sites that are checked every five minutes or more often.
func DefaultRule() Rule {
	return Rule{
		Sites: 10, Usual: 5, Window: 10 * time.Minute, Quiet: 10 * time.Second, Patience: time.Minute,
		Again: 5 * time.Minute, Few: 0.05, Calm: 2 * time.Minute,
	}
}

// maxExamples bounds the examples of an incident.
const maxExamples = 20
