package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

func subscriptionTests() []test {
	return []test{
		{"a subscription is read as it was created, and its making is on record", subscriptionCreated},
		{"two subscriptions cannot have one name", subscriptionNamed},
		{"an idempotency key makes one subscription, also of calls at once", subscriptionOnce},
		{"an edit of a subscription is written whole, raises its revision and is on record", subscriptionEdited},
		{"an edit that changes nothing leaves no trace", subscriptionSame},
		{"edits of a subscription at once are all made", subscriptionEditedAtOnce},
		{"a subscription is deleted once, if it may be", subscriptionDeleted},
		{"subscriptions are listed by rising id, a page at a time", subscriptionPages},
	}
}

// aSubscription is one to create, in which every field has a value.
func aSubscription(n int) subscription.Subscription {
	host, _ := record.LocateHost("example.com:8080")
	return subscription.Subscription{
		Name: fmt.Sprintf("pager %d – 🔔", n), Kind: subscription.Webhook,
		Filter: event.Filter{
			Types: []event.Type{event.SiteDown, event.AdvisoryOpened}, Sites: []check.SiteID{1 << 60}, Blogs: []check.BlogID{7, 9},
			Tags: []string{"eu", "shop"}, Hosts: []record.Location{host}, Advisories: []string{"ADVISORY_SLOW"},
		},
		Delay: 90 * time.Second, Rate: 0.5, Burst: 3,
		Endpoint: subscription.Endpoint{URL: "https://example.com/?a=1&b=<2>", To: []string{"ops@example.com"}, Labels: map[string]string{"team": "a"}},
		Secrets:  subscription.Secrets{Signing: []string{"whsec_bmV3", "whsec_b2xk"}, Bearer: `b"earer`},
		State:    subscription.Active, Why: "because", Since: noon(), Created: noon(), Updated: noon(),
	}
}

func keptSubscription(s subscription.Subscription) record.Audit {
	return record.Audit{At: noon(), Caller: "somebody", Method: "m", Resource: fmt.Sprintf("subscriptions/%d", s.ID), After: `"` + s.Name + `"`}
}

func editedSubscription(before, after subscription.Subscription) record.Audit {
	a := keptSubscription(after)
	a.Before = `"` + before.Name + `"`
	return a
}

func createSubscription(t testing.TB, s store.Store, sub subscription.Subscription) subscription.Subscription {
	t.Helper()
	return get[subscription.Subscription](t)(s.CreateSubscription(t.Context(), store.Key{}, sub, keptSubscription))
}

func ofSubscription(t testing.TB, s store.Store, id int64) []record.Audit {
	t.Helper()
	return trail(t, s, store.AuditQuery{Limit: 100, Resource: fmt.Sprintf("subscriptions/%d", id)})
}

func subscriptionCreated(t *testing.T, db Database) {
	s := db.Open(t, true)
	asked := aSubscription(1)
	asked.ID, asked.Revision = 99, 99 // ignored
	made := createSubscription(t, s, asked)
	want := aSubscription(1)
	want.ID, want.Revision = made.ID, 1
	wantEqual(t, made, want)
	wantEqual(t, get[subscription.Subscription](t)(db.Open(t, true).Subscription(t.Context(), made.ID)), want)
	if records := ofSubscription(t, s, made.ID); len(records) != 1 || records[0].After != `"`+want.Name+`"` {
		t.Errorf("on record: %+v", records)
	}
	plain := subscription.Subscription{Name: "p", Kind: subscription.Email, State: subscription.Disabled, Since: noon(), Created: noon(), Updated: noon()}
	plain.ID, plain.Revision = createSubscription(t, s, plain).ID, 1
	wantEqual(t, get[subscription.Subscription](t)(s.Subscription(t.Context(), plain.ID)), plain)
	_, err := s.Subscription(t.Context(), plain.ID+made.ID)
	wantKind(t, err, fault.NotFound)
}

func subscriptionNamed(t *testing.T, db Database) {
	s := db.Open(t, true)
	one := createSubscription(t, s, aSubscription(1))
	two := createSubscription(t, s, aSubscription(2))
	_, err := s.CreateSubscription(t.Context(), store.Key{}, aSubscription(1), keptSubscription)
	wantKind(t, err, fault.AlreadyExists)
	_, err = s.EditSubscription(t.Context(), two.ID, func(x subscription.Subscription) (subscription.Subscription, error) {
		x.Name = one.Name
		return x, nil
	}, editedSubscription)
	wantKind(t, err, fault.AlreadyExists)
	wantEqual(t, get[subscription.Subscription](t)(s.Subscription(t.Context(), two.ID)), two)
}

func subscriptionOnce(t *testing.T, db Database) {
	s := db.Open(t, true)
	key := store.Key{Hash: [32]byte{1}, Request: [32]byte{2}, At: after(time.Hour)}
	asked := aSubscription(1)
	asked.Created = key.At
	var all [4]subscription.Subscription
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			all[i] = get[subscription.Subscription](t)(s.CreateSubscription(t.Context(), key, asked, keptSubscription))
		})
	}
	wg.Wait()
	for _, one := range all {
		wantEqual(t, one, all[0])
	}
	if n := len(ofSubscription(t, s, all[0].ID)); n != 1 {
		t.Errorf("%d records", n)
	}
	other := key
	other.Request = [32]byte{3}
	_, err := s.CreateSubscription(t.Context(), other, aSubscription(2), keptSubscription)
	wantKind(t, err, fault.Invalid)
	late := other
	late.At = key.At.Add(store.KeyLife + time.Millisecond)
	second := get[subscription.Subscription](t)(s.CreateSubscription(t.Context(), late, aSubscription(2), keptSubscription))
	if second.ID == all[0].ID {
		t.Error("a key is known for longer than its life")
	}
}

func subscriptionEdited(t *testing.T, db Database) {
	s := db.Open(t, true)
	made := createSubscription(t, s, aSubscription(1))
	want := subscription.Subscription{
		ID: made.ID, Kind: made.Kind, Created: made.Created, Revision: 2,
		Name: "other", State: subscription.Paused, Why: "401", Since: after(time.Minute), Updated: after(time.Minute),
		Endpoint: subscription.Endpoint{URL: "https://example.net/"},
	}
	got := get[subscription.Subscription](t)(s.EditSubscription(t.Context(), made.ID, func(x subscription.Subscription) (subscription.Subscription, error) {
		wantEqual(t, x, made)
		next := want
		next.ID, next.Kind, next.Created, next.Revision = 77, subscription.Slack, time.Time{}, 77 // stay as they are
		return next, nil
	}, editedSubscription))
	wantEqual(t, got, want)
	wantEqual(t, get[subscription.Subscription](t)(s.Subscription(t.Context(), made.ID)), want)
	if records := ofSubscription(t, s, made.ID); len(records) != 2 || records[0].Before+records[0].After != `"`+made.Name+`""other"` && records[1].Before == "" {
		t.Errorf("on record: %+v", records)
	}
	refused := errors.New("no")
	_, err := s.EditSubscription(t.Context(), made.ID, func(x subscription.Subscription) (subscription.Subscription, error) {
		return x, refused
	}, editedSubscription)
	if !errors.Is(err, refused) {
		t.Errorf("the error is %v", err)
	}
	_, err = s.EditSubscription(t.Context(), made.ID+1, func(x subscription.Subscription) (subscription.Subscription, error) {
		return x, nil
	}, editedSubscription)
	wantKind(t, err, fault.NotFound)
}

func subscriptionSame(t *testing.T, db Database) {
	s := db.Open(t, true)
	made := createSubscription(t, s, aSubscription(1))
	got := get[subscription.Subscription](t)(s.EditSubscription(t.Context(), made.ID, func(x subscription.Subscription) (subscription.Subscription, error) {
		x.Updated, x.Since = after(time.Hour), after(time.Hour)
		return x, nil
	}, editedSubscription))
	wantEqual(t, got, made)
	wantEqual(t, get[subscription.Subscription](t)(s.Subscription(t.Context(), made.ID)), made)
	if n := len(ofSubscription(t, s, made.ID)); n != 1 {
		t.Errorf("%d records", n)
	}
}

func subscriptionEditedAtOnce(t *testing.T, db Database) {
	s := db.Open(t, true)
	made := createSubscription(t, s, aSubscription(1))
	const n = 5
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			get[subscription.Subscription](t)(s.EditSubscription(t.Context(), made.ID, func(x subscription.Subscription) (subscription.Subscription, error) {
				x.Burst++
				return x, nil
			}, editedSubscription))
		})
	}
	wg.Wait()
	now := get[subscription.Subscription](t)(s.Subscription(t.Context(), made.ID))
	if now.Burst != made.Burst+n || now.Revision != made.Revision+n {
		t.Errorf("burst %d, revision %d after %d edits", now.Burst, now.Revision, n)
	}
	if records := ofSubscription(t, s, made.ID); len(records) != n+1 {
		t.Errorf("%d records", len(records))
	}
}

func subscriptionDeleted(t *testing.T, db Database) {
	s := db.Open(t, true)
	made := createSubscription(t, s, aSubscription(1))
	stays := createSubscription(t, s, aSubscription(2))
	refused := errors.New("no")
	if err := s.DeleteSubscription(t.Context(), made.ID, func(subscription.Subscription) error { return refused }, keptSubscription); !errors.Is(err, refused) {
		t.Errorf("the error is %v", err)
	}
	may := func(x subscription.Subscription) error { wantEqual(t, x, made); return nil }
	var wg sync.WaitGroup
	var gone atomic.Int32
	for range 3 {
		wg.Go(func() {
			switch err := s.DeleteSubscription(t.Context(), made.ID, may, keptSubscription); {
			case err == nil:
				gone.Add(1)
			default:
				wantKind(t, err, fault.NotFound)
			}
		})
	}
	wg.Wait()
	if gone.Load() != 1 {
		t.Errorf("deleted %d times", gone.Load())
	}
	wantEqual(t, get[[]subscription.Subscription](t)(s.ListSubscriptions(t.Context(), 0, 10)), []subscription.Subscription{stays})
	if n := len(ofSubscription(t, s, made.ID)); n != 2 { // created, deleted
		t.Errorf("%d records", n)
	}
}

func subscriptionPages(t *testing.T, db Database) {
	s := db.Open(t, true)
	var want []subscription.Subscription
	for i := range 5 {
		want = append(want, createSubscription(t, s, aSubscription(i)))
	}
	list := func(after int64, limit int) []subscription.Subscription {
		return get[[]subscription.Subscription](t)(s.ListSubscriptions(t.Context(), after, limit))
	}
	wantEqual(t, list(0, 2), want[:2])
	wantEqual(t, list(want[1].ID, 10), want[2:])
	wantEqual(t, list(want[4].ID, 10), []subscription.Subscription(nil))
	_, err := s.ListSubscriptions(t.Context(), 0, 0)
	wantKind(t, err, fault.Invalid)
}
