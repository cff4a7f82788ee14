package snapshot

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

var down = check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 503}

func TestASnapshotFitsWhateverASiteAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		checks int
		hop    string // where a redirect leads, without the scheme
		uncut  bool
	}{
		{"three checks with redirects to ampersands", 3, "example.com/?" + strings.Repeat("&", 287), true},
		{"eight checks with the longest redirects", 8, "example.com/?" + strings.Repeat("x", 980), false},
		{"eight checks with redirects to quotes", 8, strings.Repeat(`"`, 1000), false},
		{"eight checks with redirects to line separators", 8, strings.Repeat("\u2028", 333), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var m Snapshot
			for i := range tt.checks {
				o := down
				o.Reason, o.Detail = "reset", strings.Repeat(`"`, check.MaxDetailBytes)
				o.Headers = map[string]string{"server": strings.Repeat(`\`, 200)}
				for range check.MaxRedirects {
					o.Hops = append(o.Hops, check.Hop{Status: 302, URL: "http://" + tt.hop})
				}
				m.Checks = append(m.Checks, record.LocalCheck{Node: "n", At: time.Unix(int64(i), 0).UTC(), Observation: o})
			}
			last := m.Checks[tt.checks-1].Observation
			m.Last = &last
			before, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Update{Site: 42, Bucket: 7, Snapshot: m}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if len(s.State) > record.MaxSnapshotState {
				t.Fatalf("%d bytes are more than the store takes", len(s.State))
			}
			var got Snapshot
			if err := json.Unmarshal(s.State, &got); err != nil {
				t.Fatal(err)
			}
			if whole := reflect.DeepEqual(got, m); whole != tt.uncut {
				t.Errorf("the snapshot is whole: %v", whole)
			}
			if n := len(got.Checks); n != tt.checks || !reflect.DeepEqual(got.Checks[n-1], m.Checks[n-1]) {
				t.Errorf("of %d checks %d are left, or the newest is not whole", tt.checks, n)
			}
			for i, c := range got.Checks {
				want := m.Checks[i]
				c.Observation.Hops, want.Observation.Hops = nil, nil
				c.Observation.Headers, want.Observation.Headers = nil, nil
				if !reflect.DeepEqual(c, want) {
					t.Errorf("of check %d there is left %+v", i, c)
				}
			}
			if after, err := json.Marshal(m); err != nil || !bytes.Equal(before, after) {
				t.Errorf("what the caller knows was cut, too: %v", err)
			}
		})
	}
}

func TestASnapshotThatCannotBeCutToFitLosesItsEvidence(t *testing.T) {
	t.Parallel()
	m := Snapshot{State: lifecycle.State{Stage: lifecycle.Suspect, Failures: 2}}
	m.Checks = []record.LocalCheck{{Node: strings.Repeat("n", record.MaxSnapshotState), Observation: down}}
	s, err := Update{Site: 42, Bucket: 7, Snapshot: m}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got Snapshot
	if err := json.Unmarshal(s.State, &got); err != nil || got.State != m.State || len(got.Checks) != 0 {
		t.Errorf("%v: %d checks are left, and %+v", err, len(got.Checks), got.State)
	}
}
