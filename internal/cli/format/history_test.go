package format_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

func TestPercentagesAreNeverRoundedUp(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]string{
		1: "100%", 0: "0%", 0.5: "50%", 0.99999: "99.999%", 0.9999999: "99.999%", 0.999949: "99.994%", 1.0 / 3: "33.333%", 0.9: "90%",
	} {
		if got := format.HistoryCells(&monitorv1.HistoryPoint{Turns: &monitorv1.TurnCounts{}, Uptime: &share})[1]; got != want {
			t.Errorf("%v is %s, want %s", share, got, want)
		}
	}
	if got := format.HistoryCells(&monitorv1.HistoryPoint{Turns: &monitorv1.TurnCounts{}})[1]; got != "-" {
		t.Errorf("nothing is %s", got)
	}
}

func TestARowOfATurnNamesItsChecker(t *testing.T) {
	t.Parallel()
	turn := &monitorv1.HistoryPoint{
		StartTime: timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), Code: monitorv1.TurnCode_TURN_CODE_GOOD,
		ResponseTime: durationpb.New(120 * time.Millisecond), Region: "europe", Checker: "checker-1",
	}
	want := "TIME 2026-01-02 03:04:05Z, CODE good, TOOK 120ms, REGION europe, CHECKER checker-1"
	if got := titled(format.HistoryTitles(true), format.HistoryCells(turn)); got != want {
		t.Errorf("a turn is %q, want %q", got, want)
	}
	turn.Region, turn.Checker = "", "" // its names are no longer kept
	if got := titled(format.HistoryTitles(true), format.HistoryCells(turn)); !strings.HasSuffix(got, "REGION -, CHECKER -") {
		t.Errorf("a turn of nobody is %q", got)
	}
}

// titled puts each title before its cell.
func titled(titles, cells []string) string {
	all := make([]string, len(cells))
	for i, cell := range cells {
		all[i] = titles[i] + " " + cell
	}
	return strings.Join(all, ", ")
}

func TestALineIsFromTheLeastToTheGreatest(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, tt := range []struct {
		values        []float64
		ascii, blocks string
	}{
		{nil, "", ""},
		{[]float64{0.1, 0.1}, "__", "▁▁"},
		{[]float64{0.1, nan, 10}, "_ @", "▁ █"},
		{[]float64{1, 2, 4, 8, 16, 32, 64, 128}, "_.-=+*#@", "▁▂▃▄▅▆▇█"},
		{[]float64{0, 5}, "__", "▁▁"},
	} {
		if a, b := (format.Chart{}).Line(tt.values), (format.Chart{Blocks: true}).Line(tt.values); a != tt.ascii || b != tt.blocks {
			t.Errorf("%v is %q, %q, want %q, %q", tt.values, a, b, tt.ascii, tt.blocks)
		}
	}
}

func TestABarHasACharacterADay(t *testing.T) {
	t.Parallel()
	days := []format.Day{{Up: 1, Known: true}, {Up: 0.995, Known: true}, {Up: 0.95, Known: true}, {Up: 0.5, Known: true}, {Known: true}, {}}
	if got := (format.Chart{}).Bar(days); got != "#+=-x." {
		t.Errorf("ASCII: %q", got)
	}
	if got := (format.Chart{Blocks: true}).Bar(days); got != "█▆▄▂▁·" {
		t.Errorf("blocks: %q", got)
	}
	if got := (format.Chart{Color: true}).Bar(days[:1]); got != "\x1b[32m#\x1b[0m" {
		t.Errorf("colours: %q", got)
	}
}

func TestHowASiteWas(t *testing.T) {
	t.Parallel()
	share := func(x float64) *float64 { return &x }
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	u := &monitorv1.SiteUptime{
		SiteId: 3, StartTime: timestamppb.New(start), EndTime: timestamppb.New(start.Add(720 * time.Hour)), KnownTime: timestamppb.New(start.Add(719 * time.Hour)),
		Uptime: share(0.9995), Coverage: share(0.987), WatchedTime: durationpb.New(700 * time.Hour), DownTime: durationpb.New(21 * time.Minute),
		UnobservedTime: durationpb.New(time.Minute), PausedTime: durationpb.New(0), Outages: 2, EndedOutages: 2,
		MeanTimeToRepair: durationpb.New(630 * time.Second), MeanTimeBetweenFailures: durationpb.New(350 * time.Hour), LongestOutage: durationpb.New(20 * time.Minute),
		ResponseTimes: &monitorv1.ResponseTimes{
			Checks: 8000, Min: durationpb.New(3 * time.Millisecond), P50: durationpb.New(123 * time.Millisecond), P95: durationpb.New(1234 * time.Millisecond),
			P99: durationpb.New(5 * time.Second), Max: durationpb.New(59 * time.Second),
		},
		Regions: []*monitorv1.RegionTimes{{Region: "eu\x1b[31m"}},
		Days:    []*monitorv1.HistoryPoint{{Uptime: share(1)}, {Uptime: share(0.97)}, {}},
	}
	var b bytes.Buffer
	if err := format.Uptime(&b, u, format.Chart{}); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"site 3 ", "uptime 99.95%", "coverage 98.7% of the checks", "watched 29d4h", "down 21m0s", "unobserved 1m0s", "outages 2", "time to repair 10m30s",
		"time between failures 14d14h", "longest outage 20m0s", "response time p50 123ms, p95 1.23s, p99 5.00s, 3.0ms to 59.0s in 8000 checks", "in eu?[31m -", " #=. a day: # up",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
	if strings.Contains(text, "paused") {
		t.Errorf("a pause of nothing is shown:\n%s", &b)
	}
	b.Reset()
	if err := format.Uptime(&b, &monitorv1.SiteUptime{}, format.Chart{}); err != nil || !strings.Contains(b.String(), "no check of the period is kept") {
		t.Errorf("%v\n%s", err, &b)
	}
}

func TestAFleetWithoutAnHourIsNoRiddle(t *testing.T) {
	t.Parallel()
	if got := format.FleetHistoryLine(nil, format.Chart{}); !strings.Contains(got, "within a quarter of an hour") {
		t.Errorf("nothing is %q", got)
	}
	one := &monitorv1.FleetHistoryPoint{ResponseTimes: &monitorv1.ResponseTimes{P50: durationpb.New(time.Second)}}
	if got := format.FleetHistoryLine([]*monitorv1.FleetHistoryPoint{one}, format.Chart{}); !strings.HasPrefix(got, "_ ") {
		t.Errorf("an hour is %q", got)
	}
}
