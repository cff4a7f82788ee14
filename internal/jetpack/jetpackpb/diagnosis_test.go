package jetpackpb

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

func TestAReportIsConvertedWhole(t *testing.T) {
	t.Parallel()
	r := &jetpack.Report{
		URL: "https://example.com/", Start: time.Unix(1_700_000_000, 0), Took: 1500 * time.Millisecond, Conclusion: "so",
		Findings: []jetpack.Finding{
			{Section: jetpack.SectionWayIn, Check: "dns", Verdict: jetpack.Pass, Seen: "a"},
			{Section: jetpack.SectionXMLRPC, Check: "xmlrpc_post", Verdict: jetpack.Fail, Cause: "firewall", Seen: "b", Means: "c", Do: "d", Host: "e"},
			{Section: jetpack.SectionJetpack, Check: "clock", Verdict: jetpack.Warn},
			{Section: jetpack.SectionLogs, Check: "error_log", Verdict: jetpack.Skipped},
		},
	}
	r.Causes = []jetpack.Cause{
		{Cause: cause.Cause{Name: "firewall", Sure: cause.Certain, Means: "c", Owner: "d", Host: "e"}, Verdict: jetpack.Fail, Checks: []string{"xmlrpc_post", "xmlrpc_get"}},
	}
	want := &monitorv1.Diagnosis{
		Url: r.URL, StartTime: timestamppb.New(r.Start), Duration: durationpb.New(r.Took), Conclusion: "so", CauseCheck: "xmlrpc_post", Cause: "firewall",
		Causes: []*monitorv1.DiagnosedCause{{
			Cause: "firewall", Certainty: monitorv1.CauseCertainty_CAUSE_CERTAINTY_CERTAIN, Verdict: monitorv1.FindingVerdict_FINDING_VERDICT_FAIL,
			Meaning: "c", Advice: "d", HostAdvice: "e", Checks: []string{"xmlrpc_post", "xmlrpc_get"},
		}},
		Findings: []*monitorv1.Finding{
			{Section: monitorv1.DiagnosisSection_DIAGNOSIS_SECTION_WAY_IN, Check: "dns", Verdict: monitorv1.FindingVerdict_FINDING_VERDICT_PASS, Evidence: "a"},
			{Section: monitorv1.DiagnosisSection_DIAGNOSIS_SECTION_XMLRPC, Check: "xmlrpc_post", Verdict: monitorv1.FindingVerdict_FINDING_VERDICT_FAIL, Cause: "firewall", Evidence: "b", Meaning: "c", Advice: "d", HostAdvice: "e"},
			{Section: monitorv1.DiagnosisSection_DIAGNOSIS_SECTION_JETPACK, Check: "clock", Verdict: monitorv1.FindingVerdict_FINDING_VERDICT_WARN},
			{Section: monitorv1.DiagnosisSection_DIAGNOSIS_SECTION_LOGS, Check: "error_log", Verdict: monitorv1.FindingVerdict_FINDING_VERDICT_SKIPPED},
		},
	}
	got := DiagnosisToProto(r)
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if _, err := proto.Marshal(got); err != nil {
		t.Error(err)
	}
	if s := monitorv1.DiagnosisSection(jetpack.SectionSync); s != monitorv1.DiagnosisSection_DIAGNOSIS_SECTION_SYNC {
		t.Errorf("the section of the sync queue is %s", s)
	}
	if s := monitorv1.DiagnosisSection(jetpack.SectionMetadata); s != monitorv1.DiagnosisSection_DIAGNOSIS_SECTION_METADATA {
		t.Errorf("the section of the metadata is %s", s)
	}
}
