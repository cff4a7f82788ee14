// Package jetpackpb converts diagnoses to the messages of the public API.
package jetpackpb

import (
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/jetpack"
)

// DiagnosisToProto converts a report.
func DiagnosisToProto(r *jetpack.Report) *monitorv1.Diagnosis {
	d := &monitorv1.Diagnosis{
		Url: r.URL, StartTime: timestamppb.New(r.Start), Duration: durationpb.New(r.Took), Conclusion: r.Conclusion,
	}
	for _, f := range r.Findings {
		d.Findings = append(d.Findings, &monitorv1.Finding{
			// The sections have the same numbers.
			Section: monitorv1.DiagnosisSection(f.Section), Check: f.Check, Verdict: verdict(f.Verdict), Cause: f.Cause,
			Evidence: f.Seen, Meaning: f.Means, Advice: f.Do,
		})
	}
	if r.Cause != nil {
		d.CauseCheck, d.Cause = r.Cause.Check, r.Cause.Cause
	}
	return d
}

func verdict(v jetpack.Verdict) monitorv1.FindingVerdict {
	switch v {
	case jetpack.Pass:
		return monitorv1.FindingVerdict_FINDING_VERDICT_PASS
	case jetpack.Warn:
		return monitorv1.FindingVerdict_FINDING_VERDICT_WARN
	case jetpack.Fail:
		return monitorv1.FindingVerdict_FINDING_VERDICT_FAIL
	case jetpack.Skipped:
		return monitorv1.FindingVerdict_FINDING_VERDICT_SKIPPED
	}
	return monitorv1.FindingVerdict_FINDING_VERDICT_UNSPECIFIED
}
