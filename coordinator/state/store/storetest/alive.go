package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

func aliveTests() []test {
	return []test{
		{"an alert ends when what it tells is over, also for those who are not told of the end", aliveUntilOver},
		{"the alerts of a site end each for itself", aliveApart},
		{"an alert about a site that is deleted ends", aliveUntilDeleted},
	}
}

// repeatAll accepts all that a subscription is to be told, and has it repeated.
func repeatAll(t *testing.T, s store.Store, id int64) {
	t.Helper()
	for due := dueTo(t, s, id, after(99*time.Hour)); len(due) > 0; due = dueTo(t, s, id, after(99*time.Hour)) {
		for _, d := range due {
			must(t, settle(t.Context(), s, delivery.Result{
				Delivery: d.Delivery, At: noon(), Answer: delivery.Answer{Accepted: true}, Then: delivery.Alive, Again: noon(),
			}))
		}
	}
}

// repeatedTo returns the types of what is repeated to a subscription, sorted.
func repeatedTo(t *testing.T, s store.Store, id int64) (all []event.Type) {
	t.Helper()
	q := store.DueQuery{Subscription: id, Now: after(999 * time.Hour), Alive: true}
	for _, sh := range allShards() {
		q.Looks = append(q.Looks, store.Look{Shard: sh, Limit: 9})
	}
	for _, d := range get[[]delivery.Due](t)(s.DueDeliveries(t.Context(), q)) {
		all = append(all, d.Type)
	}
	slices.Sort(all)
	return all
}

func wantRepeated(t *testing.T, s store.Store, id int64, want ...event.Type) {
	t.Helper()
	if got := repeatedTo(t, s, id); !slices.Equal(got, want) {
		t.Errorf("repeated to %d is %v, want %v", id, got, want)
	}
}

func aliveUntilOver(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	narrow := subscribe(t, db, subscription.Subscription{Filter: event.Filter{Types: []event.Type{event.SiteDown}}})
	disabled := subscribe(t, db, subscription.Subscription{})
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	repeatAll(t, s, narrow)
	repeatAll(t, s, disabled)
	db.Exec(t, "UPDATE jetmon_subscriptions SET state = ? WHERE id = ?", subscription.Disabled, disabled)
	for _, id := range []int64{narrow, disabled} {
		wantRepeated(t, s, id, event.SiteDown)
	}
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	for _, id := range []int64{narrow, disabled} {
		wantRepeated(t, s, id)
	}
	wantSums(t, db, s)
}

func aliveApart(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id := subscribe(t, db, subscription.Subscription{
		Filter: event.Filter{Types: []event.Type{event.SiteDown, event.SiteUp, event.AdvisoryOpened, event.AdvisoryClosed}},
	})
	site := create(t, s, aSite(url(1)))
	for _, a := range []check.Advisory{check.AdvisorySlow, check.AdvisoryTLSExpiring} {
		must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(site, a, true, 0)}))
	}
	repeatAll(t, s, id)
	wantRepeated(t, s, id, event.AdvisoryOpened, event.AdvisoryOpened)
	get[record.Committed](t)(Commit(t.Context(), s, fence, opening(site, "k1")))
	repeatAll(t, s, id)
	wantRepeated(t, s, id, event.SiteDown, event.AdvisoryOpened, event.AdvisoryOpened)
	must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(site, check.AdvisorySlow, false, time.Hour)}))
	accept(t, s, id, after(99*time.Hour))
	wantRepeated(t, s, id, event.SiteDown, event.AdvisoryOpened)
	get[record.Committed](t)(Commit(t.Context(), s, fence, closing(site, check.StatusDown, "k2")))
	accept(t, s, id, after(99*time.Hour))
	wantRepeated(t, s, id, event.AdvisoryOpened)
	must(t, s.Remark(t.Context(), fence, []record.Remark{remarkOf(site, check.AdvisoryTLSExpiring, false, 2*time.Hour)}))
	wantRepeated(t, s, id)
}

func aliveUntilDeleted(t *testing.T, db Database) {
	s := db.Open(t, true)
	id := subscribe(t, db, subscription.Subscription{})
	site := create(t, s, aSite(url(1)))
	get[record.Committed](t)(Commit(t.Context(), s, own(t, s, "a", 7), opening(site, "k1")))
	repeatAll(t, s, id)
	must(t, s.DeleteSite(t.Context(), site.ID, after(time.Hour), nil))
	wantRepeated(t, s, id)
	wantSums(t, db, s)
}
