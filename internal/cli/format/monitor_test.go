package format_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// at returns a time some seconds after noon on a day in May.
func at(seconds int) *timestamppb.Timestamp {
	return timestamppb.New(time.Date(2026, 5, 13, 12, 0, seconds, 0, time.UTC))
}

func rule() *monitorv1.QuorumRule { return &monitorv1.QuorumRule{Verifliers: 3, Need: 2, Regions: 2} }

func saw502() *checkv1.Observation {
	return &checkv1.Observation{
		Outcome: checkv1.Outcome_OUTCOME_DOWN, Failure: checkv1.FailureKind_FAILURE_KIND_SERVER, Reason: "http_502",
		HttpStatus: 502, Timings: &checkv1.Timing{TotalMicros: 12_400},
	}
}

func saw200() *checkv1.Observation {
	return &checkv1.Observation{Outcome: checkv1.Outcome_OUTCOME_UP, HttpStatus: 200, Timings: &checkv1.Timing{TotalMicros: 7_000}}
}

func ballot() *monitorv1.Ballot {
	return &monitorv1.Ballot{
		Verdict: monitorv1.Verdict_VERDICT_CONFIRMED, Rule: rule(), Round: 2, OpenTime: at(1), DecideTime: at(3),
		Votes: []*monitorv1.Vote{
			{Veriflier: "eu1", Region: "europe", Value: monitorv1.VoteValue_VOTE_VALUE_DOWN, Observation: saw502()},
			{Veriflier: "us1", Region: "america", Value: monitorv1.VoteValue_VOTE_VALUE_UP, Observation: saw200()},
			{Veriflier: "ap1", Region: "asia", Value: monitorv1.VoteValue_VOTE_VALUE_UNKNOWN, UnknownReason: "Unavailable: gone\x1b[2J"},
		},
	}
}

func outage() *monitorv1.Outage {
	return &monitorv1.Outage{
		OutageId: 7, SiteId: 3, Url: "http://a.example/", StartTime: at(0), ConfirmTime: at(3), StatusId: 0,
		Failure: checkv1.FailureKind_FAILURE_KIND_SERVER, Reason: "http_502", HttpStatus: 502, Rule: rule(), Round: 2,
	}
}

const ballotText = `
  eu1  europe   DOWN     down: server (http_502), HTTP status 502, 12ms
  us1  america  UP       up, HTTP status 200, 7ms
  ap1  asia     UNKNOWN  Unavailable: gone?[2J
`

// table writes rows, and a line below them if there is one.
func table(w io.Writer, titles []string, last string, rows ...[]string) error {
	t := format.NewTable(w, 0, titles...)
	for _, row := range rows {
		if err := t.Add(row...); err != nil {
			return err
		}
	}
	if last != "" {
		return t.Line(last)
	}
	return t.Flush()
}

func TestAnswersOfACoordinatorAsText(t *testing.T) {
	t.Parallel()
	full := outage()
	full.EndTime, full.Relapses, full.Votes = at(59), 2, ballot().GetVotes()
	full.Checks = []*monitorv1.LocalCheck{{Checker: "c1", EndTime: at(0), Observation: saw502()}, {Checker: "checker-2", EndTime: at(1)}}
	tests := []struct {
		name  string
		write func(io.Writer) error
		want  string
	}{
		{"no sites", func(w io.Writer) error { return table(w, format.SiteTitles(), "") },
			"ID  BLOG  STATE  STATUS  LAST CHECK  URL\n"},
		{"sites, and more of them", func(w io.Writer) error {
			return table(w, format.SiteTitles(), format.More,
				format.SiteCells(&monitorv1.Site{SiteId: 1, BlogId: 9000000001, State: monitorv1.SiteState_SITE_STATE_UP, StatusId: 1, LastCheckTime: at(5), Url: "http://a.example/"}),
				format.SiteCells(&monitorv1.Site{SiteId: 20, State: monitorv1.SiteState_SITE_STATE_PAUSED, StatusId: 1, Url: "http://bell.example/\a"}))
		}, `ID  BLOG        STATE   STATUS  LAST CHECK            URL
1   9000000001  up      1       2026-05-13 12:00:05Z  http://a.example/
20  0           paused  1       -                     http://bell.example/?
There are more: --limit=0 lists all.
`},
		{"outages", func(w io.Writer) error {
			return table(w, format.OutageTitles(), "", format.OutageCells(outage()), format.OutageCells(full))
		}, `ID  SITE  BEGAN                 OVER                  RULE                 FAILURE                             URL
7   3     2026-05-13 12:00:00Z  -                     2 of 3 in 2 regions  server (http_502), HTTP status 502  http://a.example/
7   3     2026-05-13 12:00:00Z  2026-05-13 12:00:59Z  2 of 3 in 2 regions  server (http_502), HTTP status 502  http://a.example/
`},
		{"an outage", func(w io.Writer) error { return format.Outage(w, full) },
			`Outage 7 of site 3, http://a.example/
Began 2026-05-13 12:00:00Z, confirmed 2026-05-13 12:00:03Z, over 2026-05-13 12:00:59Z; status 0.
Failure: server (http_502), HTTP status 502.
It came back 2 times for a while.
Checks that led to it:
  2026-05-13 12:00:00Z  c1         down: server (http_502), HTTP status 502, 12ms
  2026-05-13 12:00:01Z  checker-2  -
Confirmed in round 2 by the rule 2 of 3 in 2 regions:` + ballotText},
		{"a ballot", func(w io.Writer) error { return format.Ballot(w, "http://a.example/\n", ballot()) },
			`http://a.example/?
Verdict: CONFIRMED at 2026-05-13 12:00:03Z, round 2, 2 of 3 in 2 regions, after 2s` + ballotText},
		{"a replay that comes to the same", func(w io.Writer) error {
			return format.Replay(w, &monitorv1.ReplayOutageResponse{Ballot: ballot(), ReplayedVerdict: monitorv1.Verdict_VERDICT_CONFIRMED}, false)
		}, `Stored: CONFIRMED at 2026-05-13 12:00:03Z, round 2, 2 of 3 in 2 regions, after 2s` + ballotText +
			`Replayed by the rule 2 of 3 in 2 regions: CONFIRMED
`},
		{"a replay that does not, and another rule", func(w io.Writer) error {
			return format.Replay(w, &monitorv1.ReplayOutageResponse{
				Ballot: ballot(), ReplayedVerdict: monitorv1.Verdict_VERDICT_REJECTED,
				OtherRule: &monitorv1.QuorumRule{Verifliers: 3, Need: 3, Regions: 1}, OtherVerdict: monitorv1.Verdict_VERDICT_INCONCLUSIVE,
			}, true)
		}, `Stored: CONFIRMED at 2026-05-13 12:00:03Z, round 2, 2 of 3 in 2 regions, after 2s` + ballotText +
			`Replayed by the rule 2 of 3 in 2 regions: REJECTED
THAT IS NOT WHAT WAS STORED: please report it as a bug.
By the rule 3 of 3 in 1 regions: INCONCLUSIVE
`},
		{"an explanation of little", func(w io.Writer) error {
			return format.Explanation(w, &monitorv1.Explanation{
				Site: &monitorv1.Site{SiteId: 3, Url: "http://a.example/"}, Summary: "Up.", Rule: rule(),
			})
		}, `Site 3, http://a.example/
Up.
Rule: 2 of 3 in 2 regions.
`},
		{"an explanation of much", func(w io.Writer) error {
			return format.Explanation(w, &monitorv1.Explanation{
				Site: &monitorv1.Site{SiteId: 3, Url: "http://a.example/", NextCheckTime: at(30), RegionalFinding: &monitorv1.RegionalFinding{
					FindTime: at(4), DownRegions: []string{"asia"}, UpRegions: []string{"europe", "america"},
				}},
				Summary: "Down.", Withheld: "nothing", Checks: full.GetChecks()[:1], Rule: rule(), Ballot: ballot(), Outage: outage(),
				WouldChange: []string{"a check that works", "a ballot that rejects"},
			})
		}, `Site 3, http://a.example/
Down.
Withheld: nothing.
Regional at 2026-05-13 12:00:04Z: down from [asia], up from [europe america].
Next check: 2026-05-13 12:00:30Z.
Checks:
  2026-05-13 12:00:00Z  c1  down: server (http_502), HTTP status 502, 12ms
Rule: 2 of 3 in 2 regions.
Last decision: CONFIRMED at 2026-05-13 12:00:03Z, round 2, 2 of 3 in 2 regions, after 2s` + ballotText +
			`Outage 7: began 2026-05-13 12:00:00Z, confirmed 2026-05-13 12:00:03Z, over -.
What would change this:
  - a check that works
  - a ballot that rejects
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := tt.write(&b); err != nil || b.String() != tt.want {
				t.Errorf("%v, got:\n%s\nwant:\n%s", err, &b, tt.want)
			}
		})
	}
}

func TestTimesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-05-13T12:00:00Z", "2026-05-13 12:00:00Z", "2026-05-13T14:00:00+02:00"} {
		if got, err := format.ParseMoment(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-", "yesterday", "2026-05-13", "2026-05-13 12:00:00", "2026-13-01T12:00:00Z"} {
		if got, err := format.ParseMoment(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func TestJSONIsOneDocumentOrOneLine(t *testing.T) {
	t.Parallel()
	var document, line bytes.Buffer
	if err := format.JSON(&document, rule()); err != nil {
		t.Fatal(err)
	}
	if err := format.JSONLine(&line, rule()); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"verifliers\": 3,\n  \"need\": 2,\n  \"regions\": 2\n}\n"; document.String() != want {
		t.Errorf("%s, want %s", &document, want)
	}
	if want := `{"verifliers":3,"need":2,"regions":2}` + "\n"; line.String() != want {
		t.Errorf("%s, want %s", &line, want)
	}
	if err := format.JSON(io.Discard, &monitorv1.Site{Url: "\xff"}); err == nil || !strings.Contains(err.Error(), "encode the answer") {
		t.Errorf("text that is not UTF-8: %v", err)
	}
}
