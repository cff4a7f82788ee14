package api

import (
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/alarm"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// The kinds of alarms and those of the contract must be the same list.
func TestEveryKindOfAlarmHasItsNumberInTheContract(t *testing.T) {
	t.Parallel()
	kinds := alarm.Kinds()
	if len(kinds) != len(monitorv1.AlarmKind_name)-1 {
		t.Errorf("%d kinds, and the contract has %d", len(kinds), len(monitorv1.AlarmKind_name)-1)
	}
	for _, k := range kinds {
		if got, want := monitorv1.AlarmKind(k).String(), "ALARM_KIND_"+strings.ToUpper(k.String()); got != want {
			t.Errorf("kind %d is %s in the contract and %s here", k, got, want)
		}
	}
}

func TestAnAlarmOfAPeerKeepsWhatItSaysAndNamesThePeer(t *testing.T) {
	t.Parallel()
	raised := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	said := alarmsToProto([]alarm.Alarm{
		{Raised: raised, Condition: alarm.Condition{Kind: alarm.KindStore, Message: "slow"}},
		{Raised: raised, Condition: alarm.Condition{Kind: alarm.KindInconclusive, Site: 7, URL: "u", Message: "held"}},
	})
	got := alarmsToProto(alarmsOfPeer("b", said))
	if got[0].GetMessage() != "coordinator b: slow" || got[1].GetMessage() != "held" || got[1].GetSiteId() != 7 || got[1].GetUrl() != "u" {
		t.Errorf("got %v", got)
	}
	for i := range got {
		if got[i].GetKind() != said[i].GetKind() || !got[i].GetRaiseTime().AsTime().Equal(raised) {
			t.Errorf("%v became %v", said[i], got[i])
		}
	}
}

func TestAForwardedQuestionIsAnsweredWithoutWhatTheAskerSeesForItself(t *testing.T) {
	t.Parallel()
	var all []alarm.Alarm
	for _, k := range alarm.Kinds() {
		all = append(all, alarm.Alarm{Condition: alarm.Condition{Kind: k}})
	}
	own := ownAlarms(all)
	for _, a := range own {
		if a.Kind == alarm.KindPeer || a.Kind == alarm.KindUnowned {
			t.Errorf("%s is among them", a.Kind)
		}
	}
	if len(own) != len(alarm.Kinds())-2 {
		t.Errorf("%d of %d are left", len(own), len(alarm.Kinds()))
	}
}
