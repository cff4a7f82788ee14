package format_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// top is a screen of two coordinators, one of them with an alarm.
func top(now time.Time) *format.Top {
	ago := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(-d)) }
	share := func(s float64) *float64 { return &s }
	f := &monitorv1.Fleet{
		Coordinator: &monitorv1.CoordinatorStatus{Node: "c1", Sites: 1_000_000, DownSites: 30, Coverage: share(1), Stretch: 1, Shards: 16, LatenessP99Millis: 40, StartTime: ago(time.Hour)},
		Peers: []*monitorv1.PeerStatus{
			{Node: "c2", Status: &monitorv1.CoordinatorStatus{Node: "c2", Sites: 1_000_000, DownSites: 4, Coverage: share(0.5), Stretch: 1.5, Shards: 15, LatenessP99Millis: 90, StartTime: ago(time.Hour)}},
			{Node: "c3", Detail: "connection refused"},
		},
		Rule:   rule(),
		Alarms: []*monitorv1.Alarm{{Kind: monitorv1.AlarmKind_ALARM_KIND_OVERLOAD, Message: "checkers do not keep up \x1b[31m", RaiseTime: ago(90 * time.Second)}},
	}
	for i := range uint32(32) {
		s := &monitorv1.ShardStatus{Shard: i, Owner: []string{"c1", "c2"}[i/16], ExpireTime: timestamppb.New(now.Add(time.Minute))}
		if i == 31 {
			s.Owner = ""
		}
		if i == 30 {
			s.ExpireTime = ago(time.Second)
		}
		f.Shards = append(f.Shards, s)
	}
	t := &format.Top{Address: "host:7800", Now: now, Every: 2 * time.Second, Fleet: f, Came: now, Rate: &format.Rate{Checks: 3333.4, Failures: 1.25}}
	for i := range 3 {
		t.Outages.All = append(t.Outages.All, &monitorv1.Outage{OutageId: int64(i), Url: "https://example.com/" + strings.Repeat("x", 200), Failure: checkv1.FailureKind_FAILURE_KIND_SERVER, HttpStatus: 502, StartTime: ago(time.Minute)})
	}
	t.Outages.All[0].Failure, t.Outages.More = checkv1.FailureKind_FAILURE_KIND_CONNECT, true
	t.Waiting.All = []*monitorv1.Notification{{CreateTime: ago(time.Second)}, {CreateTime: ago(65 * time.Second)}}
	t.Dead.Trouble = "not allowed"
	return t
}

func TestTopSumsUpTheFleetInItsHead(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 22, 50, 0, 0, time.UTC)
	screen := top(now)
	var text strings.Builder
	for _, line := range screen.Lines(0) {
		fmt.Fprintf(&text, "%d %s\n", line.Style, line.Text)
	}
	for _, want := range []string{
		"1 jetmon top  host:7800  22:50:00 UTC  every 2s\n0 c1 answers. Rule: 2 of 3 in 2 regions.\n",
		"2 2,000,000 sites  coverage 75.00 %  late p99 90ms, most 0s  intervals x1.50  3,333 checks/s, 1.2 fail  queued 0  open 0\n",
		"0 down 34  suspect 0  open outages 3+ (server 2, connect 1)  to be told 2 (since 1m5s)  dead letters ?  uncommitted 0\n",
		"2 OVERLOAD for 1m30s: checkers do not keep up ?[31m\n",
		"2 Shards AAAAAAAAAAAAAAAABBBBBBBBBBBBBB!.  A c1 (16)  B c2 (15)  . nobody (1)\n",
		"1 COORDINATOR  SITES", "connection refused", "1 OPEN OUTAGE  SITE  FOR",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	screen.Trouble, screen.Now = "the coordinator cannot be reached", now.Add(7*time.Second)
	if got := screen.Lines(0)[1]; got.Style != format.Wrong || got.Text != "What follows is of 7s ago: the coordinator cannot be reached" {
		t.Errorf("%+v", got)
	}
	if lines := (&format.Top{Now: now}).Lines(80); len(lines) != 2 || !strings.Contains(lines[1].Text, "Asking") {
		t.Errorf("before the first answer: %+v", lines)
	}
}

func TestTopStaysInTheWidthOfTheTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{1, 20, 80, 110} {
		for _, line := range top(time.Now()).Lines(width) {
			if n := len([]rune(line.Text)); n > width || strings.ContainsAny(line.Text, "\x1b\n") {
				t.Errorf("a line of %d cells has %d: %q", width, n, line.Text)
			}
		}
	}
}
