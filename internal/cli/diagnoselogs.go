package cli

import (
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/jetpack"
)

// DiagnoseLogs reads the logs of a site's server, titled name, and prints the findings. It
// returns the worst verdict.
func DiagnoseLogs(logs jetpack.Logs, name string, show Report) (jetpack.Verdict, error) {
	report, err := jetpack.ReadLogs(logs)
	if err != nil {
		return "", err
	}
	if show.JSON {
		err = format.LogsJSON(show.Out, report)
	} else {
		err = format.Logs(show.Out, name, report, show.Color)
	}
	return report.Worst(), err
}
