package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/veriflier/v1"
	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/internal/rpc"
)

// The four roles as they are deployed: each by its own command line, over TCP, with tokens.
func TestRolesWorkTogetherOverTCP(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(site.Close)
	inbox := demo.NewInbox()
	wpcom := httptest.NewServer(inbox)
	t.Cleanup(wpcom.Close)
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatalf("migrate: exit code %d: %s", code, stderr)
	}
	token := func(role string) string {
		if role == "coordinator" {
			return write(t, "token", role+" "+theirsToken+"\n")
		}
		return write(t, "token", role+" "+oursToken+role+"\n")
	}
	accepted := write(t, "tokens", strings.Join([]string{
		"checker/n1 " + oursToken + "checker/n1", "checker/n2 " + oursToken + "checker/n2", "gateway " + oursToken + "gateway", "coordinator " + theirsToken,
	}, "\n"))

	var panel []string
	for name, region := range map[string]string{"v1": "eu", "v2": "us", "v3": "asia"} {
		v := start(t, "veriflier", "--listen=127.0.0.1:0", "--name="+name, "--region="+region, "--allow-private", "--token-file="+token("coordinator"))
		panel = append(panel, "--veriflier=name="+name+",region="+region+",addr="+v.errs.find(t, `address=(\S+)`))
	}
	coordinator := start(t, append([]string{"coordinator", db, "--listen=127.0.0.1:0", "--node=c1", "--db-updates",
		"--time-between-checks=100ms", "--wpcom-url=" + wpcom.URL + "/jetmon/",
		"--wpcom-token-file=" + write(t, "wptoken", oursToken), "--token-file=" + accepted, "--veriflier-token-file=" + token("coordinator")}, panel...)...)
	api := coordinator.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	for _, node := range []string{"n1", "n2"} {
		start(t, "checker", "--coordinator="+api, "--node="+node, "--region=eu", "--allow-private", "--coordinator-token-file="+token("checker/"+node))
	}
	gateway := start(t, "gateway", "--listen=127.0.0.1:0", "--coordinator="+api, "--coordinator-token-file="+token("gateway"))
	rest := "http://" + gateway.errs.find(t, `address=(\S+)`)

	answers(t, api)
	code, made, stderr := run(t, nil, "tokens", "create", db, "--name=test", "--scope=sites:write,outages:read")
	if code != exitOK {
		t.Fatal(stderr)
	}
	bearer := "Bearer " + strings.Fields(made)[len(strings.Fields(made))-1]
	body := strings.NewReader(`{"blog_id": "7", "url": "` + site.URL + `/"}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, rest+"/v1/sites", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", bearer)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("POST /v1/sites: %s", resp.Status)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := inbox.Wait(ctx, func(list []demo.Received) bool { return len(list) == 1 }); err != nil {
		t.Fatalf("the site that is down is not reported: %v; the coordinator says:\n%s", err, coordinator.errs)
	}
	if n := inbox.Notifications()[0].Notification; n.BlogID != 7 || n.StatusID != 0 {
		t.Errorf("reported %+v, want status 0 of blog 7", n)
	}
	var outages struct {
		Outages []struct {
			Failure string
		}
	}
	getJSON(t, rest+"/v1/outages", &outages, bearer)
	if len(outages.Outages) != 1 || outages.Outages[0].Failure != "FAILURE_KIND_CLIENT" {
		t.Errorf("outages by REST: %+v, want one of kind CLIENT", outages)
	}
}

func TestVeriflierAsksForItsToken(t *testing.T) {
	t.Parallel()
	token := write(t, "tokens", "# the coordinators'\ncoordinator "+oursToken+"\ncaller "+theirsToken+"\nchecker "+oursToken+"c\n")
	v := start(t, "veriflier", "--listen=127.0.0.1:0", "--token-file="+token)
	addr := v.errs.find(t, `address=(\S+)`)
	for given, want := range map[string]codes.Code{"": codes.Unauthenticated, "wrong": codes.Unauthenticated, oursToken: codes.OK, theirsToken: codes.OK, oursToken + "c": codes.PermissionDenied} {
		conn, err := rpc.Dial(addr, rpc.ClientOptions{Token: given})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// A target that policy refuses: an answer, and no traffic.
		_, err = veriflierv1.NewVeriflierServiceClient(conn).Verify(t.Context(), &veriflierv1.VerifyRequest{
			RequestId: "x" + given, Target: &checkv1.Target{Url: "http://127.0.0.1:1/"},
		}, grpc.WaitForReady(true))
		if status.Code(err) != want {
			t.Errorf("with token %q: %v, want %s", given, err, want)
		}
	}
}

func TestDebugListenerServesMetrics(t *testing.T) {
	t.Parallel()
	v := start(t, "veriflier", "--listen=127.0.0.1:0", "--debug-listen=127.0.0.1:0", "--log-format=json")
	addr := v.errs.find(t, `"msg":"debug listener".*"address":"([^"]+)"`)
	for path, want := range map[string]string{"/metrics": "go_goroutines", "/readyz": "ok", "/healthz": "ok", "/debug/pprof/": "heap"} {
		if got := getText(t, "http://"+addr+path); !strings.Contains(got, want) {
			t.Errorf("%s does not have %q", path, want)
		}
	}
}

func TestProbeSaysWhatItSaw(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/up", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.Handle("/moved", http.RedirectHandler("/up", http.StatusFound))
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"a site that works", []string{site.URL + "/up", "--allow-private"}, exitOK, []string{"/up is UP\n", "200 OK by HEAD", "total"}},
		{"a site that redirects", []string{site.URL + "/moved", "--allow-private"}, exitOK, []string{"302 to " + site.URL + "/up"}},
		{"a site asked by GET", []string{site.URL + "/up", "--allow-private", "--method=get"}, exitOK, []string{"by GET"}},
		{"a site that fails", []string{site.URL + "/down", "--allow-private"}, int(exitDown), []string{"is DOWN: SERVER", "502 Bad Gateway"}},
		{"an address that may not be probed", []string{site.URL + "/up"}, int(exitUnknown), []string{"is UNKNOWN: POLICY"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, append([]string{"probe"}, tt.args...)...)
			if code != tt.code || stderr != "" {
				t.Errorf("exit code %d, stderr %q; want %d and nothing", code, stderr, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("does not say %q:\n%s", want, stdout)
				}
			}
		})
	}
}

func TestProbeSpeaksTheContractsJSON(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(site.Close)
	code, stdout, _ := run(t, nil, "probe", "--json", "--allow-private", site.URL+"/")
	if code != int(exitDown) {
		t.Errorf("exit code %d, want %d", code, exitDown)
	}
	var seen checkv1.Observation
	if err := protojson.Unmarshal([]byte(stdout), &seen); err != nil {
		t.Fatalf("%v in:\n%s", err, stdout)
	}
	if seen.GetOutcome() != checkv1.Outcome_OUTCOME_DOWN || seen.GetHttpStatus() != http.StatusNotFound {
		t.Errorf("observation %v, want DOWN with 404", &seen)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal([]byte(stdout), &keys); err != nil {
		t.Fatal(err)
	}
	if keys["http_status"] == nil {
		t.Errorf("keys are not the proto's names:\n%s", stdout)
	}
}

func TestDescriptionDoesNotSpeakToTheTerminal(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "x\u009b31m\u202e")
	}))
	t.Cleanup(site.Close)
	_, stdout, _ := run(t, nil, "probe", "--allow-private", site.URL+"/")
	if slices.ContainsFunc([]rune(stdout), func(r rune) bool { return r == 0x9b || r == 0x202e || r == 0x1b }) {
		t.Errorf("control characters reach the terminal: %q", stdout)
	}
}
