package scenario

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/test/seeds"
)

// murderFor is how long coordinators are killed in TestEveryoneIsToldExactlyWhatWasCommitted; see
// make chaos.
var murderFor = flag.Duration("murder.for", 30*time.Second, "how long coordinators are killed")

const (
	// killEvery is the time from one kill of a coordinator to the next.
	killEvery = 5 * time.Second
	// sickShare is the share of the calls that receivers fail.
	sickShare = 0.2
	// chosen is the tag of every second site.
	chosen = "chosen"
)

// A coordinator is killed every five seconds, and the database twice; receivers fail a fifth of
// all calls, and are away for a tenth of the time. What WordPress.com and each of three other
// receivers took, counted once by its key, is exactly what was committed and what its filter
// admits, in order a site.
func TestEveryoneIsToldExactlyWhatWasCommitted(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		t.Logf("to repeat it: make chaos TESTSEED=%d CHAOSFLAGS=-murder.for=%s", seed, *murderFor)
		o := newAudience(t, seed)
		// Each site fails once: one that comes back for the third time within an hour is held.
		g := lay(t, plan{coordinators: 3, sites: 40 + 4*int(*murderFor/killEvery), interval: 2 * time.Second, flags: func(int) []string {
			return []string{
				"--webhooks-allow-private", "--smtp-server=" + o.mail.address(), "--smtp-tls=none",
				"--smtp-from=jetmon@example.com", "--smtp-hello=jetmon.example.com",
			}
		}})
		g.server.Query(t, "INSERT INTO jetmon_site_tags (site_id, tag) SELECT jetpack_monitor_site_id, '"+chosen+"' FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id % 2 = 0")
		g.balanced(t)
		g.checked(t, time.Now(), patience)
		o.subscribe(t, g)
		o.become(g, sickShare, false)
		g.murder(t, o, rand.New(rand.NewPCG(seed, 1)))
		o.become(g, 0, false)
		for _, r := range g.rows {
			g.farm.become(r.url, http.StatusOK)
		}
		g.quiet(t)
		o.verdict(t, g)
	})
}

// quiet waits until all sites are up, and nothing is to be told any more.
func (g *grid) quiet(t *testing.T) {
	t.Helper()
	await(t, "all sites are up, and everyone is told", 6*patience, func() bool {
		return g.server.Query(t, `SELECT (SELECT COUNT(*) FROM jetmon_outages WHERE end_ms = 0)
			+ (SELECT COUNT(*) FROM jetmon_deliveries WHERE state IN (1, 2))`) == "0\n"
	})
}

// murder kills a coordinator every five seconds, and the database twice, while sites fail and
// come back.
func (g *grid) murder(t *testing.T, o *audience, random *rand.Rand) {
	t.Helper()
	rounds := int(*murderFor / killEvery)
	order := random.Perm(len(g.rows))
	began := time.Now()
	var down []row
	for round := range rounds {
		for range 4 {
			r := g.rows[order[0]]
			g.farm.become(r.url, http.StatusServiceUnavailable)
			down, order = append(down, r), order[1:]
		}
		for len(down) > 10 {
			g.farm.become(down[0].url, http.StatusOK)
			down = down[1:]
		}
		away := max(1, rounds/10)
		o.become(g, sickShare, round >= rounds/2 && round < rounds/2+away)
		victim := g.coordinators[round%len(g.coordinators)]
		time.Sleep(time.Duration(random.Int64N(int64(time.Second)))) // at any moment of the way
		g.kill(t, victim)
		if round == rounds/3 || round == 2*rounds/3 {
			g.kill(t, database)
			time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
			g.revive(t, database)
		}
		g.revive(t, victim)
		time.Sleep(time.Until(began.Add(time.Duration(round+1) * killEvery)))
	}
}

// audience is everyone who is told.
type audience struct {
	inbox    *ledger // of WordPress.com
	signed   *hook   // the chosen sites, signed
	alerts   *hook   // Alertmanager
	mail     *mailbox
	verifier *standardwebhooks.Webhook
}

func newAudience(t *testing.T, seed uint64) *audience {
	t.Helper()
	o := &audience{inbox: newLedger("WordPress.com", seed), mail: newMailbox(t, newLedger("mail", seed))}
	o.signed = newHook(t, newLedger("webhook", seed), func(r *http.Request, body []byte) (string, error) {
		if o.verifier == nil {
			return "", errors.New("a call before the subscription")
		}
		return string(body), errors.Join(o.verifier.Verify(body, r.Header), wellFormed(r, body))
	})
	o.alerts = newHook(t, newLedger("Alertmanager", seed), steadyAlert)
	return o
}

// wellFormed reports what is wrong with the event of a webhook.
func wellFormed(r *http.Request, body []byte) error {
	var e monitorv1.Event
	if err := protojson.Unmarshal(body, &e); err != nil {
		return err
	}
	if key := r.Header.Get("Webhook-Id"); e.GetEventId() != key || r.Header.Get("Idempotency-Key") != key {
		return fmt.Errorf("event %s has the keys %s and %s", e.GetEventId(), key, r.Header.Get("Idempotency-Key"))
	}
	return nil
}

// steadyAlert returns an alert without what differs from attempt to attempt: the end of one that
// fires lies ahead by as much each time.
func steadyAlert(r *http.Request, body []byte) (string, error) {
	var all []map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		return "", err
	}
	if len(all) != 1 || r.URL.Path != "/api/v2/alerts" {
		return "", fmt.Errorf("%d alerts for %s", len(all), r.URL.Path)
	}
	ends, err := time.Parse(time.RFC3339, fmt.Sprint(all[0]["endsAt"]))
	if err != nil {
		return "", err
	}
	if ends.After(time.Now()) {
		all[0]["endsAt"] = "later"
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// become sets how all receivers treat what comes.
func (o *audience) become(g *grid, sick float64, away bool) {
	for _, l := range []*ledger{o.inbox, o.signed.ledger, o.alerts.ledger, o.mail.ledger} {
		l.become(sick, away)
	}
	g.inbox.draw(o.inbox.treat)
}

// subscribe makes the three subscriptions.
func (o *audience) subscribe(t *testing.T, g *grid) {
	t.Helper()
	service := monitorv1.NewSubscriptionServiceClient(dial(t, g.addresses[g.coordinators[0]]))
	for _, s := range []*monitorv1.Subscription{
		{
			Name: "webhook", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_WEBHOOK, Url: o.signed.server.URL + "/hook",
			Filter: &monitorv1.SubscriptionFilter{Tags: []string{chosen}},
		},
		{
			Name: "alerts", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_ALERTMANAGER, Url: o.alerts.server.URL,
			Filter: &monitorv1.SubscriptionFilter{Types: []monitorv1.EventType{monitorv1.EventType_EVENT_TYPE_SITE_DOWN, monitorv1.EventType_EVENT_TYPE_SITE_UP}},
		},
		{
			Name: "mail", Kind: monitorv1.SubscriptionKind_SUBSCRIPTION_KIND_EMAIL, MailTo: []string{"ops@example.com"}, Rate: 100, Burst: 100,
			Filter: &monitorv1.SubscriptionFilter{Types: []monitorv1.EventType{monitorv1.EventType_EVENT_TYPE_SITE_UP}},
		},
	} {
		made, err := service.CreateSubscription(t.Context(), &monitorv1.CreateSubscriptionRequest{Subscription: s})
		if err != nil {
			t.Fatalf("subscribe %s: %v", s.GetName(), err)
		}
		if secret := made.GetSigningSecret(); secret != "" {
			if o.verifier, err = standardwebhooks.NewWebhook(secret); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// verdict compares what each receiver took with what was committed.
func (o *audience) verdict(t *testing.T, g *grid) {
	t.Helper()
	for _, a := range g.inbox.all() {
		o.inbox.note(receipt{key: a.key, body: a.data, mode: a.mode})
	}
	events := g.events(t)
	refused, repeated := 0, 0
	isChosen := func(e event.Event) bool { return slices.Contains(e.Site.Tags, chosen) }
	for _, c := range []struct {
		to     *ledger
		admits func(event.Event) bool
	}{
		{o.inbox, everything},
		{o.signed.ledger, isChosen},
		{o.alerts.ledger, func(e event.Event) bool { return e.Type == event.SiteDown || e.Type == event.SiteUp }},
		{o.mail.ledger, func(e event.Event) bool { return e.Type == event.SiteUp }},
	} {
		n := c.to.heardAll(t, events, c.admits)
		by := map[mode]int{}
		for _, r := range c.to.all() {
			by[r.mode]++
		}
		t.Logf("%s: %d of %d committed changes are for it, and were told in %d attempts: %v", c.to.name, n, len(events), len(c.to.all()), by)
		if n == 0 {
			t.Errorf("%s was to be told nothing", c.to.name)
		}
		refused += by[dead] + by[error500]
		repeated += by[resets] + by[forgets]
	}
	if refused == 0 || repeated == 0 {
		t.Errorf("%d attempts were refused, and %d were to be repeated: nothing is proved", refused, repeated)
	}
}

// everything is the filter that admits all.
func everything(event.Event) bool { return true }

// heardAll checks that a receiver took exactly the events that its filter admits, those of a site
// in order, and returns how many these are.
func (l *ledger) heardAll(t *testing.T, events []event.Event, admits func(event.Event) bool) (n int) {
	t.Helper()
	want, got, siteOf := map[int64][]string{}, map[int64][]string{}, map[string]int64{}
	for _, e := range events {
		siteOf[e.ID] = int64(e.Site.ID)
		if admits(e) {
			want[int64(e.Site.ID)], n = append(want[int64(e.Site.ID)], e.ID), n+1
		}
	}
	for _, key := range l.told(t) {
		got[siteOf[key]] = append(got[siteOf[key]], key)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s was told\n%v\nand this was committed:\n%v", l.name, got, want)
	}
	return n
}

// events reads the changes of status as they were committed, those of a site in order, and checks that
// there is one for each transition.
func (g *grid) events(t *testing.T) (all []event.Event) {
	t.Helper()
	keys := map[string][]string{}
	for line := range strings.Lines(g.server.Query(t, "SELECT HEX(body) FROM jetmon_events WHERE type IN (1, 2, 3) ORDER BY site_id, shard, pos, n")) {
		text, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if e.Muted {
			t.Errorf("event %s is muted", e.ID)
		}
		site := fmt.Sprint(e.Site.ID)
		all, keys[site] = append(all, e), append(keys[site], e.ID)
	}
	if transitions, _ := g.committed(t); fmt.Sprint(keys) != fmt.Sprint(transitions) {
		t.Errorf("the events are\n%v\nand the transitions\n%v", keys, transitions)
	}
	return all
}
