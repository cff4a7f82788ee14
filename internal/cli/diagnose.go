package cli

import (
	"context"
	"io"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/jetpackpb"
)

// Report selects how to print a diagnosis.
type Report struct {
	Out io.Writer
	// JSON prints it as the REST API does.
	JSON bool
	// Color colours the text.
	Color bool
}

// Diagnose diagnoses a site and prints the findings. It returns the worst verdict.
func Diagnose(ctx context.Context, d *jetpack.Diagnoser, t jetpack.Target, show Report) (jetpack.Verdict, error) {
	report, err := d.Diagnose(ctx, t)
	if err != nil {
		return "", fault.New(fault.Invalid, "%s: %w", t.URL, err)
	}
	if show.JSON {
		err = format.JSON(show.Out, jetpackpb.DiagnosisToProto(report))
	} else {
		err = format.Diagnosis(show.Out, report, show.Color)
	}
	return report.Worst(), err
}
