package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func outboxTests() []test {
	return []test{
		{"a notification holds the whole change but its cause", notificationReadsBack},
		{"the notifications of a site come one after the other, in order", notificationOrder},
		{"a postponed notification holds back its site only", postponedHoldsBack},
		{"notifications are found and counted by shard", notificationsByShard},
		{"the oldest come first, up to the limit", notificationLimit},
		{"a damaged notification does not hold up those of other sites", damagedNotification},
	}
}

func notificationReadsBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	site := create(t, s, aSite(url(1)))
	c := opening(site, "k")
	done := get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), c))
	c.Cause = check.Observation{}
	c.Ballot.ID, c.Ballot.OutageID = get[[]record.Ballot](t)(s.ListBallots(t.Context(), site.ID, 1))[0].ID, done.OutageID
	want := delivery.Due{Change: &c, Delivery: delivery.Delivery{
		ID: db.Int(t, "SELECT id FROM jetmon_deliveries"), Shard: shard.Of(7), SiteID: site.ID, Lane: int64(site.ID), Sequence: 1, Key: "k",
		Type: event.SiteDown, EventID: db.Int(t, "SELECT id FROM jetmon_events"), TransitionID: done.TransitionID,
		State: delivery.Waiting, Next: c.At, Created: c.At, Since: c.At,
	}}
	if n := len(due(t, s, c.At.Add(-time.Millisecond), 10)); n != 0 {
		t.Errorf("%d notifications are due before the change", n)
	}
	wantEqual(t, due(t, s, c.At, 10), []delivery.Due{want})

	must(t, Postpone(t.Context(), s, want, after(time.Hour), "refused"))
	want.Attempts, want.Next, want.Tried, want.Newest.Text = 1, after(time.Hour), noon(), "refused"
	wantEqual(t, due(t, s, after(time.Hour), 10), []delivery.Due{want})
	must(t, Postpone(t.Context(), s, want, after(2*time.Hour), "refused"))
	want.Attempts, want.Next = 2, after(2*time.Hour)
	wantEqual(t, due(t, s, after(2*time.Hour), 10), []delivery.Due{want})

	for range 2 { // twice is no error
		must(t, Accept(t.Context(), s, want, after(3*time.Hour)))
	}
	if n := len(due(t, s, after(24*time.Hour), 10)); n != 0 {
		t.Errorf("%d notifications after delivery", n)
	}
	must(t, Postpone(t.Context(), s, want, after(4*time.Hour), "late")) // nor is this
}

func notificationOrder(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	a, b := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	for _, c := range []record.Change{
		opening(a, "a1"), opening(b, "b1"), confirming(a, "a2"), closing(b, check.StatusDown, "b2"),
		closing(a, check.StatusConfirmedDown, "a3"), opening(a, "a4"),
	} {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	now := after(24 * time.Hour)
	for _, want := range []string{"a1 b1", "b1 a2", "b2 a2", "a2", "a3", "a4", ""} {
		notifications := due(t, s, now, 10)
		if got := keysOf(notifications); got != want {
			t.Fatalf("due %q, want %q", got, want)
		}
		if len(notifications) > 0 {
			must(t, Accept(t.Context(), s, notifications[0], now))
		}
	}
}

func postponedHoldsBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	a, b := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	for _, c := range []record.Change{opening(a, "a1"), closing(a, check.StatusDown, "a2"), opening(b, "b1")} {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	now := after(3 * time.Hour)
	must(t, Postpone(t.Context(), s, due(t, s, now, 1)[0], now.Add(time.Minute), "refused"))
	if got := keysOf(due(t, s, now, 10)); got != "b1" {
		t.Errorf("due %q, want b1: a2 waits for a1", got)
	}
	if got := keysOf(due(t, s, now.Add(time.Minute), 10)); got != "b1 a1" {
		t.Errorf("due %q, want b1 a1", got)
	}
}

func notificationsByShard(t *testing.T, db Database) {
	s := db.Open(t, true)
	for i, bucket := range []check.BucketID{0, 15, 16, 47, 48, 511} {
		site := aSite(url(i))
		site.Bucket = bucket
		site = create(t, s, site)
		get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", bucket), opening(site, fmt.Sprint("b", bucket))))
	}
	for _, tt := range []struct {
		shards []shard.ID
		want   string
	}{
		{[]shard.ID{0}, "b0 b15"},
		{[]shard.ID{1}, "b16"},
		{[]shard.ID{2, 1, 2}, "b16 b47"},
		{[]shard.ID{31, 0, 3}, "b0 b15 b48 b511"},
		{[]shard.ID{5, 9}, ""},
		{allShards(), "b0 b15 b16 b47 b48 b511"},
		{nil, ""},
	} {
		notifications := get[[]delivery.Due](t)(Due(t.Context(), s, tt.shards, after(time.Hour), 100))
		if got := keysOf(notifications); got != tt.want {
			t.Errorf("shards %v: %q, want %q", tt.shards, got, tt.want)
		}
		if n := get[int](t)(CountNotifications(t.Context(), s, tt.shards)); n != len(notifications) {
			t.Errorf("shards %v: counted %d, want %d", tt.shards, n, len(notifications))
		}
	}
}

func notificationLimit(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for i := range 5 {
		site := create(t, s, aSite(url(i)))
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint("k", i))))
	}
	if got := keysOf(due(t, s, after(time.Hour), 3)); got != "k0 k1 k2" {
		t.Errorf("due %q", got)
	}
	for _, looks := range [][]store.Look{{{Shard: shard.Count, Limit: 1}}, {{Limit: -1}}, {{Limit: 10_001}}} {
		_, err := s.DueDeliveries(t.Context(), store.DueQuery{Looks: looks, Now: after(time.Hour)})
		wantKind(t, err, fault.Invalid)
	}
}

func damagedNotification(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	for i := range 3 {
		site := create(t, s, aSite(url(i)))
		get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, fmt.Sprint("k", i))))
	}
	db.Exec(t, "UPDATE jetmon_transitions SET body = '{' WHERE change_key = 'k1'")
	db.Exec(t, `UPDATE jetmon_transitions SET body = '{"SiteID": 9, "Added": {"later": []}}' WHERE change_key = 'k2'`)
	notifications := due(t, s, after(time.Hour), 10)
	if got := keysOf(notifications); got != "k0 k2" {
		t.Fatalf("due %q", got)
	}
	if notifications[1].Change.SiteID != 9 {
		t.Errorf("a field that was added later spoils the rest: %+v", notifications[1].Change)
	}
}
