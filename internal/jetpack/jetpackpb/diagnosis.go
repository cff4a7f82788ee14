// Package jetpackpb turns diagnoses into the messages of the public API.
package jetpackpb

import (
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/jetpack"
)

// DiagnosisToProto converts a report.
func DiagnosisToProto(r *jetpack.Report) *monitorpb.Diagnosis {
	d := &monitorpb.Diagnosis{
		Url: r.URL, StartTime: timestamppb.New(r.Start), Duration: durationpb.New(r.Took), Conclusion: r.Conclusion,
	}
	for _, f := range r.Findings {
		d.Findings = append(d.Findings, &monitorpb.Finding{
			// The sections have the same numbers.
			Section: monitorpb.DiagnosisSection(f.Section), Check: f.Check, Verdict: verdict(f.Verdict), Cause: f.Cause,
			Evidence: f.Seen, Meaning: f.Means, Advice: f.Do,
		})
	}
	if r.Cause != nil {
		d.CauseCheck, d.Cause = r.Cause.Check, r.Cause.Cause
	}
	return d
}

func verdict(v jetpack.Verdict) monitorpb.FindingVerdict {
	switch v {
	case jetpack.Pass:
		return monitorpb.FindingVerdict_FINDING_VERDICT_PASS
	case jetpack.Warn:
		return monitorpb.FindingVerdict_FINDING_VERDICT_WARN
	case jetpack.Fail:
		return monitorpb.FindingVerdict_FINDING_VERDICT_FAIL
	case jetpack.Skipped:
		return monitorpb.FindingVerdict_FINDING_VERDICT_SKIPPED
	}
	return monitorpb.FindingVerdict_FINDING_VERDICT_UNSPECIFIED
}
