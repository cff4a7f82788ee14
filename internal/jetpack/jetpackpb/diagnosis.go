// Package jetpackpb converts diagnoses to the messages of the public API.
package jetpackpb

import (
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// DiagnosisToProto converts a report.
func DiagnosisToProto(r *jetpack.Report) *monitorv1.Diagnosis {
	d := &monitorv1.Diagnosis{
		Url: r.URL, StartTime: timestamppb.New(r.Start), Duration: durationpb.New(r.Took), Conclusion: r.Conclusion,
		GivenUrl: r.Given,
	}
	for _, f := range r.Findings {
		d.Findings = append(d.Findings, &monitorv1.Finding{
			// The sections have the same numbers.
			Section: monitorv1.DiagnosisSection(f.Section), Check: f.Check, Verdict: verdict(f.Verdict), Cause: f.Cause,
			Evidence: f.Seen, Meaning: f.Means, Advice: f.Do, HostAdvice: f.Host,
		})
	}
	for i, c := range r.Causes {
		if i == 0 {
			d.CauseCheck, d.Cause = c.Checks[0], c.Name
		}
		d.Causes = append(d.Causes, &monitorv1.DiagnosedCause{
			Cause: c.Name, Certainty: certainty(c.Sure), Verdict: verdict(c.Verdict), Meaning: c.Means, Advice: c.Owner, HostAdvice: c.Host, Checks: c.Checks,
		})
	}
	return d
}

func certainty(s cause.Sure) monitorv1.CauseCertainty {
	switch s {
	case cause.Certain:
		return monitorv1.CauseCertainty_CAUSE_CERTAINTY_CERTAIN
	case cause.Likely:
		return monitorv1.CauseCertainty_CAUSE_CERTAINTY_LIKELY
	case cause.Possible:
		return monitorv1.CauseCertainty_CAUSE_CERTAINTY_POSSIBLE
	}
	return monitorv1.CauseCertainty_CAUSE_CERTAINTY_UNSPECIFIED
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

// AnsweredToProto converts what a report says about a symptom; nil stays nil.
func AnsweredToProto(a *jetpack.Answered) *monitorv1.SymptomAnswer {
	if a == nil {
		return nil
	}
	return &monitorv1.SymptomAnswer{
		Symptom: a.Name, Words: a.Words, Meaning: a.Means, Causes: a.Causes, RuledOut: a.RuledOut, Unknown: a.Unknown, Advice: a.Else,
	}
}
