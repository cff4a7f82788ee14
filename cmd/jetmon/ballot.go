package main

import (
	monitorv1 "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// showBallot prints what the verifliers say; the exit code is that of a probe.
func showBallot(p *program, url string, b *monitorv1.Ballot, asJSON bool) error {
	var err error
	if asJSON {
		err = format.JSON(p.Out, b)
	} else {
		err = format.Ballot(p.Out, url, b)
	}
	if err != nil {
		return err
	}
	switch b.GetVerdict() {
	case monitorv1.Verdict_VERDICT_REJECTED:
		return nil
	case monitorv1.Verdict_VERDICT_CONFIRMED:
		return exitDown
	}
	return exitUnknown
}
