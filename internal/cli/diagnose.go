package cli

import (
	"context"
	"io"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/jetpackpb"
	"github.com/Automattic/jetmon/internal/jetpack/symptom"
)

// Report selects how to print a diagnosis.
type Report struct {
	Out io.Writer
	// JSON prints it as the REST API does.
	JSON bool
	// Color colours the text, whose lines have Width cells; 0 means the usual width.
	Color bool
	Width int
	// Symptom is what the site's owner sees; nil when nobody said.
	Symptom *symptom.Symptom
	// Support takes what to send to support; nil when nobody wants it. About is its origin.
	Support io.Writer
	About   format.About
}

// Diagnose diagnoses a site and prints the findings. It returns the worst verdict.
func Diagnose(ctx context.Context, d *jetpack.Diagnoser, t jetpack.Target, show Report) (jetpack.Verdict, error) {
	report, err := d.Diagnose(ctx, t)
	if err != nil {
		return "", fault.New(fault.Invalid, "%s: %w", t.URL, err)
	}
	style := format.Style{Color: show.Color, Width: show.Width}
	if show.Symptom != nil {
		style.Symptom = report.Answer(*show.Symptom)
	}
	if show.JSON {
		message := jetpackpb.DiagnosisToProto(report)
		message.Symptom = jetpackpb.AnsweredToProto(style.Symptom)
		err = format.JSON(show.Out, message)
	} else {
		err = format.Diagnosis(show.Out, report, style)
	}
	if err == nil && show.Support != nil {
		err = format.Support(show.Support, report, style.Symptom, show.About)
	}
	return report.Worst(), err
}
