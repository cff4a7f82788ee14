package sqlstore

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// stored is one of everything that is kept as JSON, with no field left out.
type stored struct {
	Settings check.Settings
	Change   record.Change `json:"Notice"`
	Ballot   ballotEvidence
}

func everything() stored {
	at := time.Date(2026, 5, 13, 12, 0, 0, 123456789, time.UTC)
	saw := check.Observation{
		Outcome: check.OutcomeDown, Failure: check.FailureTLS, Reason: "expired", HTTPStatus: 526,
		Advisories: []check.Advisory{check.AdvisoryTLSExpiring, check.AdvisorySlow},
		Timing:     check.Timing{DNS: 1, Connect: 2, TLS: 3, FirstByte: 4, Total: 5},
		Phase:      check.PhaseTLS, Method: check.MethodHead, ResolvedAddress: "[2001:db8::1]:443", Protocol: "HTTP/2.0",
		Hops: []check.Hop{{Status: 302, URL: "https://example.com/<&>"}}, CertificateExpire: at,
		Headers: map[string]string{"cf-ray": "1"}, Detail: "ü",
	}
	self := check.SelfCheck{Healthy: true, Anchors: 2, Age: time.Second, Detail: "d"}
	checks := []record.LocalCheck{{Node: "n", Veriflier: true, At: at, Observation: saw}}
	votes := []record.Vote{{Veriflier: "v", Region: "r", Value: quorum.Down, UnknownReason: "u", At: at, Observation: &saw, SelfCheck: &self}}
	return stored{
		Settings: check.Settings{
			Method: check.MethodGet, RedirectPolicy: check.RedirectFail, Headers: []check.Header{{Name: "N", Value: "V"}},
			RequiredTexts: []string{"a"}, ForbiddenTexts: []string{"b"}, SlowAfter: time.Second,
		},
		Change: record.Change{
			Key: "k", SiteID: 1, BlogID: 2, Bucket: 3, URL: "https://example.com/", From: 1, To: 2, Since: at.Add(-time.Hour),
			Start: at, At: at, LastCheck: at, Checks: checks,
		},
		Ballot: ballotEvidence{Votes: votes, Checks: checks},
	}
}

// TestEvidenceOnDiskStaysReadable compares with what this program wrote once. When it
// fails because a field was added, write the new file beside the old one, which must
// stay readable; a field that was renamed must keep its old name in the JSON.
func TestEvidenceOnDiskStaysReadable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/evidence-1.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode[stored](string(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everything(), got); diff != "" {
		t.Errorf("what was written is no longer read (-want +got):\n%s", diff)
	}
	now, err := json.MarshalIndent(everything(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(now)+"\n"); diff != "" {
		t.Errorf("it is written in another form (-then +now):\n%s", diff)
	}
}
