package trial_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/trial"
	"github.com/Automattic/jetmon/coordinator/rules/parity"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// store is a store of some sites and leases. waiting are the handovers that find
// notifications waiting.
type store struct {
	sites   []parity.Site
	leases  []shard.Lease
	waiting int
	done    []shard.ID
}

func (s *store) ScanParity(_ context.Context, f func([]parity.Site) error) error { return f(s.sites) }

func (s *store) ListShards(context.Context) ([]shard.Lease, error) { return s.leases, nil }

func (s *store) HandOver(_ context.Context, id shard.ID, taken time.Time) error {
	if s.waiting--; s.waiting >= 0 {
		return fault.New(fault.Conflict, "3 notifications wait to be accepted by WordPress.com")
	}
	s.done = append(s.done, id)
	return nil
}

func some() *store {
	t := shard.Trial{Since: now.Add(-time.Hour), Until: now.Add(time.Minute), Sample: 1}
	return &store{sites: []parity.Site{
		{ID: 1, BlogID: 10, Bucket: 3, URL: "https://up.example.com/", Trial: t, V1: parity.Side{Status: 1}, Ours: parity.Side{Status: 1}},
		{
			ID: 2, BlogID: 20, Bucket: 4, URL: "=cmd()\n", Trial: t, V1: parity.Side{Status: 1}, Ours: parity.Side{Status: 0, Since: now.Add(-time.Minute)},
			Cause: parity.Cause{Failure: check.FailureTLS, Reason: "expired"},
		},
		{ID: 3, BlogID: 30, Bucket: 20, URL: "https://forgotten.example.com/", Trial: t, V1: parity.Side{Status: 2, Since: now.AddDate(-1, 0, 0)}, Ours: parity.Side{Status: 1}},
	}}
}

func TestTheTableSaysWhatWordPressComWillHear(t *testing.T) {
	t.Parallel()
	var first []trial.Finding
	r, err := trial.Compare(t.Context(), some(), trial.Options{Now: now, Found: func(f *trial.Finding) error {
		first = append(first, *f)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := trial.Table(&out, r, first); err != nil {
		t.Fatal(err)
	}
	const want = `sites compared                                   3
  both call them up                              1
  both call them down                            0
  only v1 calls them down                        1
  only Jetmon calls them down                    1
sites not watched long enough, or at all         0
outages that only Jetmon saw                     0

v1's last changes        by both   only v1 Jetmon 1st  v1 first  median lead    90 % lead
  down                         0         0         0         0           0s           0s
  up again                     0         0         0         0           0s           0s

Why only Jetmon calls sites down; WordPress.com will be told DOWN of them:
          1  TLS, expired

The first sites that WordPress.com will hear of:
  DOWN           2  "=cmd()\n"  down since 2026-11-30T11:59:00Z: TLS, expired
  UP             3  "https://forgotten.example.com/"  v1 has it as down since 2025-11-30T12:00:00Z, and it is up
`
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	young := &parity.Report{}
	young.Sites[parity.Unwatched] = 5
	if err := trial.Table(&out, young, nil); err != nil || !strings.Contains(out.String(), "once it has been on trial for twice its interval") {
		t.Errorf("of young sites: %v, %s", err, out.String())
	}
	out.Reset()
	if err := trial.Table(&out, &parity.Report{}, nil); err != nil || !strings.HasPrefix(out.String(), "no shard is on trial") {
		t.Errorf("of no sites: %v, %s", err, out.String())
	}
}

func TestJSONAndCSVHaveEachSiteThatTheTwoDoNotAgreeAbout(t *testing.T) {
	t.Parallel()
	var text, lines strings.Builder
	j, err1 := trial.NewJSON(&text)
	c, err2 := trial.NewCSV(&lines)
	r, err3 := trial.Compare(t.Context(), some(), trial.Options{Now: now, Found: func(f *trial.Finding) error {
		return errors.Join(j.Found(f), c.Found(f))
	}})
	if err := errors.Join(err1, err2, err3, j.End(r), c.End()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Sites  []map[string]any
		Report struct {
			Compared int `json:"sites_compared"`
			Reasons  []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text.String()), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Sites) != 2 || got.Sites[0]["will_be_told"] != "DOWN" || got.Sites[1]["monitor_url"] != "https://forgotten.example.com/" ||
		got.Report.Compared != 3 || len(got.Report.Reasons) != 1 {
		t.Errorf("printed %s", text.String())
	}
	rows, err := csv.NewReader(strings.NewReader(lines.String())).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][3] != "'=cmd()\n" || rows[1][9] != "TLS" || rows[2][4] != "UP" || rows[2][7] != "1" {
		t.Errorf("printed %q, %v", rows, err)
	}
}

func TestAnErrorOfTheCallerEndsTheComparison(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	if _, err := trial.Compare(t.Context(), some(), trial.Options{Now: now, Found: func(*trial.Finding) error { return enough }}); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

func TestRangesOfBucketsAreWholeShards(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		first, last check.BucketID
		want        string
	}{
		{0, 15, ""}, {0, 511, ""}, {480, 511, ""},
		{0, 85, "0-85 cuts a shard of 16 buckets; the nearest range is 0-95"},
		{86, 170, "86-170 cuts a shard of 16 buckets; the nearest range is 80-175"},
		{16, 15, "16-15 is no range within 0-511"}, {0, 512, "0-512 is no range within 0-511"},
	} {
		_, err := trial.RangeOf(tt.first, tt.last)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d-%d: %v, want %q", tt.first, tt.last, err, tt.want)
		}
	}
}

// leases are of one shard on trial, one taken over, and one whose trial has ended.
func leases(now time.Time) []shard.Lease {
	on := shard.Trial{Since: now.Add(-time.Hour), Until: now.Add(15 * time.Second), Sample: 1}
	off := on
	off.Until = now.Add(-time.Hour)
	return []shard.Lease{{Shard: 0, Trial: on}, {Shard: 1, Taken: now.Add(-time.Hour)}, {Shard: 2, Trial: off}}
}

func TestAHandoverSaysFirstAndChangesWhatIsInTheOtherHand(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		order   trial.Order
		waiting int
		done    int
		says    string
		refused bool
	}{
		"without yes":                    {trial.Order{Range: trial.Range{First: 0, Last: 1}}, 0, 0, "Of 3 sites WordPress.com will hear, if they stay as they are: DOWN of 1, UP of 1. Not watched long enough: 0.\nnothing was changed: repeat the command with --yes\n", false},
		"with yes":                       {trial.Order{Range: trial.Range{First: 0, Last: 1}, Do: true}, 0, 1, "buckets 0-15 are Jetmon's\n", false},
		"again":                          {trial.Order{Range: trial.Range{First: 1, Last: 1}, Do: true}, 0, 0, "nothing to do: buckets 16-31 are Jetmon's already\n", false},
		"of a shard without a trial":     {trial.Order{Range: trial.Range{First: 0, Last: 2}, Do: true}, 0, 0, "", true},
		"of a shard that nobody claimed": {trial.Order{Range: trial.Range{First: 3, Last: 3}, Do: true}, 0, 0, "", true},
		"back":                           {trial.Order{Range: trial.Range{First: 0, Last: 1}, ToV1: true, Do: true}, 0, 1, "buckets 16-31 are v1's\n", false},
		"back, after a while":            {trial.Order{Range: trial.Range{First: 1, Last: 1}, ToV1: true, Do: true, Wait: 10 * time.Second}, 5, 1, "buckets 16-31 are v1's\n", false},
		"back, and WordPress.com is away": {trial.Order{Range: trial.Range{First: 1, Last: 1}, ToV1: true, Do: true, Wait: 10 * time.Second}, 50, 0,
			"", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := some()
			s.leases, s.waiting = leases(time.Now()), tt.waiting
			for i := range s.sites {
				s.sites[i].Trial = s.leases[0].Trial
			}
			var out strings.Builder
			err := trial.HandOver(t.Context(), s, tt.order, &out)
			if len(s.done) != tt.done || !strings.HasSuffix(out.String(), tt.says) || fault.Is(err, fault.Conflict) != tt.refused || !tt.refused && err != nil {
				t.Errorf("%s: %d done, %v, printed\n%s", name, len(s.done), err, out.String())
			}
		})
	}
}
