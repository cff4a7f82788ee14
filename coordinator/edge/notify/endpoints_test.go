package notify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/check"
)

// endpoint is a channel that notes what it is told.
type endpoint struct {
	mu     sync.Mutex
	told   []channel.Delivery
	times  []time.Time
	now    int
	most   int
	closed int
	// answer decides; the default accepts at once.
	answer func(context.Context, channel.Delivery) channel.Answer
}

func (e *endpoint) Tell(ctx context.Context, d channel.Delivery) channel.Answer {
	e.mu.Lock()
	e.told, e.times = append(e.told, d), append(e.times, time.Now())
	e.now++
	e.most = max(e.most, e.now)
	answer := e.answer
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		e.now--
		e.mu.Unlock()
	}()
	if answer == nil {
		return accepted
	}
	return answer(ctx, d)
}

func (e *endpoint) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed++
}

var accepted = channel.Answer{Verdict: channel.Accepted, HTTPStatus: 200}

func always(a channel.Answer) func(context.Context, channel.Delivery) channel.Answer {
	return func(context.Context, channel.Delivery) channel.Answer { return a }
}

func hanging(ctx context.Context, _ channel.Delivery) channel.Answer {
	<-ctx.Done()
	return channel.Answer{Verdict: channel.Failed, Text: "no answer"}
}

func (e *endpoint) set(answer func(context.Context, channel.Delivery) channel.Answer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

// seen returns what it was told.
func (e *endpoint) seen() []channel.Delivery {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.told)
}

func (e *endpoint) mostAtOnce() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.most
}

// ended reports whether it was closed.
func (e *endpoint) ended() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed > 0
}

func (e *endpoint) keys() []string {
	told := e.seen()
	keys := make([]string, len(told))
	for i, d := range told {
		keys[i] = d.Key
	}
	return keys
}

// stage is a Deliverer with some subscriptions, each of which has an endpoint.
type stage struct {
	*notify.Deliverer
	box *outbox
	// wpcom is the endpoint of WordPress.com; to has those of the others.
	wpcom *wpcom
	mu    sync.Mutex // of to, while it changes
	to    map[int64]*endpoint
	next  int64
}

// perform starts a Deliverer of shard 0.
func perform(t *testing.T, o notify.Options, subs ...subscription.Subscription) (*stage, func()) {
	t.Helper()
	s := &stage{box: newOutbox(), wpcom: &wpcom{}, to: map[int64]*endpoint{}}
	for i := range subs {
		subs[i].ID = int64(i + 1)
		if subs[i].State == subscription.StateNone {
			subs[i].State = subscription.Active
		}
		subs[i].Name, subs[i].Kind = fmt.Sprint("s", i+1), max(subs[i].Kind, subscription.Webhook)
		s.to[subs[i].ID] = &endpoint{}
		s.box.subscribe(subs[i])
	}
	o.Channels = func(sub subscription.Subscription) (channel.Channel, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.to[sub.ID], nil
	}
	d, stop := deliverer(t, o, s.box, s.wpcom)
	s.Deliverer = d
	return s, stop
}

// add adds an event to what a subscription is to be told, and wakes the Deliverer. What it is to
// find otherwise from the first moment is changed before.
func (s *stage) add(to int64, site check.SiteID, what event.Type, before ...func(*delivery.Due)) delivery.Due {
	s.next++
	e := event.Event{ID: fmt.Sprintf("%d/%d", site, s.next), Type: what, Time: event.At(time.Now()), Site: &event.Site{ID: site, BlogID: check.BlogID(site)}}
	body, err := e.Encode()
	if err != nil {
		panic(err)
	}
	d := delivery.Due{Body: body, Delivery: delivery.Delivery{
		ID: s.next, Subscription: to, SiteID: site, Lane: int64(site), Key: e.ID, Type: what, Created: time.Now(), Since: time.Now(),
	}}
	for _, change := range before {
		change(&d)
	}
	s.box.add(d)
	s.Wake()
	return d
}

func (s *stage) state(id int64) delivery.Due {
	for _, d := range s.box.all() {
		if d.ID == id {
			return d
		}
	}
	return delivery.Due{}
}

func TestEverySubscriptionIsToldOfItsOwnLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{}, subscription.Subscription{})
		defer stop()
		for _, to := range []int64{1, 2} {
			s.add(to, 7, event.SiteDown)
			s.add(to, 7, event.SiteUp)
		}
		synctest.Wait()
		for to, want := range map[int64][]string{1: {"7/1", "7/2"}, 2: {"7/3", "7/4"}} {
			if got := s.to[to].keys(); !slices.Equal(got, want) {
				t.Errorf("subscription %d is told %v, want %v", to, got, want)
			}
		}
		d := s.to[1].seen()[0]
		if d.Event.Site.ID != 7 || d.Attempt != 1 || !strings.Contains(d.Body, `"event_id":"7/1"`) || d.Again {
			t.Errorf("told was %+v", d)
		}
	})
}

// An endpoint that hangs has many deliveries waiting, and none of another waits for it.
func TestASickEndpointSlowsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{Parallel: 4}, subscription.Subscription{Rate: -1}, subscription.Subscription{Rate: -1})
		defer stop()
		s.to[1].set(hanging)
		for i := range 300 {
			s.add(1, check.SiteID(i+1), event.SiteDown)
			s.add(2, check.SiteID(i+1), event.SiteDown)
		}
		synctest.Wait()
		if n := len(s.to[2].keys()); n != 300 {
			t.Errorf("%d of 300 were told to the other at once", n)
		}
		// The breaker lets one try every five seconds whether the sick one is well.
		time.Sleep(10 * time.Minute)
		if n := len(s.to[1].keys()); n < 10 || n > 40 || s.to[1].mostAtOnce() > 4 {
			t.Errorf("the sick one was tried %d times, %d at once", n, s.to[1].mostAtOnce())
		}
		s.to[1].set(nil)
		time.Sleep(20 * time.Minute)
		if left := len(s.box.left()); left != 0 {
			t.Errorf("%d are left when it is well", left)
		}
	})
}

func TestARecoveryIsNotHeldBackByTheBucket(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{Rate: 1, Burst: 2})
		defer stop()
		for i := range 50 {
			s.add(1, check.SiteID(i+1), event.SiteDown)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(s.to[1].keys()); n < 11 || n > 13 {
			t.Errorf("%d in ten seconds, want 12", n)
		}
		began := time.Now()
		for i := range 20 {
			s.add(1, check.SiteID(i+1001), event.SiteUp)
		}
		time.Sleep(200 * time.Millisecond)
		ups := 0
		for _, d := range s.to[1].seen() {
			if d.Event.Type == event.SiteUp {
				ups++
			}
		}
		if ups != 20 {
			t.Errorf("%d recoveries of 20 were told after %v", ups, time.Since(began))
		}
		time.Sleep(2 * time.Minute)
		if left := len(s.box.left()); left != 0 {
			t.Errorf("%d are left", left)
		}
	})
}

func TestAHopelessDeliveryDiesAndBlocksNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{})
		defer stop()
		poisoned := s.add(1, 7, event.SiteDown)
		s.to[1].set(func(_ context.Context, d channel.Delivery) channel.Answer {
			if d.Key == poisoned.Key {
				return channel.Answer{Verdict: channel.Hopeless, HTTPStatus: 413, Text: "too large"}
			}
			return accepted
		})
		s.add(1, 7, event.SiteUp)
		s.add(1, 8, event.SiteDown)
		time.Sleep(time.Second)
		if got := s.to[1].keys(); len(got) != 3 {
			t.Errorf("told %v", got)
		}
		d := s.state(poisoned.ID)
		if d.State != delivery.Dead || d.Newest.HTTPStatus != 413 || d.Newest.Text != "too large" {
			t.Errorf("it is %+v", d.Delivery)
		}
		time.Sleep(5 * time.Second)
		if e := s.Status().Endpoints[1]; e.Dead != 1 || e.Pending != 0 || e.Name != "s1" {
			t.Errorf("status is %+v", e)
		}
	})
}

// WordPress.com must say it several times: a mistake there must not cost all alarms of its time.
func TestWordPressComIsNotBelievedAtOnceThatANotificationIsHopeless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(notificationOf(1, 1), notificationOf(1, 2)), &wpcom{}
		w.status = 413
		_, stop := deliverer(t, notify.Options{}, box, w)
		defer stop()
		time.Sleep(2 * time.Minute)
		if all := box.all(); all[0].State != delivery.Waiting || all[0].Attempts < 5 {
			t.Errorf("after two minutes it is %+v", all[0].Delivery)
		}
		time.Sleep(10 * time.Minute)
		if all := box.all(); all[0].State != delivery.Dead || all[0].Attempts != 8 || all[1].Attempts == 0 {
			t.Errorf("then it is %+v, and the next %+v", all[0].Delivery, all[1].Delivery)
		}
	})
}

func TestARefusalPausesTheSubscriptionAndLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{Poll: time.Minute}, subscription.Subscription{}, subscription.Subscription{})
		defer stop()
		s.to[1].set(always(channel.Answer{Verdict: channel.Refused, HTTPStatus: 401, Text: "who are you?"}))
		for i := range 100 {
			s.add(1, check.SiteID(i+1), event.SiteDown)
		}
		s.add(2, 1, event.SiteDown)
		time.Sleep(10 * time.Second)
		began := len(s.to[1].keys())
		if sub := s.box.subscription(1); began > 16 || sub.State != subscription.Paused || sub.Why != "who are you?" {
			t.Errorf("after %d attempts it is %+v", began, sub)
		}
		if e := s.Status().Endpoints; e[1].PausedSince.IsZero() || e[1].Why != "who are you?" || e[1].Pending != 100 || !e[2].PausedSince.IsZero() {
			t.Errorf("status is %+v", e)
		}
		// It is tried with one delivery every ten minutes.
		time.Sleep(5 * time.Hour)
		if n := len(s.to[1].keys()) - began; n < 29 || n > 31 {
			t.Errorf("%d attempts in five hours, want 30", n)
		}
		s.to[1].set(nil)
		time.Sleep(11 * time.Minute)
		if left := len(s.box.left()); left != 0 || s.box.subscription(1).State != subscription.Active {
			t.Errorf("%d are left, the subscription is %+v", left, s.box.subscription(1))
		}
		if e := s.Status().Endpoints[1]; !e.PausedSince.IsZero() || e.Dead != 0 {
			t.Errorf("status is %+v", e)
		}
	})
}

func TestItsOwnerResumesASubscriptionAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{})
		defer stop()
		s.to[1].set(always(channel.Answer{Verdict: channel.Refused, HTTPStatus: 403}))
		s.add(1, 1, event.SiteDown)
		time.Sleep(time.Minute)
		s.to[1].set(nil)
		sub := s.box.subscription(1)
		sub.State = subscription.Active
		s.box.subscribe(sub)
		time.Sleep(6 * time.Second)
		if left := len(s.box.left()); left != 0 {
			t.Errorf("%d are left", left)
		}
	})
}

func TestADeliveryIsGivenUpAfterThreeDays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{Poll: 5 * time.Minute}, subscription.Subscription{})
		defer stop()
		s.to[1].set(always(channel.Answer{Verdict: channel.Failed, HTTPStatus: 404}))
		d := s.add(1, 1, event.SiteDown)
		time.Sleep(71 * time.Hour)
		if got := s.state(d.ID); got.State != delivery.Waiting {
			t.Errorf("after 71 h it is %+v", got.Delivery)
		}
		time.Sleep(80 * time.Minute)
		if got := s.state(d.ID); got.State != delivery.Dead || got.Attempts < 400 || got.Attempts > 450 {
			t.Errorf("after 72 h it is %+v", got.Delivery)
		}
	})
}

func TestAnEndpointIsLeftAloneAsLongAsItAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{})
		defer stop()
		s.to[1].set(always(channel.Answer{Verdict: channel.Failed, HTTPStatus: 429, RetryAfter: 5 * time.Minute}))
		s.add(1, 1, event.SiteDown)
		time.Sleep(time.Minute)
		s.add(1, 2, event.SiteDown)
		time.Sleep(4*time.Minute - time.Second)
		if got := s.to[1].keys(); len(got) != 1 {
			t.Errorf("meanwhile it was told %v", got)
		}
		time.Sleep(2 * time.Second)
		if got := s.to[1].keys(); len(got) < 2 {
			t.Errorf("then it was told %v", got)
		}
	})
}

func TestAnAlertIsRepeatedWhileNothingElseHappens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{Poll: 10 * time.Second}, subscription.Subscription{Kind: subscription.Alertmanager})
		defer stop()
		s.to[1].set(func(_ context.Context, d channel.Delivery) channel.Answer {
			a := accepted
			if d.Event.Type == event.SiteDown {
				a.Renew = time.Minute
			}
			return a
		})
		d := s.add(1, 1, event.SiteDown)
		time.Sleep(10*time.Minute + 30*time.Second)
		told := s.to[1].seen()
		if len(told) < 10 || len(told) > 12 || told[0].Again || !told[1].Again || told[3].Key != d.Key {
			t.Errorf("told %d times, %+v", len(told), told[:2])
		}
		if e := s.Status().Endpoints[1]; e.Pending != 0 {
			t.Errorf("status is %+v", e)
		}
		// An endpoint that was away is told again soon, and not given up.
		s.to[1].set(always(channel.Answer{Verdict: channel.Failed}))
		time.Sleep(2 * time.Hour)
		if got := s.state(d.ID); got.State != delivery.Alive {
			t.Errorf("it is %+v", got.Delivery)
		}
	})
}

func TestWhatIsGoneOrDamagedIsGivenUpWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{})
		defer stop()
		gone := notificationOf(1, 500)
		gone.Subscription, gone.Change = 1, nil
		damaged := gone
		damaged.ID, damaged.Body, damaged.Lane = 501, "{", 2
		s.box.add(gone)
		s.box.add(damaged)
		unreadable := notificationOf(3, 502)
		unreadable.Change = nil
		s.box.add(unreadable)
		s.Wake()
		time.Sleep(time.Second)
		for _, d := range s.box.all() {
			if d.State != delivery.Dead || d.Newest.Text == "" {
				t.Errorf("it is %+v", d.Delivery)
			}
		}
		if n := len(s.to[1].keys()) + len(s.wpcom.seen()); n != 0 {
			t.Errorf("%d were told", n)
		}
	})
}

func TestAFailureThatWasTakenBackIsNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{})
		defer stop()
		s.box.begins(false)
		s.add(1, 1, event.SiteDown, func(d *delivery.Due) { d.Delayed, d.Next = true, time.Now().Add(time.Minute) })
		time.Sleep(2 * time.Minute)
		if got := s.to[1].keys(); len(got) != 0 {
			t.Errorf("told %v", got)
		}
		s.box.begins(true)
		time.Sleep(10 * time.Second)
		if got := s.to[1].keys(); len(got) != 1 {
			t.Errorf("when it could begin, told %v", got)
		}
	})
}

func TestSubscriptionsComeAndGoWhileDeliveryRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{})
		s.add(1, 1, event.SiteDown)
		time.Sleep(time.Second)
		s.mu.Lock()
		s.to[2] = &endpoint{}
		s.mu.Unlock()
		s.box.subscribe(subscription.Subscription{ID: 2, Kind: subscription.Webhook, State: subscription.Active})
		s.add(2, 1, event.SiteDown)
		time.Sleep(6 * time.Second)
		off := s.box.subscription(1)
		off.State = subscription.Disabled
		s.box.subscribe(off)
		time.Sleep(6 * time.Second)
		s.add(1, 2, event.SiteDown)
		time.Sleep(time.Minute)
		if one, two := s.to[1].keys(), s.to[2].keys(); len(one) != 1 || len(two) != 1 || !s.to[1].ended() {
			t.Errorf("told %v and %v, closed: %t", one, two, s.to[1].ended())
		}
		off.State = subscription.Active
		s.box.subscribe(off)
		time.Sleep(11 * time.Second)
		if one := s.to[1].keys(); len(one) != 2 {
			t.Errorf("after it was enabled again, told %v", one)
		}
		stop()
		if !s.to[2].ended() {
			t.Error("a channel stays open")
		}
	})
}

// Results are stored together while others are being stored.
func TestResultsShareTransactions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{Parallel: 64}, subscription.Subscription{Rate: -1})
		defer stop()
		s.box.takes(10 * time.Millisecond)
		for i := range 500 {
			s.add(1, check.SiteID(i+1), event.SiteDown)
		}
		began := time.Now()
		for len(s.box.left()) > 0 {
			time.Sleep(20 * time.Millisecond)
		}
		if took := time.Since(began); took > time.Second || len(s.box.settled) > 50 {
			t.Errorf("500 took %v in %d transactions", took, len(s.box.settled))
		}
	})
}

// What was told of a shard that was lost meanwhile is not recorded: its next owner tells it again.
func TestAResultOfALostShardIsLeftToTheNextOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shards := shardtest.New(0)
		s, stop := perform(t, notify.Options{Shards: shards}, subscription.Subscription{})
		defer stop()
		s.to[1].set(func(context.Context, channel.Delivery) channel.Answer {
			time.Sleep(time.Second)
			return accepted
		})
		d := s.add(1, 1, event.SiteDown)
		synctest.Wait()
		shards.Lose(0)
		time.Sleep(10 * time.Second)
		if got := s.state(d.ID); got.State != delivery.Waiting || got.Attempts != 0 {
			t.Errorf("it is %+v", got.Delivery)
		}
		shards.Set(0, shard.Tenure{Term: 2, Sure: true})
		s.Wake()
		time.Sleep(10 * time.Second)
		if got := s.to[1].keys(); len(got) != 2 || s.state(d.ID).State != delivery.Delivered {
			t.Errorf("told %v, it is %+v", got, s.state(d.ID).Delivery)
		}
		if n := len(s.box.adopted); n != 2 {
			t.Errorf("the outbox of an older version was adopted %d times, want once a term", n)
		}
	})
}

func TestASubscriptionTellsOfNoBlogThatItDoesNotNameAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, stop := perform(t, notify.Options{}, subscription.Subscription{Filter: event.Filter{Blogs: []check.BlogID{7}}})
		defer stop()
		s.add(1, 6, event.SiteDown)
		s.add(1, 7, event.SiteDown)
		synctest.Wait()
		if got := s.to[1].keys(); !slices.Equal(got, []string{"7/2"}) {
			t.Errorf("told %v", got)
		}
		if d := s.state(1); d.State != delivery.Dead || d.Newest.Text != "the subscription is one of other blogs now" {
			t.Errorf("of the other blog: %+v", d)
		}
	})
}
