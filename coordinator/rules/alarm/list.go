package alarm

import (
	"cmp"
	"fmt"
	"slices"
)

// maxListed bounds what List returns.
const maxListed = 100

// rank is the order in which a person should read alarms. List cuts those of the last rank
// first.
type rank int

const (
	ofMonitor rank = iota
	ofSites        // the number of undecided sites when not all are listed
	ofChecker      // and single verifliers
	ofReaders      // single sites that one of our readers misreads
	ofSite
)

func (a Alarm) rank() rank {
	switch {
	case a.Kind == KindReadersDisagree:
		return ofReaders
	case a.Site != 0:
		return ofSite
	case a.Kind == KindQuarantine, a.Kind == KindNameTaken, a.Kind == KindVeriflier:
		return ofChecker
	case a.Kind == KindInconclusive:
		return ofSites
	default:
		return ofMonitor
	}
}

// List puts alarms in order and bounds their number: first those about the monitor, then
// those about single checkers, then sites that one of our readers misreads, then other single
// sites, the oldest first in each group. When not all undecided sites are listed, one alarm gives their number. It counts
// the unlisted ones too, and replaces the alarm, without a number, by which a peer reports
// that it cut its own list. suspects counts all suspect sites.
func List(alarms []Alarm, unlisted int, suspects uint64) []Alarm {
	n := len(alarms)
	alarms = slices.DeleteFunc(slices.Clone(alarms), func(a Alarm) bool { return a.rank() == ofSites })
	more := len(alarms) < n
	inOrder(alarms)
	first := slices.IndexFunc(alarms, func(a Alarm) bool { return a.rank() == ofSite })
	if first >= 0 && (more || unlisted > 0 || len(alarms) > maxListed) {
		alarms = append(alarms, Alarm{
			Raised: alarms[first].Raised,
			Condition: Condition{Kind: KindInconclusive, Message: fmt.Sprintf(
				"undecided suspects: %s, of which the oldest %d are listed; suspects in all: %d",
				atLeast(len(alarms)-first+unlisted, more), max(0, min(len(alarms), maxListed-1)-first), suspects)},
		})
		inOrder(alarms)
	}
	return alarms[:min(len(alarms), maxListed)]
}

func inOrder(alarms []Alarm) {
	slices.SortStableFunc(alarms, func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), a.Raised.Compare(b.Raised),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Site, b.Site))
	})
}

func atLeast(n int, more bool) string {
	if more {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}
