package main

import (
	"io"
	"os"

	"github.com/Automattic/jetmon/internal/cli/format"
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
	var err error
	if f.JSON {
		err = format.JSON(p.Out, jetpackpb.DiagnosisToProto(r))
	} else {
		err = format.Diagnosis(p.Out, r, f.color(p))
	}
	if err != nil {
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

// color decides whether texts are coloured.
func (f reportFlags) color(p *program) bool {
	if f.Color == "auto" {
		v, ok := p.LookupEnv("NO_COLOR")
		return (!ok || v == "") && isTerminal(p.Out)
	}
	return f.Color == "always"
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
