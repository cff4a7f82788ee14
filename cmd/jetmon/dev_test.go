package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/internal/rpc"
)

// startDev starts `jetmon dev` on free ports, quickly judging.
func startDev(t *testing.T, args ...string) *running {
	t.Helper()
	return start(t, append([]string{"dev", "--interval=1s", "--recheck=200ms",
		"--http=127.0.0.1:0", "--grpc=127.0.0.1:0", "--veriflier=127.0.0.1:0"}, args...)...)
}

func getJSON(t *testing.T, url string, into any, authorization ...string) {
	t.Helper()
	if err := json.Unmarshal([]byte(getText(t, url, authorization...)), into); err != nil {
		t.Fatal(err)
	}
}

func getText(t *testing.T, url string, authorization ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", strings.Join(authorization, ""))
	// Nothing may be left for goleak.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v: %s", url, resp.Status, err, body)
	}
	return string(body)
}

// urls lists the sites by REST.
func urls(t *testing.T, rest string) []string {
	t.Helper()
	var page struct {
		Sites []struct{ URL string }
	}
	getJSON(t, rest, &page)
	var list []string
	for _, s := range page.Sites {
		list = append(list, s.URL)
	}
	return list
}

func TestDevDoesTheWholeJob(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	rest := d.out.find(t, `REST +(\S+)`)
	inbox := d.out.find(t, `WPCOM inbox +(\S+)`)
	database := d.out.find(t, `database +(\S+),`)
	blocked := d.out.find(t, `demo site +(\S+/blocked)`)
	d.out.find(t, `\d\d:\d\d:\d\d  DOWN +(\S+/blocked)  \(blocked: 403 Forbidden, outage 1\)`)

	if got := urls(t, rest); len(got) != 3 || !slices.Contains(got, blocked) {
		t.Errorf("sites by REST: %v, want the demo's three", got)
	}
	received := inboxHas(t, inbox, 1)
	if n := received[0].Notification; n.MonitorURL != blocked || n.StatusID != 0 || n.BlogID != 9_000_000_003 {
		t.Errorf("the inbox has %+v, want status 0 of %s", n, blocked)
	}
	for name, want := range map[string]string{
		d.out.find(t, `gRPC +(\S+) coordinator`):      "jetmon.monitor.v1.SiteService",
		d.out.find(t, `coordinator, (\S+) veriflier`): "jetmon.veriflier.v1.VeriflierService",
	} {
		if got := services(t, name); !slices.Contains(got, want) {
			t.Errorf("reflection at %s lists %v, want %s among them", name, got, want)
		} else if slices.Contains(got, "jetmon.coordinator.v1.AssignmentService") {
			t.Errorf("whoever dials %s can be a checker", name)
		}
	}
	if errs := d.errs.String(); errs != "" {
		t.Errorf("a quiet run logs:\n%s", errs)
	}
	d.stop(t)
	if _, err := os.Stat(filepath.Dir(database)); !os.IsNotExist(err) {
		t.Errorf("the temporary database is still there: %v", err)
	}
}

// inboxHas waits until the inbox has so many notifications.
func inboxHas(t *testing.T, inbox string, n int) []demo.Received {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for {
		var list []demo.Received
		getJSON(t, inbox+"inbox", &list)
		if len(list) >= n {
			return list
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("the inbox has %d notifications, want %d", len(list), n)
		}
	}
}

// services asks a server's reflection what it offers.
func services(t *testing.T, addr string) []string {
	t.Helper()
	conn, err := rpc.Dial(addr, rpc.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	ask := &reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}
	if err := stream.Send(ask); err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range answer.GetListServicesResponse().GetService() {
		names = append(names, s.GetName())
	}
	return names
}

func TestDevReportsToWhomItIsToldAndKeepsTheDatabaseGiven(t *testing.T) {
	t.Parallel()
	inbox := demo.NewInbox()
	wpcom := httptest.NewServer(inbox)
	t.Cleanup(wpcom.Close)
	site := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(site.Close)
	db := filepath.Join(t.TempDir(), "kept.db")
	d := startDev(t, "--no-demo", "--allow-private", "--site="+site.URL, "--wpcom="+wpcom.URL+"/jetmon/", "--db="+db)
	d.out.find(t, `(DOWN) `)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := inbox.Wait(ctx, func(list []demo.Received) bool { return len(list) == 1 }); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(d.out.String(), "WPCOM inbox") {
		t.Error("there is an inbox although another WPCOM was named")
	}
	if got := urls(t, d.out.find(t, `REST +(\S+)`)); !slices.Equal(got, []string{site.URL + "/"}) {
		t.Errorf("sites without the demo: %v, want %s/ only", got, site.URL)
	}
	d.stop(t)
	if _, err := os.Stat(db); err != nil {
		t.Errorf("the database is not kept: %v", err)
	}
}

func TestDevRefusesMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, args, want string }{
		{"a site that is no URL", "--site=example.com", "--site example.com: must begin with http"},
		{"a site on a port that does not exist", "--site=http://example.com:99999/", "port must be from 1 to 65535"},
		{"nothing to watch", "--no-demo", "--no-demo needs a --site"},
		{"an interval below a second", "--interval=-5s", "--interval: must be at least 1s, is -5s"},
		{"no time between re-checks", "--recheck=0s", "--recheck: must be more than 0"},
		{"a WPCOM that is no URL", "--wpcom=jetpack.wordpress.com", "--wpcom jetpack.wordpress.com: must be a URL"},
		{"an address without a port", "--grpc=localhost", `--grpc: "localhost" is not HOST:PORT`},
		{"an address open to everyone", "--http=0.0.0.0:7802", "give --insecure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, "dev", tt.args)
			if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit code %d, stdout %q, stderr %q; want %d and one line with %q", code, stdout, stderr, exitUsage, tt.want)
			}
		})
	}
}

func TestDevOnAPortInUseLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	addr := taken.Listener.Addr().String()
	code, _, stderr := run(t, nil, "dev", "--http="+addr)
	if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, addr) {
		t.Errorf("exit code %d, stderr %q; want %d and one line that names %s", code, stderr, exitFailed, addr)
	}
}
