package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand is `jetmon version`.
type versionCommand struct{}

// Run prints the module's version, the commit if the build recorded it, and Go's version.
func (versionCommand) Run(p *program) error {
	version, commit := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " commit " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	_, err := fmt.Fprintf(p.Out, "jetmon %s%s %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
