package coordinator_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// comesBack ends the outage of a site, and has it go down again; it returns the outage of that.
func (r *rig) comesBack(t *testing.T, site int64) int64 {
	t.Helper()
	var id int64
	for _, to := range []check.Status{check.StatusRunning, check.StatusDown} {
		row, fence := r.row(t, site)
		results, err := r.store.CommitAll(t.Context(), fence, []record.Change{{
			Key: fmt.Sprintf("back-%d-%d", site, to), SiteID: row.ID, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL,
			From: row.Status, To: to, Start: time.Now(), At: time.Now(),
		}})
		if err != nil || results[0].Err != nil {
			t.Fatal(err, results)
		}
		id = results[0].Committed.OutageID
	}
	return id
}

func TestAnOutageSaysWhoWasTold(t *testing.T) {
	t.Parallel()
	r := guardedWith(t, tellingHere(t))
	admin := as(t, r.token(t, nil, "admin"))
	to := newReceiver(t)
	asked := aWebhook(to.URL)
	asked.Name = "pager"
	made, err := monitorv1.NewSubscriptionServiceClient(r.conn).CreateSubscription(admin, &monitorv1.CreateSubscriptionRequest{Subscription: asked})
	if err != nil {
		t.Fatal(err)
	}
	site := r.site(t, admin, 7)
	first := r.outage(t, site)
	second := r.comesBack(t, site)
	outages := monitorv1.NewOutageServiceClient(r.conn)
	notices := func(ctx context.Context, outage int64, want int) []*monitorv1.OutageNotice {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			resp, err := outages.ListOutageNotices(ctx, &monitorv1.ListOutageNoticesRequest{OutageId: outage})
			if err != nil {
				t.Fatal(err)
			}
			accepted := 0
			for _, n := range resp.GetNotices() {
				if n.GetState() == delivered && n.GetAcceptTime() != nil && n.GetCreateTime() != nil && n.GetAttemptCount() == 1 {
					accepted++
				}
			}
			if accepted == want && len(resp.GetNotices()) == want {
				return resp.GetNotices()
			}
			if time.Now().After(end) {
				t.Fatalf("want %d accepted notices of outage %d, there are %v", want, outage, resp.GetNotices())
			}
		}
	}
	// The first outage has its end, and not the news of the second.
	types := map[string]int{}
	for _, n := range notices(as(t, r.token(t, nil, "outages:read")), first, 4) {
		types[n.GetRecipient()+" "+n.GetEventType().String()]++
	}
	for _, want := range []string{"WordPress.com EVENT_TYPE_SITE_DOWN", "WordPress.com EVENT_TYPE_SITE_UP", "pager EVENT_TYPE_SITE_DOWN", "pager EVENT_TYPE_SITE_UP"} {
		if types[want] != 1 {
			t.Errorf("%d of %q in %v", types[want], want, types)
		}
	}
	notices(admin, second, 2)
	// The owner of the blog sees what WordPress.com was told, and not who else listens.
	mine := as(t, r.token(t, []int64{7}, "outages:read"))
	for _, n := range notices(mine, first, 2) {
		if n.GetRecipient() != "WordPress.com" {
			t.Errorf("a limited caller sees %v", n)
		}
	}
	other := as(t, r.token(t, []int64{9}, "outages:read"))
	if _, err := outages.ListOutageNotices(other, &monitorv1.ListOutageNoticesRequest{OutageId: first}); status.Code(err) != codes.NotFound {
		t.Errorf("of another blog: %v", err)
	}
	// By pages, and after the subscription is gone.
	var seen []int64
	req := &monitorv1.ListOutageNoticesRequest{OutageId: first, PageSize: 3}
	for {
		page, err := outages.ListOutageNotices(admin, req)
		if err != nil || len(page.GetNotices()) > 3 {
			t.Fatal(err, page)
		}
		for _, n := range page.GetNotices() {
			seen = append(seen, n.GetNotificationId())
		}
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	if len(seen) != 4 {
		t.Errorf("by pages: %v", seen)
	}
	if _, err := monitorv1.NewSubscriptionServiceClient(r.conn).DeleteSubscription(admin, &monitorv1.DeleteSubscriptionRequest{SubscriptionId: made.GetSubscription().GetSubscriptionId()}); err != nil {
		t.Fatal(err)
	}
	if n := notices(admin, first, 2); !proto.Equal(n[0], notices(mine, first, 2)[0]) {
		t.Errorf("after the subscription is gone: %v", n)
	}
}
