package api

import (
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/alarm"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// alarmsToProto converts alarms; the kinds have the same numbers.
func alarmsToProto(alarms []alarm.Alarm) []*monitorv1.Alarm {
	out := make([]*monitorv1.Alarm, len(alarms))
	for i, a := range alarms {
		out[i] = &monitorv1.Alarm{
			Kind: monitorv1.AlarmKind(a.Kind), SiteId: int64(a.Site), Url: a.URL,
			Message: a.Message, RaiseTime: timestamp(a.Raised),
		}
	}
	return out
}

// alarmsOfPeer converts the alarms that another coordinator reports of itself. An alarm that
// is not about a site gets that coordinator's name in its message.
func alarmsOfPeer(node string, alarms []*monitorv1.Alarm) []alarm.Alarm {
	out := make([]alarm.Alarm, len(alarms))
	for i, a := range alarms {
		out[i] = alarm.Alarm{
			Raised: a.GetRaiseTime().AsTime(),
			Condition: alarm.Condition{
				Kind: alarm.Kind(a.GetKind()), Subject: node, Site: check.SiteID(a.GetSiteId()), URL: a.GetUrl(), Message: a.GetMessage(),
			},
		}
		if a.GetSiteId() == 0 {
			out[i].Message = "coordinator " + node + ": " + a.GetMessage()
		}
	}
	return out
}

// ownAlarms drops the alarms that every coordinator raises for itself: the coordinator that
// forwarded the call has them too.
func ownAlarms(alarms []alarm.Alarm) []alarm.Alarm {
	return slices.DeleteFunc(alarms, func(a alarm.Alarm) bool {
		return a.Kind == alarm.KindUnowned || a.Kind == alarm.KindPeer
	})
}
