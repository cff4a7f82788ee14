package main

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/restjson"
	"github.com/Automattic/jetmon/internal/rpc"
)

// downSite is a system with one site that is down, told and stored.
func downSite(t *testing.T) (api, rest, veriflier, url string) {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	t.Cleanup(site.Close)
	d := startDev(t, "--no-demo", "--allow-private", "--site="+site.URL)
	d.out.find(t, `DOWN +\S+  \(server: 502 Bad Gateway, outage 1\)`)
	return d.out.find(t, `gRPC +(\S+) coordinator`), d.out.find(t, `REST +(\S+)/sites`), d.out.find(t, `coordinator, (\S+) veriflier`), site.URL + "/"
}

func TestTheCommandsTellOfSitesAndOutages(t *testing.T) {
	t.Parallel()
	api, rest, veriflier, url := downSite(t)
	quoted := regexp.QuoteMeta(url)
	tests := []struct {
		name, args string
		code       int
		want       string // regular expression
	}{
		{"sites are listed", "sites list", exitOK, `(?s)ID +BLOG +STATE.*\n1 +0 +down +0 +20\S+ \S+Z +` + quoted},
		{"sites of no blog are none", "sites list --blog=77", exitOK, `(?m)^ID +BLOG +STATE +STATUS +LAST CHECK +URL\n\z`},
		{"sites of no host are none", "sites list --host=nowhere.example", exitOK, `(?m)^ID +BLOG +STATE +STATUS +LAST CHECK +URL\n\z`},
		{"sites of a host are listed", "sites list --host=127.0.0.1 --state=down", exitOK, `(?s)ID +BLOG +STATE.*\n1 +0 +down .*` + quoted},
		{"a host that is none", "sites list --host=a/b", exitUsage, `host: must be a host`},
		{"sites in one state are listed", "sites list --state=down", exitOK, `(?s)ID +BLOG +STATE.*\n1 +0 +down +0 +20\S+ \S+Z +` + quoted},
		{"sites in another state are not", "sites list --state=confirmed-down", exitOK, `(?m)^ID +BLOG +STATE +STATUS +LAST CHECK +URL\n\z`},
		{"sites that are paused are listed", "sites list --state=paused", exitOK, `(?m)^ID +BLOG +STATE +STATUS +LAST CHECK +URL\n\z`},
		{"a state that is none", "sites list --state=broken", exitUsage, `^jetmon sites list: --state: must be never-checked, .*"broken"`},
		{"a site is explained", "sites explain 1", exitOK, `(?s)Site 1, ` + quoted + `\nDown: .*Rule: 2 of 3 in 2 regions.*CONFIRMED at .*veriflier-1 +europe +DOWN +down: server.*Outage 1: began .*What would change this`},
		{"a site is explained for an earlier time", "sites explain 1 --at=2026-01-01T00:00:00Z", exitOK, `(?s)No outage and no ballot is known up to`},
		{"outages seen from a region", "outages list --region=europe --host=127.0.0.1", exitOK, `(?s)OUTAGE|ID .*\n1 .*` + quoted},
		{"outages seen from another one", "outages list --region=mars", exitOK, `\A[A-Z ]+\n\z`},
		{"outages that lasted", "outages list --lasted=720h", exitOK, `\A[A-Z ]+\n\z`},
		{"any URL, as the verifliers see it", "probe --from-verifliers " + url, 1, `(?s)^` + quoted + `\n.*CONFIRMED.*veriflier-1 +europe +DOWN`},
		{"any URL, for programs", "probe --from-verifliers --json " + url, 1, `(?s)"verdict": "VERDICT_CONFIRMED".*"veriflier": "veriflier-3"`},
		{"a URL that is none", "probe --from-verifliers ftp://a.example/", exitUsage, `^jetmon probe: .*url`},
		{"a look that only a check from here can do", "probe --from-verifliers --repeat=3 " + url, exitUsage, `^jetmon probe: --from-verifliers: --repeat`},
		{"how a site was", "sites uptime 1", exitOK, `(?s)^site +1\n.*uptime +[\d.]+%\n.*outages +1\n.*\n\.{29,30}[-x=+.]\na day: # up`},
		{"how sites were", "sites uptime 1 1", exitOK, `(?s)SITE +UPTIME +COVERAGE +DOWN +OUTAGES +P50 +P95 +P99 +BY DAY\n1 +[\d.]+% .*\n1 +[\d.]+% `},
		{"a site by hour", "sites history 1", exitOK, `(?s)^TIME +UPTIME +COVERAGE +P50 +P95 +MAX +GOOD +FAILED +NONE +DOWN\n20`},
		{"a site by check", "sites history 1 --resolution=raw --since=1h", exitOK, `(?s)^TIME +CODE +TOOK +REGION +CHECKER\n`},
		{"a site as a spreadsheet", "sites history 1 --resolution=day -o csv", exitOK, `(?s)^start_time,end_time,code,.*\n20\d\d-\d\d-\d\dT`},
		{"a site for programs", "sites history 1 --json --limit=2", exitOK, `(?s)^{\n +"points": \[.*"next_page_token": "\S+"`},
		{"a period that ends before it begins", "sites history 1 --since=1h --until=2h", exitUsage, `^jetmon sites history: end_time: must be after start_time`},
		{"a period of no time", "sites uptime 1 --since=yesterday", exitUsage, `^jetmon sites uptime: --since: "yesterday" is neither`},
		{"the past of a site that is not there", "sites history 99 -o csv", exitFailed, `^jetmon sites history: there is no site 99`},
		{"the fleet by hour", "fleet history", exitOK, `(?s)^TIME +CHECKS +GOOD +P50 +P95 +P99 +FAILED +UNKNOWN +NONE\n`},
		{"the fleet, by its longer name", "fleet show", exitOK, `(?s)^COORDINATOR +SITES`},
		{"remarks are listed, of which there are none", "advisories list --kind=tls-expiring --site=1", exitOK, `(?m)^SITE +ADVISORY +SINCE +DETAIL +URL\n\z`},
		{"a remark that is none", "advisories list --kind=ugly", exitUsage, `^jetmon advisories list: --kind: must be tls-expiring, .*"ugly"`},
		{"maintenances are listed, of which there are none", "maintenance list --active --site=1", exitOK, `(?m)^ID +COVERS +BEGINS +ENDS +OPEN +AGAIN +NAME\n\z`},
		{"the calendar of none", "maintenance calendar", exitOK, `^BEGIN:VCALENDAR\r\nVERSION:2.0\r\n(?s:.*)END:VCALENDAR\r\n\z`},
		{"a maintenance of nothing", "maintenance add x --for=2h", exitUsage, `^jetmon maintenance add: give one of --site, --tag and --host`},
		{"a maintenance without a length", "maintenance add x --tag=a", exitUsage, `^jetmon maintenance add: --for`},
		{"a maintenance at no time", "maintenance add x --tag=a --for=2h --start=tomorrow", exitUsage, `^jetmon maintenance add: --start: "tomorrow"`},
		{"a maintenance in no zone", "maintenance add x --tag=a --for=2h --start=2030-01-01T02:00 --zone=Mars/Base", exitUsage, `^jetmon maintenance add: --zone: "Mars/Base"`},
		{"a maintenance every hour", "maintenance add x --tag=a --for=2h --every=FREQ=HOURLY", exitUsage, `^jetmon maintenance add: maintenance.recurrence: FREQ must be`},
		{"a maintenance in the past", "maintenance add x --tag=a --for=2h --start=2025-01-01T02:00", exitUsage, `^jetmon maintenance add: maintenance.start_time: no window`},
		{"a maintenance that is not there", "maintenance end 99", exitFailed, `^jetmon maintenance end: there is no maintenance 99`},
		{"an edit of nothing", "maintenance edit 99", exitUsage, `^jetmon maintenance edit: say what to change`},
		{"incidents are listed, of which there are none", "incidents list --open", exitOK, `(?m)^ID +BEGAN +OVER +DOWN +SITES +SHARED +VALUE\n\z`},
		{"the members of no incident", "incidents members 77", exitFailed, `^jetmon incidents members: .*there is no incident 77`},
		{"outages are listed", "outages list --open", exitOK, `(?s)\n1 +1 +20.* +- +2 of 3 in 2 regions +server.*HTTP status 502 +` + quoted},
		{"an outage is shown", "outages show 1", exitOK, `(?s)Outage 1 of site 1.*Checks that led to it:\n.*checker-\d.*502.*\n.*veriflier-3 +asia +DOWN`},
		{"an outage is replayed", "outages replay 1", exitOK, `(?s)Stored: CONFIRMED.*Replayed by the rule 2 of 3 in 2 regions: CONFIRMED\n$`},
		{"an outage is replayed by another rule", "outages replay 1 --need=3 --regions=3", exitOK, `By the rule 3 of 3 in 3 regions: CONFIRMED\n$`},
		{"a site that is not there", "sites explain 99", exitFailed, `^jetmon sites explain: .*99`},
		{"an outage that is not there", "outages show 99", exitFailed, `^jetmon outages show: .*99`},
		{"an id that is none", "outages show x", exitUsage, `^jetmon outages show: `},
		{"an id that is not allowed", "outages replay 0", exitUsage, `^jetmon outages replay: .*outage_id`},
		{"a need of more verifliers than there are", "outages replay 1 --need=4", exitUsage, `^jetmon outages replay: .*need`},
		{"a time that is none", "sites explain 1 --at=yesterday", exitUsage, `^jetmon sites explain: --at: "yesterday"`},
		{"a time to come", "sites explain 1 --at=2226-01-01T00:00:00Z", exitUsage, `^jetmon sites explain: .*at`},
		{"a limit below 0", "sites list --limit=-1", exitUsage, `^jetmon sites list: --limit`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, nil, append(strings.Fields(tt.args), "--coordinator="+api)...)
			if code != tt.code || !regexp.MustCompile(tt.want).MatchString(stdout+stderr) {
				t.Errorf("exit code %d, want %d and %s:\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
			if code != exitOK && stdout == "" && strings.Count(stderr, "\n") != 1 {
				t.Errorf("stderr is %q, want one line", stderr)
			}
		})
	}
	t.Run("all of it as JSON", func(t *testing.T) {
		t.Parallel()
		for args, key := range map[string]string{
			"sites list": "sites", "sites explain 1": "would_change", "outages list": "outages", "outages show 1": "votes", "outages replay 1": "replayed_verdict",
		} {
			code, stdout, stderr := run(t, nil, append(strings.Fields(args), "--json", "--coordinator="+api)...)
			var got map[string]any
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitOK || got[key] == nil {
				t.Errorf("%s --json: exit code %d, error %v, want %s: %s%s", args, code, err, key, stdout, stderr)
			}
		}
	})
	t.Run("JSON is that of REST", func(t *testing.T) {
		t.Parallel()
		sameAsREST(t, api, rest, veriflier, url)
	})
	t.Run("verifliers are asked directly", func(t *testing.T) {
		t.Parallel()
		askDirectly(t, veriflier, url)
	})
}

// sameAsREST wants from --json what REST answers: the same bytes but for the indentation
// where the answer stands still, the same keys where it does not.
func sameAsREST(t *testing.T, api, rest, veriflier, url string) {
	for args, path := range map[string]string{
		"outages list": "/outages?page_size=100", "outages show 1": "/outages/1", "outages replay 1": "/outages/1:replay",
	} {
		_, stdout, _ := run(t, nil, append(strings.Fields(args), "--json", "--coordinator="+api)...)
		line := string(restjson.Compact([]byte(stdout)))
		if want := getText(t, rest+path); line != want {
			t.Errorf("%s --json: %s, want %s", args, line, want)
		}
	}
	var outage struct {
		Votes []struct{ Observation map[string]any }
	}
	getJSON(t, rest+"/outages/1", &outage)
	keys := slices.Sorted(maps.Keys(outage.Votes[0].Observation))
	var seen map[string]any
	for _, args := range []string{"", " --repeat=1 --method=head-then-get"} {
		_, stdout, _ := run(t, nil, strings.Fields("probe --json --allow-private "+url+args)...)
		if err := json.Unmarshal([]byte(stdout), &seen); err != nil || !slices.Equal(slices.Sorted(maps.Keys(seen)), keys) {
			t.Errorf("probe --json: %v, has %s, want the keys %s", err, stdout, keys)
		}
	}
	var ballot struct {
		Votes []struct{ Observation map[string]any }
	}
	_, stdout, _ := run(t, nil, "probe", "--json", "--via="+veriflier, url)
	if err := json.Unmarshal([]byte(stdout), &ballot); err != nil || !slices.Equal(slices.Sorted(maps.Keys(ballot.Votes[0].Observation)), keys) {
		t.Errorf("probe --json --via: %v, has %s, want the keys %s", err, stdout, keys)
	}
}

func askDirectly(t *testing.T, veriflier, url string) {
	dead := "127.0.0.1:1"
	tests := []struct {
		name string
		via  []string
		code int
		want string
	}{
		{"one that is taken for who it says it is", []string{veriflier}, 1, `(?s)CONFIRMED at .*1 of 1 in 1 regions.*veriflier-1 +europe +DOWN +down: server`},
		{"one that is named", []string{"name=veriflier-1,region=europe,addr=" + veriflier}, 1, `veriflier-1 +europe +DOWN`},
		{"one that is somebody else", []string{"name=other,region=europe,addr=" + veriflier}, 3, `(?s)INCONCLUSIVE.*other +europe +UNKNOWN +answered as "veriflier-1"`},
		{"one that is not there beside one that is", []string{veriflier + "," + dead}, 3, `(?s)INCONCLUSIVE.*2 of 2.*127.0.0.1:1 .*UNKNOWN +Unavailable`},
		{"one that is given twice", []string{veriflier, veriflier}, 2, `two verifliers are named`},
		{"flags that are about checks from here", []string{veriflier + " --repeat=2"}, 2, `--via: --repeat`},
		{"what is no address", []string{"nonsense"}, 2, `--via: "nonsense" is not HOST:PORT`},
	}
	for _, tt := range tests {
		args := []string{"probe", url}
		for _, v := range tt.via {
			args = append(args, strings.Fields("--via="+v)...)
		}
		code, stdout, stderr := run(t, nil, args...)
		if code != tt.code || !regexp.MustCompile(tt.want).MatchString(stdout+stderr) {
			t.Errorf("%s: exit code %d, want %d and %s:\n%s%s", tt.name, code, tt.code, tt.want, stdout, stderr)
		}
	}
	code, stdout, _ := run(t, nil, "probe", url, "--json", "--via="+veriflier)
	var got struct {
		Verdict string
		Votes   []struct{ Value string }
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 1 || got.Verdict != "VERDICT_CONFIRMED" || len(got.Votes) != 1 {
		t.Errorf("--json: exit code %d, error %v: %s", code, err, stdout)
	}
}

// forgetful is a coordinator whose replay does not come to what was stored.
type forgetful struct {
	monitorv1.UnimplementedOutageServiceServer
}

func (forgetful) ReplayOutage(context.Context, *monitorv1.ReplayOutageRequest) (*monitorv1.ReplayOutageResponse, error) {
	return &monitorv1.ReplayOutageResponse{
		Ballot: &monitorv1.Ballot{Verdict: monitorv1.Verdict_VERDICT_CONFIRMED}, ReplayedVerdict: monitorv1.Verdict_VERDICT_REJECTED,
	}, nil
}

func TestReplayThatDiffersFailsAndSoDoesACoordinatorThatIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := rpc.NewServer(rpc.ServerOptions{Name: "coordinator", Access: rpc.Open()}, func(r grpc.ServiceRegistrar) {
		monitorv1.RegisterOutageServiceServer(r, forgetful{})
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-served })
	code, stdout, _ := run(t, nil, "outages", "replay", "1", "--coordinator="+l.Addr().String())
	if code != exitFailed || !strings.Contains(stdout, "THAT IS NOT WHAT WAS STORED") {
		t.Errorf("exit code %d, want 1: %s", code, stdout)
	}
	code, _, stderr := run(t, nil, "sites", "list", "--coordinator=127.0.0.1:1")
	if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "127.0.0.1:1") {
		t.Errorf("without a coordinator: exit code %d: %s", code, stderr)
	}
}
