package alarm

import (
	"fmt"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Kind is the kind of an alarm.
type Kind uint8

// The kinds, numbered as AlarmKind in fleet.proto.
const (
	KindInconclusive Kind = iota + 1
	KindStore
	KindDelivery
	KindNoCheckers
	KindQuarantine
	KindConnectivity
	KindOverload
	KindUnowned
	KindPeer
	KindNameTaken
	KindReadersDisagree
	KindVeriflier

	endOfKinds
)

// Kinds returns all kinds, in the order of their numbers.
func Kinds() []Kind {
	all := make([]Kind, 0, endOfKinds-1)
	for k := KindInconclusive; k < endOfKinds; k++ {
		all = append(all, k)
	}
	return all
}

// String returns the kind as the metric jetmon_alarm labels it: AlarmKind's name in lower
// case.
func (k Kind) String() string {
	names := [...]string{
		"unspecified", "inconclusive", "store", "delivery", "no_checkers", "quarantine", "connectivity",
		"overload", "unowned", "peer", "name_taken", "readers_disagree", "veriflier",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind_%d", uint8(k))
}

// Condition is something that is wrong at one moment.
type Condition struct {
	Kind Kind
	// Subject distinguishes conditions of one kind: the name of a node, or empty.
	Subject string
	// Site and URL name the site concerned; a Site of 0 means none.
	Site check.SiteID
	URL  string
	// Message describes the condition for a person.
	Message string
	// Since is when it began; zero when the facts do not tell.
	Since time.Time
}

// Alarm is a condition and the moment when it began.
type Alarm struct {
	Condition
	Raised time.Time
}

// id identifies a condition from one second to the next.
type id struct {
	kind    Kind
	subject string
	site    check.SiteID
}

func (c Condition) id() id { return id{c.Kind, c.Subject, c.Site} }
