package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func deliveryTests() []test {
	return []test{
		{"each subscription whose filter admits an event is told of it, unless it is disabled or the event is muted", whoIsTold},
		{"what is told is the event as it was stored", toldAsStored},
		{"a lane is told in order, and lanes of other subscriptions and sites do not wait", lanesInOrder},
		{"a recovery takes back a failure that waits for its delay, and is not told either", takenBack},
		{"a failure that was begun is told, and so is the recovery", begunIsTold},
		{"an alert is repeated until something else happens to its site", aliveUntilNext},
		{"a dead letter lets the next of its lane go, and can be told again", deadLetters},
		{"of the attempts at a delivery the newest are kept", keepsAttempts},
		{"deliveries are listed by what they are about, page by page", listsDeliveries},
		{"deliveries that have ended expire, and those of subscriptions that are gone", expiresDeliveries},
		{"results of a former owner are refused", refusesFormerOwners},
		{"what an older version left is adopted once, in order", adoptsOutbox},
		{"an endpoint that refuses pauses its subscription, unless it was changed meanwhile", pausesAndResumes},
		{"events of no site have the lane of their incident", incidentLanes},
	}
}

// subscribe adds a subscription behind the store's back, and returns its id.
func subscribe(t testing.TB, db Database, s subscription.Subscription) int64 {
	t.Helper()
	body, secrets, err := s.Stored()
	must(t, err)
	if s.State == subscription.StateNone {
		s.State = subscription.Active
	}
	id := 1 + db.Int(t, "SELECT COALESCE(MAX(id), 0) FROM jetmon_subscriptions")
	db.Exec(t, `INSERT INTO jetmon_subscriptions (id, name, kind, state, state_why, state_ms, revision, body, secrets, created_ms, updated_ms)
	VALUES (?, ?, ?, ?, '', 0, 1, ?, ?, 0, 0)`, id, fmt.Sprint("s", id), subscription.Webhook, s.State, body, secrets)
	return id
}

// dueTo reads what a subscription is to be told.
func dueTo(t testing.TB, s store.Store, id int64, now time.Time) []delivery.Due {
	t.Helper()
	q := store.DueQuery{Subscription: id, Now: now}
	for _, sh := range allShards() {
		q.Looks = append(q.Looks, store.Look{Shard: sh, Limit: 100})
	}
	return get[[]delivery.Due](t)(s.DueDeliveries(t.Context(), q))
}

// accept accepts everything that a subscription is to be told, and returns the keys in order.
func accept(t testing.TB, s store.Store, id int64, now time.Time) string {
	t.Helper()
	var keys []string
	for due := dueTo(t, s, id, now); len(due) > 0; due = dueTo(t, s, id, now) {
		for _, d := range due {
			must(t, Accept(t.Context(), s, d, now))
			keys = append(keys, d.Key)
		}
	}
	return strings.Join(keys, " ")
}

// wantSums compares the counts with what there is.
func wantSums(t testing.TB, db Database, s store.Store) {
	t.Helper()
	for _, c := range get[[]delivery.Count](t)(s.CountDeliveries(t.Context(), allShards())) {
		pending := db.Int(t, "SELECT COUNT(*) FROM jetmon_deliveries WHERE subscription_id = ? AND shard = ? AND state IN (1, 2)", c.Subscription, c.Shard)
		dead := db.Int(t, "SELECT COUNT(*) FROM jetmon_deliveries WHERE subscription_id = ? AND shard = ? AND state = 4", c.Subscription, c.Shard)
		if int64(c.Pending) != pending || int64(c.Dead) != dead {
			t.Errorf("counted %+v, there are %d and %d", c, pending, dead)
		}
	}
	all := db.Int(t, "SELECT COALESCE(SUM(pending), 0) + COALESCE(SUM(dead), 0) FROM jetmon_delivery_counts")
	if there := db.Int(t, "SELECT COUNT(*) FROM jetmon_deliveries WHERE state IN (1, 2, 4)"); all != there {
		t.Errorf("counted %d in all, there are %d", all, there)
	}
}

func whoIsTold(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	all := subscribe(t, db, subscription.Subscription{})
	paused := subscribe(t, db, subscription.Subscription{State: subscription.Paused})
	off := subscribe(t, db, subscription.Subscription{State: subscription.Disabled})
	ups := subscribe(t, db, subscription.Subscription{Filter: event.Filter{Types: []event.Type{event.SiteUp}}})
	tagged := subscribe(t, db, subscription.Subscription{Filter: event.Filter{Tags: []string{"shop"}}})
	site := aSite(url(1))
	site.Tags = []string{"shop"}
	shop, other := create(t, s, site), create(t, s, aSite(url(2)))
	for _, c := range []record.Change{opening(shop, "s1"), opening(other, "o1"), closing(shop, check.StatusDown, "s2")} {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	silent := closing(other, check.StatusDown, "o2")
	silent.Muted = true
	get[record.Committed](t)(Commit(t.Context(), s, fence, silent))
	// A subscription is told of what is committed after it was made or changed.
	late := subscribe(t, db, subscription.Subscription{})
	db.Exec(t, "UPDATE jetmon_subscriptions SET state = ?, revision = 2 WHERE id = ?", subscription.Disabled, tagged)
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(shop, "s3")))
	for id, want := range map[int64]string{all: "s1 o1 s2 s3", paused: "s1 o1 s2 s3", off: "", ups: "s2", tagged: "s1 s2", late: "s3"} {
		if got := accept(t, s, id, after(24*time.Hour)); sorted(got) != sorted(want) {
			t.Errorf("subscription %d is told %q, want %q", id, got, want)
		}
	}
	wantSums(t, db, s)
}

func sorted(words string) string { return strings.Join(slices.Sorted(strings.FieldsSeq(words)), " ") }

func toldAsStored(t *testing.T, db Database) {
	s := db.Open(t, true)
	id := subscribe(t, db, subscription.Subscription{})
	site := create(t, s, aSite(url(1)))
	c := opening(site, "k")
	done := get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), c))
	due := dueTo(t, s, id, c.At)
	if len(due) != 1 || len(dueTo(t, s, id, c.At.Add(-time.Millisecond))) != 0 {
		t.Fatalf("due %+v", due)
	}
	want, _ := event.OfChange(c, event.Place{OutageID: done.OutageID, Sequence: due[0].Sequence})
	if text, err := want.Encode(); due[0].Body != text || err != nil || due[0].Change != nil {
		t.Errorf("told %s of %+v, want %s (%v)", due[0].Body, due[0].Change, text, err)
	}
}

func lanesInOrder(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	one, two := subscribe(t, db, subscription.Subscription{}), subscribe(t, db, subscription.Subscription{})
	a, b := create(t, s, aSite(url(1))), create(t, s, aSite(url(2)))
	for _, c := range append(wholeOutage(a, "a"), wholeOutage(b, "b")...) {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	now := after(24 * time.Hour)
	first := dueTo(t, s, one, now)
	if got := dueKeys(first); got != "a1 b1" {
		t.Fatalf("due %q", got)
	}
	must(t, Postpone(t.Context(), s, first[0], now.Add(time.Hour), "503"))
	if got := accept(t, s, one, now); got != "b1 b2 b3 b4" {
		t.Errorf("while a1 waits, %q is told", got)
	}
	if got := accept(t, s, two, now); got != "a1 b1 a2 b2 a3 b3 a4 b4" {
		t.Errorf("the other subscription is told %q", got)
	}
	if got := accept(t, s, one, now.Add(time.Hour)); got != "a1 a2 a3 a4" {
		t.Errorf("then %q is told", got)
	}
	wantSums(t, db, s)
}

func dueKeys(due []delivery.Due) string {
	keys := make([]string, len(due))
	for i, d := range due {
		keys[i] = d.Key
	}
	return strings.Join(keys, " ")
}

func takenBack(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id := subscribe(t, db, subscription.Subscription{Delay: 5 * time.Minute})
	site := create(t, s, aSite(url(1)))
	down := opening(site, "k1")
	get[record.Committed](t)(Commit(t.Context(), s, fence, down))
	if got := dueKeys(dueTo(t, s, id, down.At.Add(5*time.Minute-time.Millisecond))); got != "" {
		t.Errorf("%q is due before the delay is over", got)
	}
	if got := dueTo(t, s, id, down.At.Add(5*time.Minute)); len(got) != 1 || !got[0].Delayed {
		t.Errorf("due after it: %+v", got)
	}
	for _, c := range wholeOutage(site, "k")[1:] { // confirmed, up, down again
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	if got := accept(t, s, id, after(24*time.Hour)); got != "k4" {
		t.Errorf("told %q", got)
	}
	if got := accept(t, s, subscription.WordPressCom, after(24*time.Hour)); got != "k1 k2 k3 k4" {
		t.Errorf("WordPress.com is told %q", got)
	}
	gone := get[[]delivery.Delivery](t)(s.ListDeliveries(t.Context(), store.DeliveryQuery{States: []delivery.State{delivery.Superseded}, Limit: 10}))
	if len(gone) != 3 || gone[0].Key != "k3" || gone[2].Key != "k1" || gone[0].Done.IsZero() {
		t.Errorf("superseded %+v", gone)
	}
	wantSums(t, db, s)
}

func begunIsTold(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id := subscribe(t, db, subscription.Subscription{Delay: time.Minute})
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	row := dueTo(t, s, id, after(time.Hour))[0]
	wantEqual(t, get[[]int64](t)(s.BeginDeliveries(t.Context(), fence, []int64{row.ID, row.ID + 1000}, after(time.Hour))), []int64{row.ID})
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	if got := accept(t, s, id, after(24*time.Hour)); got != "k1 k2" {
		t.Errorf("told %q", got)
	}
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k3")))
	row = dueTo(t, s, id, after(24*time.Hour))[0]
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k4")))
	if begun := get[[]int64](t)(s.BeginDeliveries(t.Context(), fence, []int64{row.ID}, after(time.Hour))); len(begun) != 0 {
		t.Errorf("begun after it was taken back: %v", begun)
	}
}

func aliveUntilNext(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id := subscribe(t, db, subscription.Subscription{})
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	alive := func(now time.Time) []delivery.Due {
		return get[[]delivery.Due](t)(s.DueDeliveries(t.Context(), store.DueQuery{Subscription: id, Now: now, Alive: true, Looks: []store.Look{{Shard: fence.Shard, Limit: 9}}}))
	}
	told := dueTo(t, s, id, after(time.Hour))[0]
	for i := range 3 {
		at := after(time.Duration(i+1) * time.Hour)
		must(t, settle(t.Context(), s, delivery.Result{
			Delivery: told.Delivery, At: at, Answer: delivery.Answer{Accepted: true}, Then: delivery.Alive, Again: at.Add(time.Minute),
		}))
		found := alive(at.Add(time.Minute))
		if len(found) != 1 || found[0].Attempts != i+1 || found[0].Body == "" || len(alive(at)) != 0 || len(dueTo(t, s, id, after(99*time.Hour))) != 0 {
			t.Fatalf("round %d: %+v", i, found)
		}
		told = found[0]
	}
	wantSums(t, db, s)
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	if len(alive(after(99*time.Hour))) != 0 || accept(t, s, id, after(99*time.Hour)) != "k2" {
		t.Error("it is repeated after the recovery, or that is not told")
	}
	// A repetition that was under way then changes nothing.
	must(t, settle(t.Context(), s, delivery.Result{Delivery: told.Delivery, At: after(5 * time.Hour), Then: delivery.Alive, Again: after(6 * time.Hour)}))
	if len(alive(after(99*time.Hour))) != 0 {
		t.Error("it came back")
	}
}

func deadLetters(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id := subscribe(t, db, subscription.Subscription{})
	site := create(t, s, aSite(url(1)))
	for _, c := range wholeOutage(site, "k") {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	bury := func(n int) {
		for range n {
			d := dueTo(t, s, id, after(24*time.Hour))[0]
			must(t, settle(t.Context(), s, delivery.Result{
				Delivery: d.Delivery, At: noon(), Answer: delivery.Answer{HTTPStatus: 413, Text: "too large"}, Then: delivery.Dead,
			}))
		}
	}
	bury(2)
	if got := get[[]delivery.Count](t)(s.CountDeliveries(t.Context(), []shard.ID{fence.Shard})); !slices.Contains(got, delivery.Count{Subscription: id, Shard: fence.Shard, Pending: 2, Dead: 2}) {
		t.Errorf("counted %+v", got)
	}
	dead := store.DeliveryQuery{Subscriptions: []int64{id}, States: []delivery.State{delivery.Dead}}
	if n := get[int](t)(s.Redeliver(t.Context(), dead, after(25*time.Hour), 10)); n != 2 {
		t.Errorf("%d are told again", n)
	}
	if n := get[int](t)(s.Redeliver(t.Context(), dead, after(25*time.Hour), 10)); n != 0 {
		t.Errorf("%d are told again at the same time once more", n)
	}
	wantSums(t, db, s)
	// k3, the first of the lane, may be under way; those before it follow in their order.
	if got := accept(t, s, id, after(26*time.Hour)); got != "k3 k1 k2 k4" {
		t.Errorf("told %q", got)
	}
	d, attempts, err := s.Delivery(t.Context(), notificationOfTo(t, s, "k1", id).ID)
	must(t, err)
	if d.State != delivery.Delivered || d.Attempts != 2 || len(attempts) != 2 || attempts[0].HTTPStatus != 413 || !attempts[1].Accepted {
		t.Errorf("it is %+v after %+v", d, attempts)
	}
	if n := get[int](t)(s.Redeliver(t.Context(), store.DeliveryQuery{ID: d.ID}, after(27*time.Hour), 1)); n != 1 {
		t.Errorf("%d delivered ones are told again", n)
	}
	_, err = s.Redeliver(t.Context(), store.DeliveryQuery{ID: d.ID}, after(28*time.Hour), 1)
	wantKind(t, err, fault.Conflict)
	_, err = s.Redeliver(t.Context(), store.DeliveryQuery{ID: 1 << 40}, after(28*time.Hour), 1)
	wantKind(t, err, fault.NotFound)
	wantSums(t, db, s)
}

// notificationOfTo finds the delivery of an event to a subscription.
func notificationOfTo(t testing.TB, s store.Store, key string, id int64) delivery.Delivery {
	t.Helper()
	found := get[[]delivery.Delivery](t)(s.ListDeliveries(t.Context(), store.DeliveryQuery{Key: key, Subscriptions: []int64{id}, Limit: 2}))
	if len(found) != 1 {
		t.Fatalf("%d deliveries of %s to %d", len(found), key, id)
	}
	return found[0]
}

func keepsAttempts(t *testing.T, db Database) {
	s := db.Open(t, true)
	id := subscribe(t, db, subscription.Subscription{})
	get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), opening(create(t, s, aSite(url(1))), "k")))
	for i := range delivery.MaxAttempts + 5 {
		d := dueTo(t, s, id, after(99*time.Hour))[0]
		must(t, settle(t.Context(), s, delivery.Result{
			Delivery: d.Delivery, At: after(time.Duration(i) * time.Minute), Then: delivery.Waiting, Again: after(time.Hour),
			Answer: delivery.Answer{HTTPStatus: 500 + i, Text: strings.Repeat("é", 400), Took: 20 * time.Millisecond},
		}))
	}
	// A result that is recorded again, because the answer to that was lost, changes nothing.
	last := dueTo(t, s, id, after(99*time.Hour))[0]
	for range 2 {
		must(t, Postpone(t.Context(), s, last, after(time.Hour), "once"))
	}
	if again := dueTo(t, s, id, after(99*time.Hour))[0]; again.Attempts != last.Attempts+1 {
		t.Errorf("%d attempts after %d", again.Attempts, last.Attempts)
	}
	_, attempts, err := s.Delivery(t.Context(), last.ID)
	must(t, err)
	if len(attempts) != delivery.MaxAttempts || attempts[0].Number != 7 || attempts[18].HTTPStatus != 524 || attempts[18].Took != 20*time.Millisecond || len(attempts[0].Text) > 500 {
		t.Errorf("%d attempts, %+v", len(attempts), attempts[0])
	}
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_attempts"); n != delivery.MaxAttempts {
		t.Errorf("%d are stored", n)
	}
}

func refusesFormerOwners(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id := subscribe(t, db, subscription.Subscription{Delay: time.Minute})
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(create(t, s, aSite(url(1))), "k")))
	d := dueTo(t, s, id, after(time.Hour))[0]
	get[shard.Lease](t)(s.ClaimShard(t.Context(), fence.Shard, anOwner("b"), after(time.Hour)))
	_, err := s.BeginDeliveries(t.Context(), fence, []int64{d.ID}, noon())
	wantKind(t, err, fault.Fenced)
	wantKind(t, s.SettleDeliveries(t.Context(), fence, []delivery.Result{{Delivery: d.Delivery, Then: delivery.Delivered}}), fault.Fenced)
	_, err = s.AdoptOutbox(t.Context(), fence, 1)
	wantKind(t, err, fault.Fenced)
	if got := dueKeys(dueTo(t, s, id, after(time.Hour))); got != "k" {
		t.Errorf("due %q", got)
	}
}

func pausesAndResumes(t *testing.T, db Database) {
	s := db.Open(t, true)
	id := subscribe(t, db, subscription.Subscription{Delay: 3 * time.Second, Secrets: subscription.Secrets{Bearer: "b"}})
	subscribe(t, db, subscription.Subscription{State: subscription.Disabled})
	state := func() subscription.Subscription {
		all := get[[]subscription.Subscription](t)(s.Told(t.Context()))
		if len(all) != 1 || all[0].ID != id || all[0].Delay != 3*time.Second || all[0].Secrets.Bearer != "b" {
			t.Fatalf("told are %+v", all)
		}
		return all[0]
	}
	must(t, s.PauseSubscription(t.Context(), id, 7, "another revision", noon()))
	must(t, s.ResumeSubscription(t.Context(), id, 1, noon()))
	if got := state(); got.State != subscription.Active || got.Revision != 1 {
		t.Errorf("it is %+v", got)
	}
	must(t, s.PauseSubscription(t.Context(), id, 1, "HTTP status 401", noon()))
	if got := state(); got.State != subscription.Paused || got.Why != "HTTP status 401" || !got.Since.Equal(noon()) || got.Revision != 2 {
		t.Errorf("it is %+v", got)
	}
	must(t, s.ResumeSubscription(t.Context(), id, 2, after(time.Hour)))
	if got := state(); got.State != subscription.Active || got.Why != "" || got.Revision != 3 {
		t.Errorf("it is %+v", got)
	}
}
