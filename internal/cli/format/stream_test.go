package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/restjson"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// TestMain has the tests' people live in UTC, wherever the tests run.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	m.Run()
}

func TestADocumentThatIsWrittenRowByRowIsThatOfTheWholePage(t *testing.T) {
	t.Parallel()
	for n := range 3 {
		page := &monitorv1.ListSitesResponse{NextPageToken: `a"b`}
		var got bytes.Buffer
		d := format.NewDocument(&got, "sites")
		for i := range n {
			site := &monitorv1.Site{SiteId: int64(i), Url: "https://a.example/<>&", Tags: []string{"a"}, Settings: &monitorv1.CheckSettings{}, LastObservation: &checkv1.Observation{}}
			page.Sites = append(page.Sites, site)
			if err := d.Add(site); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(page.GetNextPageToken()); err != nil {
			t.Fatal(err)
		}
		want, err := restjson.Indented(page)
		if err != nil || got.String() != string(want) {
			t.Errorf("%d rows: %v\n%s\nwant\n%s", n, err, &got, want)
		}
	}
}

func TestATableIsCutToATerminalAndNeverOtherwise(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{
		0:  "ID  URL\n1   https://example.com/日本\n",
		40: "ID  URL\n1   https://example.com/日本\n",
		28: "ID  URL\n1   https://example.com/日本\n",
		27: "ID  URL\n1   https://example.com/日…\n",
		26: "ID  URL\n1   https://example.com/…\n",
		5:  "ID…\n1…\n",
		1:  "…\n…\n",
	} {
		var got bytes.Buffer
		if err := table(&got, []string{"ID", "URL"}, "", []string{"1", "https://example.com/日本"}); err != nil {
			t.Fatal(err)
		}
		got.Reset()
		narrow := format.NewTable(&got, width, "ID", "URL")
		if err := narrow.Add("1", "https://example.com/日本"); err != nil {
			t.Fatal(err)
		}
		if err := narrow.Flush(); err != nil || got.String() != want {
			t.Errorf("width %d: %v\n%swant\n%s", width, err, &got, want)
		}
	}
}

// The first rows settle the widths: a later row that needs more room is not cut.
func TestATableDoesNotWaitForItsEnd(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	long := format.NewTable(&got, 0, "ID", "URL")
	for i := range 1500 {
		if err := long.Add(fmt.Sprint(i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := long.Add("1234567890", "y"); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(got.String(), "\n"); n < 1000 {
		t.Errorf("%d lines are written, the others held", n)
	}
	if err := long.Flush(); err != nil || !strings.HasSuffix(got.String(), "\n1499  x\n1234567890  y\n") || strings.Count(got.String(), "\n") != 1502 {
		t.Errorf("%v, ends with %q", err, got.String()[max(0, got.Len()-40):])
	}
}

func TestASiteIsShownWithAllThatIsKnown(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	err := format.Site(&got, &monitorv1.Site{
		SiteId: 3, BlogId: 7, Url: "http://a.example/\a", State: monitorv1.SiteState_SITE_STATE_DOWN, LastStatusChangeTime: at(1), LastCheckTime: at(5),
		LastObservation: saw502(), OutageId: 9, Tags: []string{"eu", "shop"}, Etag: "abc", Bucket: 5,
		Settings: &monitorv1.CheckSettings{Method: checkv1.Method_METHOD_GET, RequiredTexts: []string{"Hi"}, Headers: []*checkv1.Header{{Name: "X", Value: "1"}}},
	})
	const want = `site          3
url           http://a.example/?
blog          7
state         down
status        0 (down) since 2026-05-13 12:00:01Z
interval      300s
last check    2026-05-13 12:00:05Z  down: server (http_502), HTTP status 502, 12ms
next check    -
outage        9
tags          eu shop
method        get
must contain  "Hi"
header        X: 1
bucket        5
etag          abc
`
	if err != nil || got.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, &got, want)
	}
}

func TestTheFleetIsShown(t *testing.T) {
	t.Parallel()
	coverage := 0.9991
	now := time.Date(2026, 5, 15, 14, 30, 0, 0, time.UTC)
	f := &monitorv1.Fleet{
		Coordinator: &monitorv1.CoordinatorStatus{Node: "c1", Sites: 1000, DownSites: 2, SuspectSites: 1, Coverage: &coverage, LatenessP99Millis: 12, Shards: 32, StartTime: at(0), Muted: true},
		Peers:       []*monitorv1.PeerStatus{{Node: "c2", Detail: "refused"}, {Node: "c3", Status: &monitorv1.CoordinatorStatus{Node: "c3", Stretch: 1.5}}},
		Checkers:    []*monitorv1.CheckerStatus{{Node: "k1", Region: "eu", OpenChecks: 3, Credit: 50, ConnectTime: timestamppb.New(now.Add(-90 * time.Second))}},
		Verifliers:  []*monitorv1.VeriflierStatus{{Name: "v1", Region: "us", State: monitorv1.VeriflierState_VERIFLIER_STATE_OK, Asked: 5}},
		Rule:        &monitorv1.QuorumRule{Need: 2, Verifliers: 3, Regions: 2},
	}
	const want = `COORDINATOR  SITES  DOWN  SUSPECT  COVERAGE  LATE P99  SHARDS  UNDELIVERED  UP FOR
c1           1000   2     1        99.9 %    12 ms     32      0            2d2h    muted
c2           -      -     -        -         -         -       -            -       refused
c3           0      0     0        -         0 ms      0       0            -       intervals are stretched by 1.50

CHECKER  REGION  OPEN CHECKS  ROOM  CONNECTED
k1       eu      3            50    1m30s

VERIFLIER  REGION  STATE  ASKED  UNKNOWN  DISSENTED  LAST ANSWER
v1         us      ok     5      0        0          -

Rule: 2 of 3 in 2 regions.
No alarms.
`
	var got bytes.Buffer
	if err := format.Fleet(&got, 0, f, now); err != nil || got.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, &got, want)
	}
	f.Alarms = []*monitorv1.Alarm{{Kind: monitorv1.AlarmKind_ALARM_KIND_STORE, Message: "slow", RaiseTime: timestamppb.New(now.Add(-3 * time.Hour))}}
	got.Reset()
	if err := format.Fleet(&got, 0, f, now); err != nil || !strings.HasSuffix(got.String(), "ALARM  FOR   SITE  MESSAGE\nstore  3h0m  -     slow\n") {
		t.Errorf("%v\n%s", err, &got)
	}
}

// A text of a site commands no terminal, in whatever form it is printed.
func TestNoFormLetsATextCommandTheTerminal(t *testing.T) {
	t.Parallel()
	site := &monitorv1.Site{Url: "http://a.example/", Settings: &monitorv1.CheckSettings{RequiredTexts: []string{"\x1b[31m\u009b31m\u202e\x7f"}}}
	for name, write := range map[string]func(io.Writer) error{
		"text": func(w io.Writer) error { return format.Site(w, site) },
		"json": func(w io.Writer) error { return format.JSON(w, site) },
		"line": func(w io.Writer) error { return format.JSONLine(w, site) },
		"document": func(w io.Writer) error {
			d := format.NewDocument(w, "sites")
			return errors.Join(d.Add(site), d.Close(""))
		},
		"file": func(w io.Writer) error {
			f := sitefile.NewWriter(w, sitefile.NDJSON)
			return errors.Join(f.Write(site), f.Flush())
		},
		"new": func(w io.Writer) error {
			return table(w, []string{"SETTINGS"}, "", []string{format.NewSiteCells(site)[5]})
		},
	} {
		var got bytes.Buffer
		if err := write(&got); err != nil || got.Len() < 10 {
			t.Errorf("%s: %v: %q", name, err, &got)
		}
		if strings.ContainsAny(got.String(), "\x1b\u009b\u202e\x7f") {
			t.Errorf("%s: %q", name, &got)
		}
	}
}
