package alarm

import (
	"testing"
	"time"
)

func TestAnAlarmKeepsTheMomentAtWhichItBegan(t *testing.T) {
	t.Parallel()
	var b Book
	vague := Condition{Kind: KindOverload, Message: "slow"}
	exact := Condition{Kind: KindStore, Since: at(-time.Hour), Message: "away"}

	alarms, edges := b.Note(noon, []Condition{vague, exact})
	if len(alarms) != 2 || len(edges.Began) != 2 || len(edges.Ended) != 0 ||
		!alarms[0].Raised.Equal(noon) || !alarms[1].Raised.Equal(at(-time.Hour)) {
		t.Fatalf("alarms %v, edges %v", alarms, edges)
	}
	// The message changes, and the database is now slow, since later, instead of failing: it
	// is the same alarm.
	exact.Since, exact.Message = at(-time.Second), "slow"
	alarms, edges = b.Note(at(time.Second), []Condition{vague, exact})
	if len(edges.Began) != 0 || len(edges.Ended) != 0 || alarms[1].Message != "slow" ||
		!alarms[0].Raised.Equal(noon) || !alarms[1].Raised.Equal(at(-time.Hour)) {
		t.Fatalf("alarms %v, edges %v", alarms, edges)
	}
	alarms, edges = b.Note(at(2*time.Second), []Condition{exact})
	if len(alarms) != 1 || len(edges.Ended) != 1 || edges.Ended[0].Kind != KindOverload {
		t.Fatalf("alarms %v, edges %v", alarms, edges)
	}
	// A condition that comes back is a new alarm.
	alarms, edges = b.Note(at(3*time.Second), []Condition{vague, exact})
	if len(edges.Began) != 1 || !alarms[0].Raised.Equal(at(3*time.Second)) {
		t.Fatalf("alarms %v, edges %v", alarms, edges)
	}
}

func TestConditionsOfOneKindAreToldApartByTheirSubjectAndSite(t *testing.T) {
	t.Parallel()
	var b Book
	_, edges := b.Note(noon, []Condition{
		{Kind: KindQuarantine, Subject: "a"}, {Kind: KindQuarantine, Subject: "b"},
		{Kind: KindInconclusive, Site: 1}, {Kind: KindInconclusive, Site: 2},
	})
	if len(edges.Began) != 4 {
		t.Fatalf("began %v", edges.Began)
	}
	_, edges = b.Note(at(time.Second), []Condition{{Kind: KindQuarantine, Subject: "b"}, {Kind: KindInconclusive, Site: 2}})
	if len(edges.Began) != 0 || len(edges.Ended) != 2 || edges.Ended[0].Subject != "a" || edges.Ended[1].Site != 1 {
		t.Errorf("edges %v", edges)
	}
}
