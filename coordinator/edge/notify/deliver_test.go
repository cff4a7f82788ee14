package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/internal/check"
)

// wpcom is WordPress.com as a RoundTripper, without sockets, so that synctest controls the
// clock.
type wpcom struct {
	mu sync.Mutex
	// keys are the Idempotency-Keys of all attempts, in order; times when they came.
	keys  []string
	times []time.Time
	now   int
	most  int
	// status is that of the answers; 0 is 200.
	status int
	// answer decides; the default accepts at once.
	answer func(ctx context.Context, key string) (body string, err error)
}

func (w *wpcom) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.Header.Get("Idempotency-Key")
	w.mu.Lock()
	w.keys = append(w.keys, key)
	w.times = append(w.times, time.Now())
	w.now++
	w.most = max(w.most, w.now)
	answer := w.answer
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.now--
		w.mu.Unlock()
	}()
	body, err := `{"success":true}`, error(nil)
	if answer != nil {
		body, err = answer(r.Context(), key)
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: max(w.status, 200), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (w *wpcom) set(answer func(ctx context.Context, key string) (string, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

func (w *wpcom) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.keys)
}

func accept(context.Context, string) (string, error) { return `{"success":true}`, nil }

func refuse(context.Context, string) (string, error) {
	return `{"success":false,"data":"sick"}`, nil
}

func hang(ctx context.Context, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// notificationOf makes a notification of a site in shard 0, with key "site/id".
func notificationOf(site check.SiteID, id int64) delivery.Due {
	return delivery.Due{
		Delivery: delivery.Delivery{
			ID: id, SiteID: site, Lane: int64(site), Type: event.SiteDown, Key: fmt.Sprintf("%d/%d", site, id), Created: time.Now(), Since: time.Now(),
		},
		Change: &record.Change{SiteID: site, BlogID: 1, URL: "https://example.com/", At: time.Now()},
	}
}

// deliverer starts a Deliverer of shard 0. The returned function stops it and waits for its
// end.
func deliverer(t *testing.T, o notify.Options, box notify.Store, to http.RoundTripper) (*notify.Deliverer, func()) {
	t.Helper()
	o.URL, o.Token = "https://wpcom.example/jetmon/", "s3cret-token"
	o.Client = &http.Client{Transport: to}
	if o.Shards == nil {
		o.Shards = shardtest.New(0)
	}
	if o.Random == nil {
		o.Random = func() float64 { return 1 }
	}
	d, err := notify.New(o, box)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return d, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestANotificationLeavesAtOnceAfterAWakeUpAndElseWithinAPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(), &wpcom{}
		d, stop := deliverer(t, notify.Options{}, box, w)
		defer stop()
		synctest.Wait()
		box.add(notificationOf(1, 1))
		synctest.Wait()
		if got := w.seen(); len(got) != 0 {
			t.Fatalf("%v left before the wake-up", got)
		}
		began := time.Now()
		d.Wake()
		synctest.Wait()
		if got := w.seen(); !slices.Equal(got, []string{"1/1"}) || time.Since(began) != 0 {
			t.Fatalf("after the wake-up %v left", got)
		}
		box.add(notificationOf(1, 2))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := w.seen(); !slices.Equal(got, []string{"1/1", "1/2"}) {
			t.Fatalf("after the poll %v left", got)
		}
		if left := box.left(); len(left) != 0 {
			t.Errorf("the outbox still holds %d notifications", len(left))
		}
	})
}

// v1 repeated a lost notification once, at once (A13.3).
func TestV1Defect3RepeatedWithBackoffUntilAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(notificationOf(1, 1), notificationOf(1, 2)), &wpcom{answer: refuse}
		d, stop := deliverer(t, notify.Options{Max: time.Minute}, box, w)
		defer stop()
		began := time.Now()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		var gaps []time.Duration
		w.mu.Lock()
		for i := range 8 {
			gaps = append(gaps, w.times[i+1].Sub(w.times[i]))
		}
		w.mu.Unlock()
		want := []time.Duration{2, 4, 8, 16, 32, 60, 60, 60}
		for i := range want {
			want[i] *= time.Second
		}
		if diff := cmp.Diff(want, gaps); diff != "" {
			t.Error(diff)
		}
		s := d.Status()
		if s.Pending != 2 || !s.RefusedSince.Equal(began) || !strings.Contains(s.LastError, "sick") {
			t.Errorf("status of a refusing WordPress.com is %+v", s)
		}
		if why := box.reason(1); !strings.Contains(why, "sick") {
			t.Errorf("the outbox knows %q of the failure", why)
		}

		w.set(accept)
		time.Sleep(time.Minute + 5*time.Second)
		synctest.Wait()
		keys := w.seen()
		if got := keys[len(keys)-2:]; !slices.Equal(got, []string{"1/1", "1/2"}) {
			t.Errorf("at last %v were sent, want the site's notifications in order", got)
		}
		if i := slices.Index(keys, "1/2"); i != len(keys)-1 {
			t.Error("the second notification was sent before the first was accepted")
		}
		if s := d.Status(); s.Pending != 0 || !s.RefusedSince.IsZero() || s.LastAccepted.IsZero() {
			t.Errorf("status of an accepting WordPress.com is %+v", s)
		}
	})
}

// v1 lost its notifications at a restart (A13.3), after it had changed the status.
func TestV1Defect3SurvivesRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(notificationOf(1, 1)), &wpcom{answer: refuse}
		created := time.Now()
		_, stop := deliverer(t, notify.Options{}, box, w)
		time.Sleep(10 * time.Second)
		stop()
		before := len(w.seen())

		time.Sleep(time.Hour)
		d, stop := deliverer(t, notify.Options{}, box, w)
		defer stop()
		synctest.Wait()
		if after := len(w.seen()); after != before+1 {
			t.Errorf("%d attempts at the restart, want 1", after-before)
		}
		if s := d.Status(); !s.RefusedSince.Equal(created) {
			t.Errorf("refused since %v, want %v: a restart must not hide it", s.RefusedSince, created)
		}
		w.set(accept)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if len(box.left()) != 0 {
			t.Error("the notification was never delivered")
		}
		if keys := slices.Compact(w.seen()); !slices.Equal(keys, []string{"1/1"}) {
			t.Errorf("keys are %v, want one for all attempts", keys)
		}
	})
}

// v1 repeated twice after a timeout with an error (A13.4).
func TestV1Defect4TimeoutIsOneFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(notificationOf(1, 1)), &wpcom{answer: hang}
		_, stop := deliverer(t, notify.Options{}, box, w)
		defer stop()
		time.Sleep(20*time.Second + 500*time.Millisecond)
		synctest.Wait()
		if got := w.seen(); len(got) != 1 {
			t.Errorf("%d attempts, want 1", len(got))
		}
		if left := box.left(); left[0].Attempts != 1 {
			t.Errorf("%d failures recorded, want 1", left[0].Attempts)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.seen(); len(got) != 2 {
			t.Errorf("%d attempts two seconds later, want 2", len(got))
		}
	})
}

// v1's repetition looked up its entry later, when it had moved (A13.1).
func TestV1Defect1RepetitionIsOfTheSameNotification(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(), &wpcom{}
		for site := range check.SiteID(50) {
			box.add(notificationOf(site+1, int64(site)+1))
		}
		failed := make(map[string]bool)
		var mu sync.Mutex
		w.answer = func(ctx context.Context, key string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if !failed[key] {
				failed[key] = true
				return refuse(ctx, key)
			}
			return accept(ctx, key)
		}
		_, stop := deliverer(t, notify.Options{}, box, w)
		defer stop()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		count := make(map[string]int)
		for _, k := range w.seen() {
			count[k]++
		}
		for site := range 50 {
			if k := fmt.Sprintf("%d/%d", site+1, site+1); count[k] != 2 {
				t.Errorf("notification %s was sent %d times, want twice", k, count[k])
			}
		}
		if n := len(box.left()); n != 0 {
			t.Errorf("%d notifications left", n)
		}
	})
}

func TestStuckDeliveriesBlockNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(), &wpcom{}
		stuck := []string{"1/1", "2/2", "3/3"}
		w.answer = func(ctx context.Context, key string) (string, error) {
			if slices.Contains(stuck, key) {
				return hang(ctx, key)
			}
			return accept(ctx, key)
		}
		for id := range int64(100) {
			box.add(notificationOf(check.SiteID(id%20+1), id+1))
		}
		_, stop := deliverer(t, notify.Options{Parallel: 4}, box, w)
		defer stop()
		synctest.Wait()
		// 17 sites of 20 have their five notifications delivered before any time has passed.
		if n := len(box.left()); n != 15 {
			t.Errorf("%d notifications left, want the 15 of the stuck sites", n)
		}
		if w.most > 4 {
			t.Errorf("%d deliveries at once, want at most 4", w.most)
		}
		for i, k := range w.seen() {
			if slices.Contains(w.seen()[:i], k) {
				t.Errorf("%s was sent twice", k)
			}
		}
	})
}

func TestOrderIsKeptPerSite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(), &wpcom{}
		for id := range int64(60) {
			box.add(notificationOf(check.SiteID(id%3+1), id+1))
		}
		attempts := 0
		var mu sync.Mutex
		w.answer = func(ctx context.Context, key string) (string, error) {
			mu.Lock()
			attempts++
			n := attempts
			mu.Unlock()
			time.Sleep(time.Duration(n%5) * 100 * time.Millisecond)
			if n%3 == 0 {
				return refuse(ctx, key)
			}
			return accept(ctx, key)
		}
		_, stop := deliverer(t, notify.Options{}, box, w)
		defer stop()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := len(box.left()); n != 0 {
			t.Fatalf("%d notifications left", n)
		}
		newest := make(map[int]int)
		for _, k := range w.seen() {
			var site, id int
			if _, err := fmt.Sscanf(k, "%d/%d", &site, &id); err != nil {
				t.Fatal(err)
			}
			if id < newest[site] {
				t.Errorf("%s was sent after %d", k, newest[site])
			}
			newest[site] = id
		}
	})
}

func TestOutboxAwayIsLoggedOnceAndBackedOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		box, w := newOutbox(notificationOf(1, 1)), &wpcom{}
		box.set(true, false)
		log := slog.New(slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelInfo}))
		d, stop := deliverer(t, notify.Options{Log: log}, box, w)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if n := box.readCount(); n < 30 || n > 70 {
			t.Errorf("%d reads in 5 minutes, want about one in 5 s", n)
		}
		if s := d.Status(); s.OutboxError == "" || time.Since(s.OutboxFailedSince) != 5*time.Minute {
			t.Errorf("status is %+v", s)
		}
		box.set(false, false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(box.left()) != 0 {
			t.Error("not delivered when the outbox was back")
		}
		if s := d.Status(); s.OutboxError != "" {
			t.Errorf("status is %+v", s)
		}
		stop()
		if n := strings.Count(buf.String(), "\n"); n != 2 {
			t.Errorf("%d lines logged, want one for each change:\n%s", n, &buf)
		}
	})
}

func TestAcceptedNotificationIsNotSentAgainWhileTheOutboxTakesNoWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(notificationOf(1, 1), notificationOf(2, 2)), &wpcom{}
		for id := range int64(40) {
			box.add(notificationOf(check.SiteID(id+3), id+3))
		}
		box.set(false, true)
		_, stop := deliverer(t, notify.Options{Parallel: 2}, box, w)
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.seen(); len(got) > 2 {
			t.Errorf("%d notifications were sent and not recorded, want at most Parallel", len(got))
		}
		box.set(false, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(box.left()); n != 0 {
			t.Errorf("%d notifications left", n)
		}
		if got := w.seen(); len(got) != 42 {
			t.Errorf("%d attempts for 42 notifications", len(got))
		}
	})
}

func TestStopGivesDeliveriesThreeSeconds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes    time.Duration
		wantLeft int
		want     time.Duration
	}{
		"an answer in time is recorded":                       {3 * time.Second, 0, 2 * time.Second},
		"no answer in time leaves the notification as it was": {time.Minute, 1, 3 * time.Second},
		"nothing under way ends at once (already there)":      {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box, w := newOutbox(notificationOf(1, 1)), &wpcom{}
				w.answer = func(ctx context.Context, key string) (string, error) {
					select {
					case <-time.After(tt.takes):
						return accept(ctx, key)
					case <-ctx.Done():
						return "", ctx.Err()
					}
				}
				_, stop := deliverer(t, notify.Options{}, box, w)
				time.Sleep(time.Second)
				began := time.Now()
				stop()
				if took := time.Since(began); took != tt.want {
					t.Errorf("stopped after %v, want %v", took, tt.want)
				}
				left := box.left()
				if len(left) != tt.wantLeft {
					t.Fatalf("%d notifications left, want %d", len(left), tt.wantLeft)
				}
				for _, n := range left {
					if n.Attempts != 0 {
						t.Error("our own stop was counted as a failure of WordPress.com")
					}
				}
			})
		})
	}
}

func TestStopIsBoundedWhileTheOutboxHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := hangingOutbox{newOutbox(notificationOf(1, 1))}, &wpcom{}
		_, stop := deliverer(t, notify.Options{}, box, w)
		time.Sleep(time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("stopped after %v", took)
		}
	})
}

// hangingOutbox answers no write before the caller gives up.
type hangingOutbox struct{ *outbox }

func (hangingOutbox) SettleDeliveries(ctx context.Context, _ shard.Fence, _ []delivery.Result) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestOnlyOwnShardsAreDelivered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		other := notificationOf(2, 2)
		other.Change.Bucket = 20 * shard.BucketsPer
		box, w := newOutbox(notificationOf(1, 1), other), &wpcom{answer: refuse}
		shards := shardtest.New(0)
		d, stop := deliverer(t, notify.Options{Shards: shards}, box, w)
		defer stop()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := slices.Compact(w.seen()); !slices.Equal(got, []string{"1/1"}) {
			t.Errorf("sent %v of shard 0", got)
		}
		shards.Lose(0)
		shards.Set(20, shard.Tenure{Term: 1, Sure: true})
		d.Wake()
		if s := d.Status(); !s.RefusedSince.IsZero() {
			t.Error("a lost shard's refusal stays on the board")
		}
		n := len(w.seen())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := slices.Compact(w.seen()[n:]); !slices.Equal(got, []string{"2/2"}) {
			t.Errorf("sent %v of shard 20", got)
		}
	})
}

func TestDisabledSendsNothingAndWithdrawsWhatWaitsInItsShards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(), &wpcom{}
		for id := range int64(450) {
			box.add(notificationOf(check.SiteID(id), id))
		}
		foreign := notificationOf(1000, 1000)
		foreign.Change.Bucket = 20 * shard.BucketsPer
		box.add(foreign)
		shards := shardtest.New(0)
		shards.Set(0, shard.Tenure{Term: 1}) // not surely ours
		box.set(true, false)
		d, stop := deliverer(t, notify.Options{Disabled: true, Shards: shards}, box, w)
		defer stop()
		pass := func() {
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		if pass(); len(box.left()) != 451 {
			t.Error("something was taken off while the database was away")
		}
		box.set(false, false)
		if pass(); len(box.left()) != 451 || d.Status().Pending != 450 {
			t.Errorf("a shard that is not surely ours was withdrawn, or is not counted: %+v", d.Status())
		}
		shards.Set(0, shard.Tenure{Term: 1, Sure: true})
		if pass(); len(box.left()) != 1 || len(w.seen()) != 0 {
			t.Errorf("%d are left, %d were sent", len(box.left()), len(w.seen()))
		}
		if s := d.Status(); !s.Disabled || s.Pending != 0 || s.Untold != 450 || !s.RefusedSince.IsZero() {
			t.Errorf("status is %+v", s)
		}
		// Each term is muted once, and again only for later notifications of another owner.
		shards.Set(0, shard.Tenure{Term: 2, Sure: true})
		pass()
		pass()
		if got := box.muted(); got[1] != 3 || got[2] != 1 {
			t.Errorf("muted so often by tenures: %v", got)
		}
		box.add(notificationOf(1, 2000))
		if pass(); len(box.left()) != 1 {
			t.Error("a notification that came later was not withdrawn")
		}
	})
}

// A coordinator on trial delivers what concerns the shards that were taken over from v1, and
// withdraws what waits in the others.
func TestEachShardHasItsOwnVoice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(), &wpcom{}
		for s := range int64(3) {
			n := notificationOf(check.SiteID(s), s+1)
			n.Change.Bucket = check.BucketID(s * shard.BucketsPer)
			box.add(n)
		}
		shards := shardtest.New(0, 1, 2)
		shards.Set(0, shard.Tenure{Term: 1, Sure: true, Voice: shard.OnTrial})
		shards.Set(1, shard.Tenure{Term: 1, Sure: true, Voice: shard.Telling})
		shards.Set(2, shard.Tenure{Term: 1, Sure: true, Voice: shard.Muted})
		d, stop := deliverer(t, notify.Options{Shards: shards}, box, w)
		defer stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.seen(); len(got) != 1 || len(box.left()) != 0 {
			t.Errorf("sent %v, left %v", got, box.left())
		}
		if s := d.Status(); s.Disabled || s.Untold != 2 || s.Telling != 1 {
			t.Errorf("status is %+v", s)
		}
		// The shard is handed over, and a change of it is committed.
		shards.Set(0, shard.Tenure{Term: 2, Sure: true, Voice: shard.Telling})
		box.add(notificationOf(7, 70))
		d.Wake()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.seen(); len(got) != 2 || d.Status().Telling != 2 {
			t.Errorf("sent %v, status %+v", got, d.Status())
		}
	})
}

func TestSecondRunIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, stop := deliverer(t, notify.Options{}, newOutbox(), &wpcom{})
		defer stop()
		synctest.Wait()
		if err := d.Run(t.Context()); err == nil {
			t.Error("a second Run at once is no error")
		}
	})
}

func TestTokenIsInNoLogAndNoRecord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		box, w := newOutbox(notificationOf(1, 1), notificationOf(2, 2)), &wpcom{}
		w.answer = func(_ context.Context, key string) (string, error) {
			if key == "1/1" {
				return "", errors.New("dial for s3cret-token")
			}
			return `{"success":false,"data":"who is s3cret-token?"}`, nil
		}
		log := slog.New(slog.NewJSONHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug}))
		d, stop := deliverer(t, notify.Options{Log: log}, box, w)
		time.Sleep(time.Minute)
		stop()
		all := buf.String() + box.reason(1) + box.reason(2) + fmt.Sprintf("%+v", d.Status())
		if strings.Contains(all, "s3cret") || strings.Contains(all, "data=") {
			t.Errorf("the token is in\n%s", all)
		}
		if !strings.Contains(buf.String(), "delivery failed") {
			t.Error("nothing was logged")
		}
	})
}

func TestNotificationsOfOneSiteLeaveWithoutWaitingForThePoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(notificationOf(1, 1), notificationOf(1, 2), notificationOf(1, 3)), &wpcom{}
		_, stop := deliverer(t, notify.Options{}, box, w)
		defer stop()
		synctest.Wait()
		if got := w.seen(); !slices.Equal(got, []string{"1/1", "1/2", "1/3"}) {
			t.Errorf("at once %v left", got)
		}
	})
}

func TestRefusalOfANotificationThatIsGoneDoesNotStayOnTheBoard(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]bool{"outbox empty": false, "others wait": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				box, w := newOutbox(notificationOf(1, 1)), &wpcom{answer: refuse}
				d, stop := deliverer(t, notify.Options{Max: time.Minute}, box, w)
				defer stop()
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if d.Status().RefusedSince.IsZero() {
					t.Fatal("the refusal is not on the board")
				}
				// Another process deletes its site.
				box.remove(1)
				deleted := time.Now()
				if others {
					box.add(notificationOf(2, 2))
				}
				if others {
					time.Sleep(3 * time.Minute)
				} else {
					time.Sleep(10 * time.Second)
				}
				synctest.Wait()
				s := d.Status()
				if !others && !s.RefusedSince.IsZero() || others && s.RefusedSince.Before(deleted) {
					t.Errorf("status is %+v", s)
				}
			})
		})
	}
}

// A next attempt that is due while every place is taken must wait without spinning:
// a loop that spins would never let synctest's clock go on.
func TestDueAttemptWaitsForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(notificationOf(1, 1), notificationOf(2, 2)), &wpcom{}
		w.answer = func(ctx context.Context, key string) (string, error) {
			if key == "2/2" {
				return hang(ctx, key)
			}
			return refuse(ctx, key)
		}
		_, stop := deliverer(t, notify.Options{Parallel: 1}, box, w)
		defer stop()
		time.Sleep(19 * time.Second)
		synctest.Wait()
		if got := w.seen(); !slices.Equal(got, []string{"1/1", "2/2"}) {
			t.Errorf("attempts are %v", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := w.seen(); len(got) < 3 || got[2] != "1/1" {
			t.Errorf("attempts are %v", got)
		}
	})
}

func TestAllPlacesAreUsedAndNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box, w := newOutbox(), &wpcom{answer: hang}
		for id := range int64(100) {
			box.add(notificationOf(check.SiteID(id+1), id+1))
		}
		_, stop := deliverer(t, notify.Options{Parallel: 4}, box, w)
		defer stop()
		time.Sleep(19 * time.Second)
		if got := w.seen(); len(got) != 4 {
			t.Errorf("%d deliveries under way, want 4", len(got))
		}
	})
}

// A coordinator that was suspended resumes without knowing that its shards have another
// owner. It must not send the notifications that it had read after those of that owner.
func TestNothingIsSentOfAShardThatIsNotSurelyOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var notifications []delivery.Due
		for site := range 40 {
			n := notificationOf(check.SiteID(site+1), int64(site+1))
			n.Change.Bucket = check.BucketID(site % 2 * shard.BucketsPer)
			notifications = append(notifications, n)
		}
		box, w := newOutbox(slices.Clone(notifications)...), &wpcom{}
		stopped := make(chan struct{})
		w.set(func(context.Context, string) (string, error) {
			<-stopped
			return `{"success":true}`, nil
		})
		shards := shardtest.New(0, 1)
		d, stop := deliverer(t, notify.Options{Parallel: 4, Shards: shards}, box, w)
		defer stop()
		synctest.Wait() // four are under way, others are read

		shards.Doubt(0, true)
		box.add(notificationOf(100, 100)) // by somebody else
		close(stopped)
		d.Wake()
		time.Sleep(time.Minute)
		synctest.Wait()
		sent := w.seen()
		slices.Sort(sent[:4])
		if want := []string{"1/1", "2/2", "3/3", "4/4"}; !slices.Equal(sent[:4], want) {
			t.Errorf("at first %v were sent, want %v", sent[:4], want)
		}
		for _, n := range notifications[4:] {
			if surely := shard.Of(n.Change.Bucket) == 1; slices.Contains(sent, n.Key) != surely {
				t.Errorf("%s of shard %d was sent: %v", n.Key, shard.Of(n.Change.Bucket), !surely)
			}
		}
		if s := d.Status(); slices.Contains(sent, "100/100") || s.Pending != len(box.left()) || s.Pending != 19 || !s.RefusedSince.IsZero() {
			t.Errorf("%d notifications are left, and the status is %+v", len(box.left()), s)
		}

		shards.Doubt(0, false) // the database was away, and nobody else had it
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := w.seen(); len(got) != 41 || len(box.left()) != 0 {
			t.Errorf("in the end %d were sent and %d are left", len(got), len(box.left()))
		}
	})
}
