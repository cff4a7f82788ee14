package channels_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/alertmanager"
	"github.com/Automattic/jetmon/coordinator/edge/channel/post"
	"github.com/Automattic/jetmon/coordinator/edge/channel/wpcom"
	"github.com/Automattic/jetmon/coordinator/edge/channels"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

// sent tells a subscription of a delivery, and returns what it was sent and what came of it.
func sent(t *testing.T, kind subscription.Kind, d channel.Delivery) (*http.Request, string, channel.Answer) {
	t.Helper()
	var got *http.Request
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "ok")
	}))
	defer s.Close()
	sub := subscribed(kind, s.URL)
	if kind == subscription.Alertmanager {
		sub.Labels = map[string]string{"team": "web", "alertname": "mine"}
	}
	ch, err := channels.Options{Post: post.Options{AllowPrivate: true}}.Open(sub)
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	answer := ch.Tell(t.Context(), d)
	if got == nil {
		t.Fatalf("nothing was sent: %+v", answer)
	}
	if got.Method != http.MethodPost || got.Header.Get("Idempotency-Key") != d.Key || answer.Verdict != channel.Accepted {
		t.Errorf("%s with key %q: %+v", got.Method, got.Header.Get("Idempotency-Key"), answer)
	}
	return got, string(body), answer
}

func up(d channel.Delivery) channel.Delivery {
	d.Key, d.Event.ID, d.Event.Type = "7-11-00000000000000ff", "7-11-00000000000000ff", event.SiteUp
	status := *d.Event.Status
	d.Event.Time = event.At(d.Event.Time.Add(90 * time.Second))
	status.Status, status.PreviousStatus, status.Failure, status.Reason, status.Detail = 1, 0, "", "", ""
	d.Event.Status = &status
	return d
}

// The body of a webhook is the event as it is stored, byte for byte: a repeat has the same.
func TestAWebhookGetsTheStoredBytes(t *testing.T) {
	t.Parallel()
	d := down("https://example.com/?a=1&b=<2>")
	d.Body = `{"version":1, "odd" : "form"}`
	for range 2 {
		req, body, _ := sent(t, subscription.Webhook, d)
		if body != d.Body || req.Header.Get("Content-Type") != "application/json" || req.Header.Get("webhook-id") != d.Key {
			t.Errorf("%q, %v", body, req.Header)
		}
	}
}

func TestASlackMessageCanBeReadAndMentionsNobody(t *testing.T) {
	t.Parallel()
	_, body, answer := sent(t, subscription.Slack, down("https://example.com/<!channel>?a=1&b=2"))
	var m struct {
		Text        string
		Attachments []struct {
			Color    string
			Fallback string
			Fields   []struct{ Title, Value string }
		}
	}
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	if want := ":red_circle: https://example.com/&lt;!channel&gt;?a=1&amp;b=2 is down"; m.Text != want {
		t.Errorf("the text is %q, want %q", m.Text, want)
	}
	facts := map[string]string{}
	for _, f := range m.Attachments[0].Fields {
		facts[f.Title] = f.Value
	}
	if facts["Why"] != `server, status: 503 "&lt;down&gt;"` || facts["Seen down by"] != "2 of 3 verifliers" || facts["Tags"] != "host:acme, shop" || m.Attachments[0].Color != "danger" {
		t.Errorf("%+v", m)
	}
	if strings.Contains(body, "<") || answer.Renew != 0 {
		t.Errorf("%s, %+v", body, answer)
	}
	_, body, _ = sent(t, subscription.Slack, up(down("https://example.com/")))
	if !strings.Contains(body, "https://example.com/ is up again") || !strings.Contains(body, `"good"`) || !strings.Contains(body, "1m30s") {
		t.Errorf("%s", body)
	}
}

func TestAnAlertFiresIsKeptAliveAndEnds(t *testing.T) {
	t.Parallel()
	alert := func(d channel.Delivery) (alertmanager.Alert, channel.Answer) {
		t.Helper()
		req, body, answer := sent(t, subscription.Alertmanager, d)
		if req.URL.Path != "/api/v2/alerts" || req.Header.Get("Authorization") != "Bearer sesame-bearer" {
			t.Errorf("%s %v", req.URL, req.Header)
		}
		var all []alertmanager.Alert
		if err := json.Unmarshal([]byte(body), &all); err != nil || len(all) != 1 {
			t.Fatalf("%v: %s", err, body)
		}
		return all[0], answer
	}
	d := down("https://example.com/")
	fires, answer := alert(d)
	want := map[string]string{
		"alertname": "SiteDown", "severity": "critical", "source": "jetmon", "team": "web", "site_id": "7", "blog_id": "99",
		"url": "https://example.com/", "instance": "example.com", "tag_host": "acme", "tag_shop": "true",
	}
	if diff := cmp.Diff(want, fires.Labels); diff != "" {
		t.Error(diff)
	}
	if lasts := time.Until(fires.EndsAt); answer.Renew < time.Minute || lasts < 3*answer.Renew-time.Minute || lasts > 3*answer.Renew || !fires.StartsAt.Equal(d.Event.Time.Time) {
		t.Errorf("it fires from %v to %v, and is told again after %v", fires.StartsAt, fires.EndsAt, answer.Renew)
	}
	if fires.Annotations["summary"] != "https://example.com/ is down" || !strings.Contains(fires.Annotations["description"], "2 of 3 verifliers") {
		t.Errorf("%v", fires.Annotations)
	}
	still := d
	still.Event.Type = event.SiteConfirmedDown
	if confirmed, answer := alert(still); answer.Renew == 0 || cmp.Diff(confirmed.Labels, fires.Labels) != "" {
		t.Errorf("confirmed is another alert: %v", confirmed.Labels)
	}
	ends, answer := alert(up(d))
	if cmp.Diff(ends.Labels, fires.Labels) != "" || !ends.EndsAt.Equal(up(d).Event.Time.Time) || ends.EndsAt.After(time.Now()) || answer.Renew != 0 {
		t.Errorf("%+v, %+v", ends, answer)
	}
}

// Remarks and incidents are alerts of their own, and each ends as it began.
func TestAlertsOfRemarksAndIncidents(t *testing.T) {
	t.Parallel()
	at := event.At(time.Date(2026, 5, 13, 1, 2, 3, 0, time.UTC))
	remark := event.Event{ID: "a", Time: at, Site: &event.Site{ID: 7, URL: "https://example.com/"}, Advisory: &event.AdvisoryChange{Advisory: "ADVISORY_TLS_EXPIRING", Open: at}}
	incident := event.Event{ID: "i", Time: at, Incident: &event.IncidentChange{ID: 4, Cause: "SHARED_CAUSE_ADDRESS", Value: "192.0.2.1", Members: 12, MembersDown: 10, Start: at}}
	for name, tt := range map[string]struct {
		e             event.Event
		opens, closes event.Type
		labels        map[string]string
	}{
		"a remark":    {remark, event.AdvisoryOpened, event.AdvisoryClosed, map[string]string{"alertname": "SiteAdvisory", "advisory": "tls_expiring", "severity": "warning"}},
		"an incident": {incident, event.IncidentUpdated, event.IncidentResolved, map[string]string{"alertname": "Incident", "incident_id": "4", "severity": "critical"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read := func(e event.Event) (a []alertmanager.Alert) {
				_, body, _ := sent(t, subscription.Alertmanager, channel.Delivery{Key: e.ID, Event: e})
				if err := json.Unmarshal([]byte(body), &a); err != nil {
					t.Fatal(err)
				}
				return a
			}
			tt.e.Type = tt.opens
			opened := read(tt.e)[0]
			tt.e.Type = tt.closes
			closed := read(tt.e)[0]
			if diff := cmp.Diff(opened.Labels, closed.Labels); diff != "" || !opened.EndsAt.After(time.Now()) || closed.EndsAt.After(time.Now()) {
				t.Errorf("opened %+v, closed %+v", opened, closed)
			}
			for label, want := range tt.labels {
				if opened.Labels[label] != want {
					t.Errorf("%s is %q, want %q", label, opened.Labels[label], want)
				}
			}
		})
	}
}

// A subscription of the kind WPCOM gets the JSON of v1, and answers as WordPress.com does.
func TestWPCOMIsToldByPOST(t *testing.T) {
	t.Parallel()
	c := record.Change{Key: "k", SiteID: 7, BlogID: 99, URL: "https://example.com/", From: 1, To: 0, LastCheck: time.Date(2026, 5, 13, 1, 2, 3, 0, time.UTC)}
	for name, tt := range map[string]struct {
		answer func(net.Conn)
		want   channel.Verdict
	}{
		"success":               {plain("200 OK", `{"success":true}`), accepted},
		"no success":            {plain("200 OK", `{"success":false,"data":"no"}`), failed},
		"success as a text":     {plain("200 OK", `{"success":"true"}`), failed},
		"empty":                 {plain("200 OK", ""), failed},
		"HTML":                  {plain("200 OK", "<html>"), failed},
		"success with 201":      {plain("201 Created", `{"success":true}`), failed},
		"success with 500":      {plain("500 Oops", `{"success":true}`), failed},
		"endless":               {endless, failed},
		"cut off after success": {said("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"success\":true}"), failed},
		"a redirect":            {plain("302 Found", `{"success":true}`, "Location: /"), failed},
		"400":                   {plain("400 Bad Request", ""), hopeless},
		"403":                   {plain("403 Forbidden", ""), refused},
		"reset":                 {reset, failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := subscribed(subscription.WPCOM, raw(t, tt.answer))
			s.Secrets.Bearer = "sesame-bearer"
			ch, err := channels.Options{Post: post.Options{AllowPrivate: true}}.Open(s)
			if err != nil {
				t.Fatal(err)
			}
			defer ch.Close()
			if got := ch.Tell(t.Context(), channel.Delivery{Key: "k", Change: &c}); got.Verdict != tt.want {
				t.Errorf("%+v, want verdict %d", got, tt.want)
			}
		})
	}
	var body, bearer, key string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		body, bearer, key = r.Method+" "+string(b), r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key")
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	defer s.Close()
	sub := subscribed(subscription.WPCOM, s.URL)
	sub.Secrets.Bearer = "sesame-bearer"
	ch, err := channels.Options{Post: post.Options{AllowPrivate: true}}.Open(sub)
	if err != nil {
		t.Fatal(err)
	}
	defer ch.Close()
	if got := ch.Tell(t.Context(), channel.Delivery{Key: "k", Change: &c}); got.Verdict != accepted {
		t.Errorf("%+v", got)
	}
	if want := "POST " + string(wpcom.V1(c, nil)); body != want || bearer != "Bearer sesame-bearer" || key != "k" || !strings.Contains(body, `"blog_id":99,"monitor_url":"https://example.com/","status_id":0`) {
		t.Errorf("%q with %q, key %q; want %q", body, bearer, key, want)
	}
	if got := ch.Tell(t.Context(), channel.Delivery{Key: "k"}); got.Verdict != hopeless {
		t.Errorf("what is no change of status: %+v", got)
	}
}
