package packaging_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// user calls the fleet's REST API as somebody on this machine would.
type user struct {
	t      *testing.T
	client *http.Client
	// at is how the gateway is called.
	at, token string
}

// newUser takes the authority's certificate from a file of the fleet, and calls the gateway by
// a name that leads to it.
func newUser(f *fleet, ca, at, token string) *user {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, ca))
	if err != nil {
		f.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, f.address(gatewayOf(f))+":7802")
		},
	}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &user{t: f.t, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}, at: at, token: token}
}

// gatewayOf returns the name of the service that runs a gateway.
func gatewayOf(f *fleet) string {
	for _, name := range f.names() {
		if command := f.project.Services[name].Command; len(command) > 0 && command[0] == "gateway" {
			return name
		}
	}
	f.t.Fatal("there is no gateway")
	return ""
}

// call makes a call and returns the answer's code and its JSON.
func (u *user) call(method, path, body string, answer any) int {
	u.t.Helper()
	request, err := http.NewRequestWithContext(u.t.Context(), method, u.at+path, bytes.NewBufferString(body))
	if err != nil {
		u.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if u.token != "" {
		request.Header.Set("Authorization", "Bearer "+u.token)
	}
	response, err := u.client.Do(request)
	if err != nil {
		u.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		u.t.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
	return response.StatusCode
}

// await waits for a condition.
func await(t *testing.T, what string, met func() bool) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !met(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("it never comes: %s", what)
		}
	}
}

// site is what the tests read of a site.
type site struct {
	SiteID string `json:"site_id"`
	State  string `json:"state"`
}

// outage is what the tests read of an outage.
type outage struct {
	OutageID string `json:"outage_id"`
	SiteID   string `json:"site_id"`
	Votes    []struct{ Veriflier, Region, Value string }
}

func TestFromNothingToAFleetByTheComposeFile(t *testing.T) {
	f := newFleet(t, project(t, "JETMON_INTERVAL=2s", "JETMON_TIME_BETWEEN_CHECKS=1s", "JETMON_GATEWAY_HOSTS=localhost,watch.example.org"), nil)
	var broken atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(target.Close)

	began := time.Now()
	for _, name := range f.names() { // docker compose up -d
		if ours(f.project.Services[name]) || name == "mariadb" {
			f.start(name)
		}
	}
	out, err := f.run("migrate", []string{"tokens", "create", "--name", "me", "--scope", "admin"}) // docker compose run
	token := tokenIn(t, out, err)
	const ca, at = "volume-credentials/nodes/gateway/ca.crt", "https://localhost:7802" // docker compose cp, and the published port
	stranger, me := newUser(f, ca, at, ""), newUser(f, ca, at, token)
	var none map[string]any
	if code := stranger.call("GET", "/v1/sites", "", &none); code != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", code)
	}
	wantFleet(t, me)
	wantNamed(t, me, "watch.example.org")

	var added site
	if code := me.call("POST", "/v1/sites", `{"url":"`+target.URL+`/","blog_id":"7"}`, &added); code != http.StatusOK {
		t.Fatalf("the site is not added: %d %+v", code, added)
	}
	become := func(state string) {
		t.Helper()
		await(t, "the site is "+state, func() bool {
			var now site
			me.call("GET", "/v1/sites/"+added.SiteID, "", &now)
			return now.State == state
		})
	}
	become("SITE_STATE_UP")
	broken.Store(true)
	become("SITE_STATE_DOWN")
	t.Logf("from nothing to a confirmed outage: %s", time.Since(began).Round(time.Second))
	wantQuorum(t, me, added.SiteID)
	broken.Store(false)
	become("SITE_STATE_UP")

	// One by one: the others take over what the first coordinator had.
	f.stop("coordinator-1")
	broken.Store(true)
	become("SITE_STATE_DOWN")
	f.launch("coordinator-1")
	f.awaitHealth("coordinator-1")
	for _, name := range []string{"coordinator-1", "coordinator-2"} {
		f.stop(name)
	}
	for _, name := range []string{"gateway", "checker-1"} {
		await(t, name+" without coordinators is not healthy", func() bool {
			_, err := f.healthy(t.Context(), name)
			return err != nil
		})
	}
	for name := range f.running {
		f.stop(name)
	}
}

// wantNamed wants the gateway to answer to a name that an operator gave it.
func wantNamed(t *testing.T, me *user, host string) {
	t.Helper()
	renamed := *me
	renamed.at = "https://" + host + ":7802"
	var answer map[string]any
	if code := renamed.call("GET", "/v1/fleet", "", &answer); code != http.StatusOK {
		t.Errorf("as %s the gateway answers %d: %v", host, code, answer)
	}
}

// tokenIn returns the token that jetmon tokens create has printed.
func tokenIn(t *testing.T, out string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for word := range strings.FieldsSeq(out) {
		if strings.HasPrefix(word, "jm_") {
			return word
		}
	}
	t.Fatalf("there is no token: %s", out)
	return ""
}

// wantFleet wants every role of the compose file at work.
func wantFleet(t *testing.T, me *user) {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Log(last)
		}
	}()
	await(t, "two coordinators, three checkers and three verifliers", func() bool {
		var raw json.RawMessage
		me.call("GET", "/v1/fleet", "", &raw)
		last = string(raw)
		var now struct{ Peers, Checkers, Verifliers []map[string]any }
		return json.Unmarshal(raw, &now) == nil && len(now.Peers) == 1 && len(now.Checkers) == 3 && len(now.Verifliers) == 3
	})
}

// wantQuorum wants the outage of a site, confirmed by verifliers of several regions.
func wantQuorum(t *testing.T, me *user, siteID string) {
	t.Helper()
	var all struct{ Outages []outage }
	await(t, "the outage is recorded", func() bool { // the site is down a moment before that
		me.call("GET", "/v1/outages", "", &all)
		return len(all.Outages) > 0
	})
	if len(all.Outages) != 1 || all.Outages[0].SiteID != siteID {
		t.Fatalf("outages: %+v", all)
	}
	var one outage
	me.call("GET", "/v1/outages/"+all.Outages[0].OutageID, "", &one)
	regions := map[string]bool{}
	for _, vote := range one.Votes {
		if vote.Value == "VOTE_VALUE_DOWN" && vote.Veriflier == "veriflier-"+vote.Region {
			regions[vote.Region] = true
		}
	}
	if len(regions) < 2 {
		t.Errorf("the outage was confirmed by %+v", one.Votes)
	}
}
