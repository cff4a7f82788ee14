package coordinator_test

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func TestALimitedTokenSeesNothingOfWhatASubscriptionToldBeforeItWasNarrowed(t *testing.T) {
	t.Parallel()
	r := guardedWith(t, tellingHere(t))
	admin, mine := as(t, r.token(t, nil, "admin")), as(t, r.token(t, []int64{7}, "notifications:manage"))
	subs, notes := monitorv1.NewSubscriptionServiceClient(r.conn), monitorv1.NewNotificationServiceClient(r.conn)
	theirs, taken := newReceiver(t), newReceiver(t)
	asked := aWebhook(theirs.URL)
	asked.Filter = &monitorv1.SubscriptionFilter{BlogIds: []int64{7, 9}}
	made, err := subs.CreateSubscription(admin, &monitorv1.CreateSubscriptionRequest{Subscription: asked})
	if err != nil {
		t.Fatal(err)
	}
	sub := made.GetSubscription().GetSubscriptionId()
	own, foreign := r.site(t, admin, 7), r.site(t, admin, 9)
	r.outage(t, own)
	r.outage(t, foreign)
	var of []*monitorv1.Notification
	for end := time.Now().Add(20 * time.Second); len(of) < 2; of = told(t, admin, r, sub, delivered) {
		if time.Now().After(end) {
			t.Fatalf("only %v were told", of)
		}
	}
	if _, err := subs.UpdateSubscription(admin, &monitorv1.UpdateSubscriptionRequest{
		Subscription: &monitorv1.Subscription{SubscriptionId: sub, Filter: &monitorv1.SubscriptionFilter{BlogIds: []int64{7}}},
		UpdateMask:   &fieldmaskpb.FieldMask{Paths: []string{"filter"}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := subs.UpdateSubscription(mine, &monitorv1.UpdateSubscriptionRequest{
		Subscription: &monitorv1.Subscription{SubscriptionId: sub, Url: taken.URL}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"url"}},
	}); err != nil {
		t.Fatal(err)
	}
	list, err := notes.ListNotifications(mine, &monitorv1.ListNotificationsRequest{})
	if err != nil || len(list.GetNotifications()) != 1 || list.GetNotifications()[0].GetSiteId() != own {
		t.Errorf("%v: it sees %v", err, list)
	}
	for _, n := range of {
		want := codes.OK
		if n.GetSiteId() == foreign {
			want = codes.NotFound
		}
		for name, err := range map[string]error{
			"get":    errOf(notes.GetNotification(mine, &monitorv1.GetNotificationRequest{NotificationId: n.GetNotificationId()})),
			"replay": errOf(notes.ReplayNotification(mine, &monitorv1.ReplayNotificationRequest{NotificationId: n.GetNotificationId()})),
		} {
			if status.Code(err) != want {
				t.Errorf("%s of site %d's: %v", name, n.GetSiteId(), err)
			}
		}
	}
	for len(told(t, mine, r, sub, delivered)) < 1 {
	}
	again, err := notes.ReplayNotifications(mine, &monitorv1.ReplayNotificationsRequest{
		SubscriptionId: sub, SinceTime: timestamppb.New(time.Now().Add(-time.Hour)), Delivered: true,
	})
	if err != nil || again.GetCount() != 1 {
		t.Errorf("%v: %d were told again, want its own", err, again.GetCount())
	}
}

func TestABearerTokenGoesToNoOtherHost(t *testing.T) {
	t.Parallel()
	r, subs := withWebhooks(t)
	ctx := as(t, r.token(t, nil, "notifications:manage"))
	asked := aWebhook("https://a.example/hook")
	asked.BearerToken = proto.String("sesame-bearer")
	made, err := subs.CreateSubscription(ctx, &monitorv1.CreateSubscriptionRequest{Subscription: asked})
	if err != nil {
		t.Fatal(err)
	}
	update := func(to *monitorv1.Subscription, paths ...string) error {
		to.SubscriptionId = made.GetSubscription().GetSubscriptionId()
		return errOf(subs.UpdateSubscription(ctx, &monitorv1.UpdateSubscriptionRequest{Subscription: to, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}))
	}
	for _, url := range []string{"https://b.example/hook", "https://a.example:8443/hook", "http://a.example/hook", "https://a.example.b.example/hook"} {
		if err := update(&monitorv1.Subscription{Url: url}, "url"); fieldOf(err) != "subscription.bearer_token" {
			t.Errorf("its token would go to %s: %v", url, err)
		}
	}
	for name, err := range map[string]error{
		"another path":       update(&monitorv1.Subscription{Url: "https://A.example:443/other?x=1"}, "url"),
		"with its own token": update(&monitorv1.Subscription{Url: "https://b.example/", BearerToken: proto.String("other")}, "url", "bearer_token"),
		"without a token":    update(&monitorv1.Subscription{Url: "https://c.example/", BearerToken: proto.String("")}, "url", "bearer_token"),
		"when there is none": update(&monitorv1.Subscription{Url: "https://d.example/"}, "url"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
