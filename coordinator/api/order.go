package api

import (
	"cmp"
	"fmt"
	"slices"

	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// maxAlarms bounds the list in the answer.
const maxAlarms = 100

// rank is in which order alarms are to be read. What comes first is not cut for what
// comes later.
type rank int

const (
	ofMonitor rank = iota
	ofSites        // how many there are that are not all listed
	ofChecker      // one of them
	ofSite
)

func rankOf(a *monitorpb.Alarm) rank {
	switch {
	case a.GetSiteId() != 0:
		return ofSite
	case a.GetKind() == monitorpb.AlarmKind_ALARM_KIND_QUARANTINE, a.GetKind() == monitorpb.AlarmKind_ALARM_KIND_NAME_TAKEN:
		return ofChecker
	case a.GetKind() == monitorpb.AlarmKind_ALARM_KIND_INCONCLUSIVE:
		return ofSites
	default:
		return ofMonitor
	}
}

// listed puts alarms in order and bounds them. Hidden is how many sites are held beyond
// those that there are alarms of; a peer says that there are some by an alarm that ours
// replaces, without a number. Suspects are all sites that are suspect.
func listed(alarms []*monitorpb.Alarm, hidden int, suspects uint64) []*monitorpb.Alarm {
	n := len(alarms)
	alarms = slices.DeleteFunc(alarms, func(a *monitorpb.Alarm) bool { return rankOf(a) == ofSites })
	more := len(alarms) < n
	inOrder(alarms)
	first := slices.IndexFunc(alarms, func(a *monitorpb.Alarm) bool { return rankOf(a) == ofSite })
	if first >= 0 && (more || hidden > 0 || len(alarms) > maxAlarms) {
		alarms = append(alarms, &monitorpb.Alarm{
			Kind: monitorpb.AlarmKind_ALARM_KIND_INCONCLUSIVE, RaiseTime: alarms[first].GetRaiseTime(),
			Message: fmt.Sprintf("sites held as suspect: %s, of which the oldest %d are listed; sites suspect in all: %d",
				atLeast(len(alarms)-first+hidden, more), max(0, min(len(alarms), maxAlarms-1)-first), suspects),
		})
		inOrder(alarms)
	}
	return alarms[:min(len(alarms), maxAlarms)]
}

func inOrder(alarms []*monitorpb.Alarm) {
	slices.SortStableFunc(alarms, func(a, b *monitorpb.Alarm) int {
		return cmp.Or(cmp.Compare(rankOf(a), rankOf(b)), a.GetRaiseTime().AsTime().Compare(b.GetRaiseTime().AsTime()))
	})
}

func atLeast(n int, more bool) string {
	if more {
		return fmt.Sprintf("%d or more", n)
	}
	return fmt.Sprint(n)
}
