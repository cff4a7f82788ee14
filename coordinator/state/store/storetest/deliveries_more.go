package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
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

func listsDeliveries(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	one, two := subscribe(t, db, subscription.Subscription{}), subscribe(t, db, subscription.Subscription{})
	var sites []record.Site
	for i := range 4 {
		site := create(t, s, aSite(url(i)))
		sites = append(sites, site)
		for _, c := range wholeOutage(site, fmt.Sprint(i, "-"))[:2] { // a minute and an hour after noon
			get[record.Committed](t)(Commit(t.Context(), s, fence, c))
		}
	}
	accept(t, s, one, after(24*time.Hour))
	wantPages(t, s, sites, one, two)
	for _, limit := range []int{0, 1001} {
		_, err := s.ListDeliveries(t.Context(), store.DeliveryQuery{Limit: limit})
		wantKind(t, err, fault.Invalid)
	}
	_, _, err := s.Delivery(t.Context(), 1<<40)
	wantKind(t, err, fault.NotFound)
}

func wantPages(t *testing.T, s store.Store, sites []record.Site, one, two int64) {
	type query = store.DeliveryQuery
	outage := get[[]record.Outage](t)(s.ListOutages(t.Context(), store.OutageQuery{SiteID: sites[1].ID, Limit: 1}))[0].ID
	for name, tt := range map[string]struct {
		q    query
		want int
	}{
		"all":                         {query{}, 24},
		"a subscription":              {query{Subscriptions: []int64{one}}, 8},
		"two":                         {query{Subscriptions: []int64{one, two}}, 16},
		"WordPress.com":               {query{Subscriptions: []int64{0}}, 8},
		"none at all":                 {query{Subscriptions: []int64{}}, 0},
		"one that does not exist":     {query{Subscriptions: []int64{99}}, 0},
		"a state of all":              {query{States: []delivery.State{delivery.Delivered}}, 8},
		"what is still to be told":    {query{States: []delivery.State{delivery.Waiting, delivery.Behind}}, 16},
		"a state of one":              {query{States: []delivery.State{delivery.Behind}, Subscriptions: []int64{two}}, 4},
		"a site":                      {query{SiteID: sites[1].ID}, 6},
		"a site to one":               {query{SiteID: sites[1].ID, Subscriptions: []int64{one}}, 2},
		"an outage":                   {query{SiteID: sites[1].ID, OutageID: outage}, 6},
		"an outage of another site":   {query{SiteID: sites[0].ID, OutageID: outage}, 0},
		"an event":                    {query{Key: "2-1"}, 3},
		"an event that does not":      {query{Key: "x"}, 0},
		"since":                       {query{Since: after(time.Hour)}, 12},
		"until":                       {query{Until: after(time.Hour)}, 12},
		"since, of one":               {query{Since: after(time.Hour), Subscriptions: []int64{one}}, 4},
		"a site, since, in one state": {query{SiteID: sites[0].ID, Since: after(time.Hour), States: []delivery.State{delivery.Delivered}}, 1},
	} {
		for _, limit := range []int{1, 3, 1000} {
			var ids []int64
			for q := tt.q; ; {
				q.Limit = limit
				page := get[[]delivery.Delivery](t)(s.ListDeliveries(t.Context(), q))
				for _, d := range page {
					ids = append(ids, d.ID)
					q.Before = d.ID
				}
				if len(page) < limit {
					break
				}
			}
			if len(ids) != tt.want || !slices.IsSortedFunc(ids, func(a, b int64) int { return int(b - a) }) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
				t.Errorf("%s, %d a page: %v, want %d", name, limit, ids, tt.want)
			}
		}
	}
}

func expiresDeliveries(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id, gone := subscribe(t, db, subscription.Subscription{}), subscribe(t, db, subscription.Subscription{})
	site := create(t, s, aSite(url(1)))
	for _, c := range wholeOutage(site, "k") {
		get[record.Committed](t)(Commit(t.Context(), s, fence, c))
	}
	for i := range 3 { // k1 is delivered, k2 dead, k3 delivered; k4 waits
		d := dueTo(t, s, id, after(24*time.Hour))[0]
		then := delivery.Result{Delivery: d.Delivery, At: after(time.Duration(i) * time.Hour), Then: delivery.Delivered, Answer: delivery.Answer{Accepted: true}}
		if i == 1 {
			then.Then, then.Accepted = delivery.Dead, false
		}
		must(t, settle(t.Context(), s, then))
	}
	old := store.Expiry{Events: after(1000 * time.Hour)}
	expire(t, s, fence, old, 100)
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_events"); n != 4 {
		t.Errorf("%d events of 4 are left, while WordPress.com and a subscription are still to be told", n)
	}
	for _, tt := range []struct {
		e    store.Expiry
		want int
	}{
		{store.Expiry{Deliveries: noon(), DeadLetters: noon()}, 0},
		{store.Expiry{Deliveries: after(time.Minute)}, 1},                                        // k1
		{store.Expiry{Deliveries: after(time.Minute)}, 0},                                        // nothing more
		{store.Expiry{DeadLetters: after(90 * time.Minute)}, 1},                                  // k2
		{store.Expiry{Deliveries: after(99 * time.Hour), DeadLetters: after(99 * time.Hour)}, 1}, // k3
	} {
		if n := expire(t, s, fence, tt.e, 100); n != tt.want {
			t.Errorf("%+v: %d expired, want %d", tt.e, n, tt.want)
		}
		wantSums(t, db, s)
	}
	db.Exec(t, "DELETE FROM jetmon_subscriptions WHERE id = ?", gone)
	if n := expire(t, s, fence, store.Expiry{}, 3) + expire(t, s, fence, store.Expiry{}, 3); n != 4 {
		t.Errorf("%d deliveries of a subscription that is gone expired, want 4", n)
	}
	for _, want := range []int{1, 0} {
		if n := get[int](t)(s.ForgetDeliveries(t.Context(), id, 10)); n != want {
			t.Errorf("%d forgotten, want %d", n, want)
		}
	}
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_deliveries WHERE subscription_id > 0") + db.Int(t, "SELECT COUNT(*) FROM jetmon_attempts"); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	accept(t, s, subscription.WordPressCom, after(24*time.Hour))
	expire(t, s, fence, old, 100)
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_events"); n != 0 {
		t.Errorf("%d events are left when all are told", n)
	}
	wantSums(t, db, s)
}

// incidentLanes publishes as commits do: its events come from changes in the end, so that the
// lane of an incident is told by its rows.
func incidentLanes(t *testing.T, db Database) {
	s := db.Open(t, true)
	fence := own(t, s, "a", 7)
	id := subscribe(t, db, subscription.Subscription{Filter: event.Filter{Types: []event.Type{event.IncidentOpened, event.IncidentUpdated}}})
	for i := range 3 {
		db.Exec(t, `INSERT INTO jetmon_deliveries (subscription_id, shard, lane, seq, event_key, type, event_id, transition_id, state, attempts,
	next_ms, created_ms, since_ms, delay_ms, tried_ms, done_ms, http_status, answer) VALUES (?, ?, -5, 0, ?, 6, 0, 0, ?, 0, 1, 1, 1, 0, 0, 0, 0, '')`,
			id, fence.Shard, fmt.Sprint("i", i), min(2, i+1))
	}
	db.Exec(t, "INSERT INTO jetmon_delivery_counts (subscription_id, shard, pending, dead) VALUES (?, ?, 3, 0)", id, fence.Shard)
	if d := dueTo(t, s, id, noon())[0]; d.SiteID != 0 || d.Lane != -5 {
		t.Errorf("it is %+v", d)
	}
	if got := accept(t, s, id, noon()); got != "i0 i1 i2" {
		t.Errorf("told %q", got)
	}
	wantSums(t, db, s)
}

// randomDeliveries has several owners commit and tell at once, and dead letters told again, and
// wants each subscription to have been told of each site's changes in order and none to be left.
func randomDeliveries(t *testing.T, db Database, r *rand.Rand) {
	s := db.Open(t, true)
	buckets := []check.BucketID{7, 100, 300}
	subs := []int64{
		0, subscribe(t, db, subscription.Subscription{}), subscribe(t, db, subscription.Subscription{Filter: event.Filter{Types: []event.Type{event.SiteDown}}}),
		subscribe(t, db, subscription.Subscription{Delay: time.Millisecond}),
	}
	heard := hearing{last: map[toldOf]int64{}, changes: map[check.SiteID]int{}}
	var wg sync.WaitGroup
	for i, bucket := range buckets {
		var sites []record.Site
		for j := range 4 {
			site := aSite(url(10*i + j))
			site.Bucket = bucket
			sites = append(sites, create(t, s, site))
		}
		fence := own(t, s, "a", bucket)
		commits := r.Uint64()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(commits, 1))
			for n := range 30 {
				site := sites[r.IntN(len(sites))]
				next := wholeOutage(site, fmt.Sprintf("%d-%d-", site.ID, n))[heard.change(site.ID)%3]
				if _, err := Commit(t.Context(), s, fence, next); err != nil {
					t.Errorf("commit: %v", err)
					return
				}
			}
		})
		tells := r.Uint64()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(tells, 2))
			o := teller{s, fence, func(id int64, d delivery.Due) { heard.hear(t, id, d) }}
			for range 100 {
				o.some(t, subs[r.IntN(len(subs))], r)
			}
		})
	}
	wg.Wait()
	wantSums(t, db, s)
	for _, id := range subs {
		for n := 1; n > 0; {
			n = get[int](t)(s.Redeliver(t.Context(), store.DeliveryQuery{Subscriptions: []int64{id}, States: []delivery.State{delivery.Dead}}, after(100*time.Hour), 50))
		}
		accept(t, s, id, after(200*time.Hour))
	}
	if n := db.Int(t, "SELECT COUNT(*) FROM jetmon_deliveries WHERE state IN (1, 2, 4)"); n != 0 {
		t.Errorf("%d are left", n)
	}
	wantSums(t, db, s)
}

// hearing is what subscriptions were told, and how often sites changed.
type hearing struct {
	mu      sync.Mutex
	last    map[toldOf]int64
	changes map[check.SiteID]int
}

type toldOf struct {
	sub  int64
	site check.SiteID
}

// change counts the changes of a site, and returns how many there were.
func (h *hearing) change(id check.SiteID) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes[id]++
	return h.changes[id] - 1
}

// hear wants a subscription not to be told of a change after a later one of its site.
func (h *hearing) hear(t *testing.T, id int64, d delivery.Due) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := toldOf{id, d.SiteID}
	if d.Sequence < h.last[k] {
		t.Errorf("subscription %d is told change %d of site %d after %d", id, d.Sequence, d.SiteID, h.last[k])
	}
	h.last[k] = d.Sequence
}

// teller tells what is due of a shard; hear is told of it.
type teller struct {
	s    store.Store
	f    shard.Fence
	hear func(int64, delivery.Due)
}

// some tells a subscription some of what is due, of which some is postponed or given up.
func (o teller) some(t *testing.T, id int64, r *rand.Rand) {
	s, f := o.s, o.f
	all, err := s.DueDeliveries(t.Context(), store.DueQuery{Subscription: id, Now: after(99 * time.Hour), Looks: []store.Look{{Shard: f.Shard, Limit: 3}}})
	var results []delivery.Result
	for _, d := range all {
		if d.Delayed && d.Tried.IsZero() {
			begun, err := s.BeginDeliveries(t.Context(), f, []int64{d.ID}, noon())
			if err != nil || len(begun) == 0 {
				continue
			}
		}
		res := delivery.Result{Delivery: d.Delivery, At: noon(), Answer: delivery.Answer{Accepted: true}, Then: delivery.Delivered}
		switch r.IntN(4) {
		case 0:
			res.Accepted, res.Then, res.Again = false, delivery.Waiting, after(time.Hour)
		case 1:
			res.Accepted, res.Then = false, delivery.Dead
		}
		o.hear(id, d)
		results = append(results, res)
	}
	if err == nil {
		err = s.SettleDeliveries(t.Context(), f, results)
	}
	if err != nil {
		t.Errorf("tell: %v", err)
	}
}
