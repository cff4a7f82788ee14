package scenario

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/test/fakesite"
)

const allowPrivate = "--webhooks-allow-private"

// subscribe makes a subscription of a webhook; more is JSON about the rest.
func (s system) subscribe(t *testing.T, name, url, more string) (id int64) {
	t.Helper()
	var made struct {
		Subscription struct {
			ID int64 `json:"subscription_id,string"`
		}
	}
	s.rest.call(t, http.MethodPost, "/v1/subscriptions", fmt.Sprintf(`{"name":%q,"kind":"SUBSCRIPTION_KIND_WEBHOOK","url":%q%s}`, name, url, more), &made)
	return made.Subscription.ID
}

// bodyAsIs reads the body of a webhook.
func bodyAsIs(r *http.Request, body []byte) (string, error) { return string(body), wellFormed(r, body) }

// heardOf lists the types of the events of a site that a webhook accepted, each once.
func (h *hook) heardOf(t *testing.T, siteID string) (types []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range h.all() {
		e, err := event.Decode(r.body)
		if err != nil {
			t.Fatal(err)
		}
		if r.mode.accepts() && !seen[r.key] && e.Site != nil && fmt.Sprint(e.Site.ID) == siteID {
			seen[r.key], types = true, append(types, e.Type.String())
		}
	}
	return types
}

// awaitHeard waits until a webhook has accepted exactly these events of a site.
func (h *hook) awaitHeard(t *testing.T, siteID string, want ...string) {
	t.Helper()
	await(t, fmt.Sprintf("%s hears %v of site %s", h.name, want, siteID), 2*patience, func() bool { return len(h.heardOf(t, siteID)) >= len(want) })
	h.hasHeard(t, siteID, want...)
}

func (h *hook) hasHeard(t *testing.T, siteID string, want ...string) {
	t.Helper()
	if got := h.heardOf(t, siteID); !slices.Equal(got, want) {
		t.Errorf("%s heard %v of site %s, want %v", h.name, got, siteID, want)
	}
}

// goes lets a site go down or come back, and waits until that is so.
func (s system) goes(t *testing.T, id string, target *fakesite.Site, code int) {
	t.Helper()
	target.SetStatus(code)
	s.hurry(t, id)
	s.rest.awaitState(t, id, map[bool]string{true: "UP", false: "DOWN"}[code == http.StatusOK])
}

// An endpoint calls the news of one site too large. That delivery is a dead letter, of which it
// is told once; the next of that site, and those of others, pass by it. Told again on request, it
// is accepted under its key.
func TestANoticeThatIsRefusedForGoodBlocksNobody(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusRequestEntityTooLarge, http.StatusBadRequest} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			s := begin(t, asRolesMariaDB(), setup{flags: []string{allowPrivate, "--interval=2s"}})
			sick, fine := fakesite.New(t), fakesite.New(t)
			ids := []string{s.rest.create(t, sick.URL(), 1).SiteID, s.rest.create(t, fine.URL(), 2).SiteID}
			var poisoned, refused atomic.Int64
			poisoned.Store(1)
			h := newHook(t, newLedger("the webhook", 1), bodyAsIs)
			h.answer = func(w http.ResponseWriter, body string) {
				e, err := event.Decode(body)
				if err == nil && poisoned.Load() == 1 && e.Type == event.SiteDown && fmt.Sprint(e.Site.ID) == ids[0] {
					refused.Add(1)
					w.WriteHeader(code)
				}
			}
			subscriptionID := s.subscribe(t, "webhook", h.server.URL, "")
			for i, target := range []*fakesite.Site{sick, fine} {
				s.rest.awaitState(t, ids[i], "UP")
				s.goes(t, ids[i], target, http.StatusServiceUnavailable)
			}
			h.awaitHeard(t, ids[1], "SITE_DOWN")
			s.goes(t, ids[0], sick, http.StatusOK)
			// The ledger counts what the answer refused as accepted.
			h.awaitHeard(t, ids[0], "SITE_DOWN", "SITE_UP")
			if n := refused.Load(); n != 1 {
				t.Errorf("what is refused for good was told %d times", n)
			}
			s.inbox.awaitTold(t, sick.URL(), patience, 0, 1)
			poisoned.Store(0)
			key := s.tellAgain(t, subscriptionID, code)
			await(t, "the dead letter is told again", patience, func() bool {
				return len(slices.DeleteFunc(h.all(), func(r receipt) bool { return r.key != key })) == 2
			})
			h.told(t)
			await(t, "nothing is dead or waits", patience, func() bool { return len(s.notices(t, subscriptionID, "DELIVERED")) == 3 })
		})
	}
}

// notice is a notification of a subscription as far as stories read it.
type notice struct {
	ID       string `json:"notification_id"`
	Key      string `json:"event_id"`
	Type     string `json:"event_type"`
	Attempts int    `json:"attempt_count"`
	Last     struct {
		HTTPStatus int    `json:"http_status"`
		Text       string `json:"text"`
	} `json:"last_attempt"`
}

// notices lists the notifications of a subscription in a state, given without its prefix.
func (s system) notices(t *testing.T, subscriptionID int64, state string) []notice {
	t.Helper()
	var page struct{ Notifications []notice }
	s.rest.call(t, http.MethodGet, fmt.Sprintf("/v1/notifications?subscription_id=%d&states=NOTIFICATION_STATE_%s", subscriptionID, state), "", &page)
	return page.Notifications
}

// tellAgain checks that there is one dead letter, asks for it, and returns its key.
func (s system) tellAgain(t *testing.T, subscriptionID int64, code int) string {
	t.Helper()
	dead := s.notices(t, subscriptionID, "DEAD")
	if len(dead) != 1 || dead[0].Type != "EVENT_TYPE_SITE_DOWN" || dead[0].Last.HTTPStatus != code || dead[0].Attempts != 1 {
		t.Fatalf("the dead letters are %+v, want one with %d", dead, code)
	}
	s.rest.call(t, http.MethodPost, "/v1/notifications/"+dead[0].ID+":replay", "", &struct{}{})
	return dead[0].Key
}

// trap is an address at which nobody may call.
type trap struct {
	net.Listener
	calls atomic.Int64
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &trap{Listener: l}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.calls.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return p
}

func (p *trap) port() string { return fmt.Sprint(netip.MustParseAddrPort(p.Addr().String()).Port()) }

// A redirect is not followed, not even to an address that is allowed. With the default flags no
// subscription leads to a private address: not by its URL, not by a name, and not when it was
// made while that was allowed.
func TestWebhooksReachNoPrivateAddress(t *testing.T) {
	t.Parallel()
	p := newTrap(t)
	forwards := newHook(t, newLedger("the redirect", 1), bodyAsIs)
	forwards.answer = func(w http.ResponseWriter, _ string) {
		w.Header().Set("Location", "http://"+p.Addr().String()+"/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}
	allowed := "--webhooks-allow=" + strings.TrimPrefix(forwards.server.URL, "http://") + "," + p.Addr().String()
	s := begin(t, asRolesMariaDB(), setup{flags: []string{allowed, "--interval=2s"}})
	id := s.subscribe(t, "by a redirect", forwards.server.URL, "")
	target := fakesite.New(t)
	siteID := s.rest.create(t, target.URL(), 1).SiteID
	s.rest.awaitState(t, siteID, "UP")
	s.goes(t, siteID, target, http.StatusServiceUnavailable)
	await(t, "what met the redirect waits for another attempt", patience, func() bool {
		waiting := s.notices(t, id, "WAITING")
		return len(waiting) == 1 && waiting[0].Last.HTTPStatus == http.StatusTemporaryRedirect && strings.Contains(waiting[0].Last.Text, "not followed")
	})
	s.subscribe(t, "made while it was allowed", "http://"+p.Addr().String()+"/", "")

	s.again(t, func() {}, allowed)
	before := len(forwards.all())
	p.isOutOfReach(t, s)
	s.goes(t, siteID, target, http.StatusOK)
	s.inbox.awaitTold(t, target.URL(), patience, 0, 1)
	s.checkedAgain(t, siteID, 2)
	if n := len(forwards.all()); n != before {
		t.Errorf("an address that is not allowed any more was called %d times", n-before)
	}
	if n := p.calls.Load(); n != 0 {
		t.Errorf("a private address was called %d times", n)
	}
}

// isOutOfReach checks that no subscription leads to the trap, nor to other private addresses.
func (p *trap) isOutOfReach(t *testing.T, s system) {
	t.Helper()
	service := monitorv1.NewSubscriptionServiceClient(dial(t, s.coordinatorAddr()))
	for _, url := range []string{
		"http://127.0.0.1:" + p.port() + "/", "http://[::1]:" + p.port() + "/", "http://[::ffff:127.0.0.1]:" + p.port() + "/",
		"http://localhost:" + p.port() + "/", "http://a.localhost:" + p.port() + "/", "https://10.0.0.1/", "https://192.168.1.1/hook",
		"https://169.254.169.254/latest/meta-data/", "https://[fd00::1]/", "https://[64:ff9b::7f00:1]/",
	} {
		_, err := service.CreateSubscription(t.Context(), &monitorv1.CreateSubscriptionRequest{Subscription: &monitorv1.Subscription{
			Name: url, Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_WEBHOOK, Url: url,
		}})
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "url") {
			t.Errorf("%s: %v, want that the url is refused", url, err)
		}
	}
	if name, ok := ownName(t); ok {
		id := s.subscribe(t, "by a name", "http://"+name+":"+p.port()+"/", "")
		got, err := service.TestSubscription(t.Context(), &monitorv1.TestSubscriptionRequest{SubscriptionId: id})
		if err != nil || got.GetVerdict() == monitorv1.DeliveryVerdict_DELIVERY_VERDICT_ACCEPTED || !strings.Contains(got.GetText(), "may not be dialled") {
			t.Errorf("by the name %s: %v, %v", name, got, err)
		}
	}
}

// ownName returns this machine's name, and whether that leads to a private address without
// asking anybody.
func ownName(t *testing.T) (string, bool) {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Logf("names are not tried: %v", err)
		return "", false
	}
	for line := range strings.Lines(string(hosts)) {
		fields := strings.Fields(line)
		if len(fields) > 1 && slices.Contains(fields[1:], name) {
			if a, err := netip.ParseAddr(fields[0]); err == nil && (a.IsLoopback() || a.IsPrivate()) {
				return name, true
			}
		}
	}
	t.Logf("names are not tried: %s is not in /etc/hosts as a private address", name)
	return "", false
}

// What happens within a maintenance is told to no subscription, and what is over before its delay
// is told to none that has one.
func TestWhatIsOverInTimeIsToldToNoSubscription(t *testing.T) {
	t.Parallel()
	tell(t, setup{flags: []string{allowPrivate, "--interval=2s"}}, func(t *testing.T, s system) {
		all, late := newHook(t, newLedger("who hears all", 1), bodyAsIs), newHook(t, newLedger("who waits an hour", 2), bodyAsIs)
		soon := newHook(t, newLedger("who waits five seconds", 3), bodyAsIs)
		s.subscribe(t, "all", all.server.URL, "")
		waits := s.subscribe(t, "late", late.server.URL, `,"delay":"3600s"`)
		s.subscribe(t, "soon", soon.server.URL, `,"delay":"5s"`)
		maintained, short, long := fakesite.New(t), fakesite.New(t), fakesite.New(t)
		var ids []string
		for i, target := range []*fakesite.Site{maintained, short, long} {
			ids = append(ids, s.rest.create(t, target.URL(), 900+i).SiteID)
			s.rest.awaitState(t, ids[i], "UP")
		}
		s.rest.plan(t, 0, time.Hour, fmt.Sprintf(`"site_id":%q`, ids[0]))

		s.goes(t, ids[0], maintained, http.StatusServiceUnavailable)
		s.awaitOutages(t, ids[0], 1)
		s.goes(t, ids[0], maintained, http.StatusOK)
		s.goes(t, ids[1], short, http.StatusServiceUnavailable)
		all.awaitHeard(t, ids[1], "SITE_DOWN")
		s.goes(t, ids[1], short, http.StatusOK)
		all.awaitHeard(t, ids[1], "SITE_DOWN", "SITE_UP")
		await(t, "both are superseded", patience, func() bool { return len(s.notices(t, waits, "SUPERSEDED")) == 2 })

		// Who is told at last is told in order, and later than without a delay.
		s.goes(t, ids[2], long, http.StatusServiceUnavailable)
		soon.awaitHeard(t, ids[2], "SITE_DOWN")
		s.goes(t, ids[2], long, http.StatusOK)
		soon.awaitHeard(t, ids[2], "SITE_DOWN", "SITE_UP")
		all.awaitHeard(t, ids[2], "SITE_DOWN", "SITE_UP")
		for _, h := range []*hook{all, late, soon} {
			h.hasHeard(t, ids[0])
			h.told(t)
		}
		for _, id := range ids {
			late.hasHeard(t, id)
		}
		wantDelayed(t, soon, ids[2], 5*time.Second)
		s.inbox.isTold(t, maintained.URL())
		s.inbox.awaitTold(t, short.URL(), patience, 0, 1)
	}, asRolesMariaDB())
}

// wantDelayed checks that a webhook was not told of a failure before a delay was over.
func wantDelayed(t *testing.T, h *hook, siteID string, delay time.Duration) {
	t.Helper()
	for _, r := range h.all() {
		var e struct {
			Type string    `json:"type"`
			Time time.Time `json:"event_time"`
			Site struct {
				ID string `json:"site_id"`
			} `json:"site"`
		}
		if err := json.Unmarshal([]byte(r.body), &e); err != nil {
			t.Fatal(err)
		}
		if e.Site.ID == siteID && strings.HasSuffix(e.Type, "_DOWN") && r.at.Sub(e.Time) < delay {
			t.Errorf("%s was told after %s, want %s at least", h.name, r.at.Sub(e.Time), delay)
		}
	}
}
