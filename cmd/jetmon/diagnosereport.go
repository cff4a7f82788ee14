package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/jetpackpb"
)

// reportFlags say how a report is shown.
type reportFlags struct {
	JSON  bool   `name:"json" help:"Print JSON, as the API has it."`
	Color string `enum:"auto,always,never" default:"auto" help:"Colours: auto (on a terminal, unless NO_COLOR is set), always or never."`
}

// print shows a report of a site; something that fails is exit code 1.
func (f reportFlags) print(p *program, r *jetpack.Report) error {
	if f.JSON {
		if err := writeJSON(p.Out, jetpackpb.DiagnosisToProto(r)); err != nil {
			return err
		}
		return exitOf(r)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", strings.Map(printable, r.URL), r.Took.Round(time.Millisecond))
	writeFindings(&b, f.paint(p), r)
	if _, err := io.WriteString(p.Out, b.String()); err != nil {
		return err
	}
	return exitOf(r)
}

func exitOf(r *jetpack.Report) error {
	if r.Worst() == jetpack.Fail {
		return exitCode(exitFailed)
	}
	return nil
}

// paint colours texts, or leaves them as they are.
func (f reportFlags) paint(p *program) func(color, text string) string {
	plain := func(_, text string) string { return text }
	if f.Color == "never" {
		return plain
	}
	if f.Color == "auto" {
		if v, ok := p.LookupEnv("NO_COLOR"); ok && v != "" || !isTerminal(p.Out) {
			return plain
		}
	}
	return func(color, text string) string { return "\x1b[" + color + "m" + text + "\x1b[0m" }
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
