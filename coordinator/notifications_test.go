package coordinator_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

const (
	waiting, delivered, dead = monitorv1.NotificationState_NOTIFICATION_STATE_WAITING, monitorv1.NotificationState_NOTIFICATION_STATE_DELIVERED,
		monitorv1.NotificationState_NOTIFICATION_STATE_DEAD
)

// tellingHere has a coordinator tell a WordPress.com that takes everything, and subscriptions on
// this machine.
func tellingHere(t *testing.T) func(*coordinator.Options) {
	t.Helper()
	wpcom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"success":true}`) }))
	t.Cleanup(wpcom.Close)
	return func(o *coordinator.Options) {
		o.Notify = notify.Options{URL: wpcom.URL, Poll: 50 * time.Millisecond}
		o.Channels.Post.AllowPrivate = true
	}
}

// told waits until notifications are in a state, and returns them.
func told(t *testing.T, ctx context.Context, r *rig, subscription int64, state monitorv1.NotificationState) []*monitorv1.Notification {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := monitorv1.NewNotificationServiceClient(r.conn).ListNotifications(ctx, &monitorv1.ListNotificationsRequest{
			SubscriptionId: proto.Int64(subscription), States: []monitorv1.NotificationState{state},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.GetNotifications()) > 0 {
			return resp.GetNotifications()
		}
		if time.Now().After(end) {
			t.Fatalf("subscription %d has no notification that is %v", subscription, state)
		}
	}
}

func (r *rig) site(t *testing.T, ctx context.Context, blog int64) int64 {
	t.Helper()
	made, err := monitorv1.NewSiteServiceClient(r.conn).CreateSite(ctx, &monitorv1.CreateSiteRequest{
		Site: &monitorv1.Site{BlogId: blog, Url: fmt.Sprintf("http://told-%d.example/", blog)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.GetSite().GetSiteId()
}

func TestNotificationsAreSeenAndToldAgain(t *testing.T) {
	t.Parallel()
	r := guardedWith(t, tellingHere(t))
	admin, mine, other := as(t, r.token(t, nil, "admin")), as(t, r.token(t, []int64{7}, "notifications:manage")), as(t, r.token(t, []int64{9}, "notifications:manage"))
	subs, notes := monitorv1.NewSubscriptionServiceClient(r.conn), monitorv1.NewNotificationServiceClient(r.conn)
	to := newReceiver(t)
	to.code = http.StatusBadRequest
	asked := aWebhook(to.URL)
	asked.BearerToken, asked.Filter = proto.String("sesame-bearer"), &monitorv1.SubscriptionFilter{BlogIds: []int64{7}}
	made, err := subs.CreateSubscription(mine, &monitorv1.CreateSubscriptionRequest{Subscription: asked})
	if err != nil {
		t.Fatal(err)
	}
	sub := made.GetSubscription().GetSubscriptionId()
	site := r.site(t, admin, 7)
	r.outage(t, site)
	r.outage(t, r.site(t, admin, 9)) // which the subscription does not admit

	letters := told(t, mine, r, sub, dead)
	n := letters[0]
	if len(letters) != 1 || n.GetSiteId() != site || n.GetEventType() != monitorv1.EventType_EVENT_TYPE_SITE_DOWN || n.GetAttemptCount() != 1 || n.GetEndTime() == nil || n.GetNextAttemptTime() != nil {
		t.Errorf("dead letters: %v", letters)
	}
	if a := n.GetLastAttempt(); a.GetHttpStatus() != http.StatusBadRequest || a.GetText() != "HTTP 400: you said Bearer [secret]" || a.GetAccepted() {
		t.Errorf("the attempt: %v", a)
	}
	for name, err := range map[string]error{
		"get":        errOf(notes.GetNotification(other, &monitorv1.GetNotificationRequest{NotificationId: n.GetNotificationId()})),
		"replay":     errOf(notes.ReplayNotification(other, &monitorv1.ReplayNotificationRequest{NotificationId: n.GetNotificationId()})),
		"replay all": errOf(notes.ReplayNotifications(other, &monitorv1.ReplayNotificationsRequest{SubscriptionId: sub})),
	} {
		if status.Code(err) != codes.NotFound {
			t.Errorf("%s by another: %v", name, err)
		}
	}
	if list, err := notes.ListNotifications(other, &monitorv1.ListNotificationsRequest{}); err != nil || len(list.GetNotifications()) != 0 {
		t.Errorf("%v: another sees %v", err, list)
	}
	// Without a limit WordPress.com's are there too, of both sites.
	told(t, admin, r, 0, delivered)
	if list, err := notes.ListNotifications(mine, &monitorv1.ListNotificationsRequest{}); err != nil || len(list.GetNotifications()) != 1 {
		t.Errorf("%v: a limited caller sees %v", err, list)
	}

	to.mu.Lock()
	to.code = http.StatusOK
	to.mu.Unlock()
	again, err := notes.ReplayNotification(mine, &monitorv1.ReplayNotificationRequest{NotificationId: n.GetNotificationId()})
	if err != nil || again.GetNotification().GetState() != waiting && again.GetNotification().GetState() != delivered {
		t.Fatalf("%v: %v", err, again)
	}
	if got := told(t, mine, r, sub, delivered); got[0].GetNotificationId() != n.GetNotificationId() {
		t.Errorf("told again: %v", got)
	}
	got, err := notes.GetNotification(mine, &monitorv1.GetNotificationRequest{NotificationId: n.GetNotificationId()})
	if err != nil || len(got.GetAttempts()) != 2 || got.GetAttempts()[0].GetAccepted() || !got.GetAttempts()[1].GetAccepted() {
		t.Errorf("%v: the attempts are %v", err, got)
	}
	if first, second := to.got[0], to.got[1]; first.header.Get("webhook-id") != n.GetEventId() || second.header.Get("webhook-id") != n.GetEventId() || string(first.body) != string(second.body) {
		t.Error("a notification was told again under another key, or with another body")
	}

	// The range: nothing dead is left; what was delivered is told again only if that is asked for.
	count := func(req *monitorv1.ReplayNotificationsRequest) int64 {
		t.Helper()
		req.SubscriptionId = sub
		resp, err := notes.ReplayNotifications(mine, req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetCount()
	}
	hour := timestamppb.New(time.Now().Add(-time.Hour))
	if n := count(&monitorv1.ReplayNotificationsRequest{SinceTime: hour}); n != 0 {
		t.Errorf("%d dead letters were told again", n)
	}
	if n := count(&monitorv1.ReplayNotificationsRequest{SinceTime: hour, UntilTime: hour, Delivered: true}); n != 0 {
		t.Errorf("%d of a time in which there was none were told again", n)
	}
	if n := count(&monitorv1.ReplayNotificationsRequest{SinceTime: hour, Delivered: true}); n != 1 {
		t.Errorf("%d were told again, want 1", n)
	}
	if _, err := notes.ReplayNotifications(mine, &monitorv1.ReplayNotificationsRequest{SubscriptionId: sub, Delivered: true}); fieldOf(err) != "since_time" {
		t.Errorf("all that was ever delivered: %v", err)
	}
	if _, err := subs.DeleteSubscription(mine, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: sub}); err != nil {
		t.Fatal(err)
	}
	if _, err := notes.GetNotification(admin, &monitorv1.GetNotificationRequest{NotificationId: n.GetNotificationId()}); status.Code(err) != codes.NotFound {
		t.Errorf("what a deleted subscription was told: %v", err)
	}
}

func TestNotificationsArePaged(t *testing.T) {
	t.Parallel()
	r := guardedWith(t, tellingHere(t))
	admin := as(t, r.token(t, nil, "admin"))
	notes := monitorv1.NewNotificationServiceClient(r.conn)
	const sites = 5
	for i := range sites {
		r.outage(t, r.site(t, admin, int64(i+1)))
	}
	var ids []int64
	req := &monitorv1.ListNotificationsRequest{PageSize: 2}
	for {
		page, err := notes.ListNotifications(admin, req)
		if err != nil || len(page.GetNotifications()) > 2 {
			t.Fatal(err, page)
		}
		for _, n := range page.GetNotifications() {
			if len(ids) > 0 && n.GetNotificationId() >= ids[len(ids)-1] {
				t.Errorf("%d after %v", n.GetNotificationId(), ids)
			}
			ids = append(ids, n.GetNotificationId())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if len(ids) != sites {
		t.Errorf("%d notifications: %v", len(ids), ids)
	}
	one, err := notes.ListNotifications(admin, &monitorv1.ListNotificationsRequest{SiteId: 3})
	if err != nil || len(one.GetNotifications()) != 1 || one.GetNotifications()[0].GetSiteId() != 3 {
		t.Errorf("%v: of site 3 %v", err, one)
	}
	byKey, err := notes.ListNotifications(admin, &monitorv1.ListNotificationsRequest{EventId: one.GetNotifications()[0].GetEventId()})
	if err != nil || !proto.Equal(byKey.GetNotifications()[0].GetCreateTime(), one.GetNotifications()[0].GetCreateTime()) || len(byKey.GetNotifications()) != 1 {
		t.Errorf("%v: of its event %v", err, byKey)
	}
}

// toldAgainOnRecord has notifications told again.
func (r *rig) toldAgainOnRecord(t *testing.T, ctx context.Context) {
	t.Helper()
	notes := monitorv1.NewNotificationServiceClient(r.conn)
	r.outage(t, r.site(t, ctx, 77))
	id := told(t, ctx, r, 0, delivered)[0].GetNotificationId()
	if _, err := notes.ReplayNotification(ctx, &monitorv1.ReplayNotificationRequest{NotificationId: id}); err != nil {
		t.Fatal(err)
	}
	told(t, ctx, r, 0, delivered)
	req := &monitorv1.ReplayNotificationsRequest{SinceTime: timestamppb.New(time.Now().Add(-time.Hour)), Delivered: true}
	if n, err := notes.ReplayNotifications(ctx, req); err != nil || n.GetCount() == 0 {
		t.Fatal(n, err)
	}
}
