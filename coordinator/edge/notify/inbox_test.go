package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/demo"
)

// toInbox runs a Deliverer over real HTTP to the demo's inbox, which decodes v1's
// notifications with code of its own.
func toInbox(t testing.TB, o notify.Options, box notify.Store) (*demo.Inbox, *notify.Deliverer) {
	t.Helper()
	inbox := demo.NewInbox()
	return inbox, overHTTP(t, o, box, inbox)
}

func overHTTP(t testing.TB, o notify.Options, box notify.Store, to http.Handler) *notify.Deliverer {
	t.Helper()
	srv := httptest.NewServer(to)
	t.Cleanup(srv.Close)
	o.URL, o.Token, o.Shards = srv.URL+"/jetmon/", "s3cret", shardtest.New(0)
	d, err := notify.New(o, box)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d
}

func TestInboxReadsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	n := notificationOf(1, 1)
	n.Change.URL = "https://bücher.example/a b?x=1&y=\"2\"#+%"
	n.Change.To = check.StatusDown
	n.Change.Since = time.Date(2026, 5, 13, 0, 0, 1, 0, time.UTC)
	dns := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS, Timing: check.Timing{Total: 12 * time.Millisecond}}
	n.Change.Checks = []record.LocalCheck{{Node: "c1", Observation: dns}}
	n.Change.Ballot = &record.Ballot{Votes: []record.Vote{{Veriflier: "eu", Value: quorum.Down, Observation: &dns}}}
	inbox, _ := toInbox(t, notify.Options{}, newOutbox(n))
	if err := inbox.Wait(t.Context(), func(l []demo.Received) bool { return len(l) == 1 }); err != nil {
		t.Fatal(err)
	}
	want := demo.Notification{
		BlogID: 1, MonitorURL: n.Change.URL, StatusID: 0,
		LastStatusChange: new("2026-05-13T00:00:01.000Z"),
		Checks: []demo.Check{
			{Type: 1, Host: "c1", Status: 0, RTT: 12, Code: 0, ErrorCode: new(995)},
			{Type: 2, Host: "eu", Status: 0, RTT: 12, Code: 0},
		},
	}
	if diff := cmp.Diff(want, inbox.Notifications()[0].Notification); diff != "" {
		t.Error(diff)
	}
}

func TestSickWordPressComGetsEachNotificationOnceInEffect(t *testing.T) {
	t.Parallel()
	box := newOutbox()
	inbox, d := toInbox(t, notify.Options{Base: time.Millisecond, Max: 20 * time.Millisecond}, box)
	inbox.FailNext(7)
	for id := range int64(20) {
		box.add(notificationOf(check.SiteID(id%5+1), id+1))
	}
	d.Wake()
	if err := inbox.Wait(t.Context(), func(l []demo.Received) bool { return len(l) >= 10 }); err != nil {
		t.Fatal(err)
	}
	inbox.LoseNext(5)
	if err := inbox.Wait(t.Context(), func(l []demo.Received) bool { return len(l) == 20 }); err != nil {
		t.Fatal(err)
	}
	newest := make(map[string]int)
	for _, r := range inbox.Notifications() {
		var site string
		var id int
		if _, err := fmt.Sscanf(r.Key, "%1s/%d", &site, &id); err != nil {
			t.Fatal(err)
		}
		if id <= newest[site] {
			t.Errorf("%s arrived after %d", r.Key, newest[site])
		}
		newest[site] = id
	}
	if inbox.Refused() < 7 {
		t.Errorf("only %d attempts were refused", inbox.Refused())
	}
}

// BenchmarkDelivery measures one notification: from an outbox in memory to an inbox on
// loopback, and its removal from the outbox.
func BenchmarkDelivery(b *testing.B) {
	for _, parallel := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			b.ReportAllocs()
			const batch = 500
			inbox, served, arrived := demo.NewInbox(), new(atomic.Int64), make(chan struct{})
			box := newOutbox()
			d := overHTTP(b, notify.Options{Parallel: parallel}, box, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inbox.ServeHTTP(w, r)
				if served.Add(1)%batch == 0 {
					arrived <- struct{}{}
				}
			}))
			asked := 0
			for b.Loop() {
				if asked++; asked%batch != 0 {
					continue
				}
				for i := range int64(batch) {
					id := int64(asked) + i
					box.add(notificationOf(check.SiteID(id), id))
				}
				d.Wake()
				<-arrived
			}
			b.ReportMetric(float64(served.Load())/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}
