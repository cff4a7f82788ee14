package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"
)

// versionCommand is `jetmon version`.
type versionCommand struct{}

// versionFlag is --version.
type versionFlag bool

// BeforeReset prints the version instead of running a command.
func (versionFlag) BeforeReset(app *kong.Kong, p *program) error {
	if err := (versionCommand{}).Run(p); err != nil {
		return err
	}
	app.Exit(exitOK)
	return nil
}

// release is the version of a build outside a repository, such as an image's: -ldflags
// "-X main.release=v1.2.3".
var release string

// Run prints the version.
func (versionCommand) Run(p *program) error {
	_, err := fmt.Fprintln(p.Out, version())
	return err
}

// version names the module's version, the commit if the build recorded it, and Go's version.
func version() string {
	version, commit := cmp.Or(release, "devel"), ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if release == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " commit " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return fmt.Sprintf("jetmon %s%s %s %s/%s", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// buildTime returns the time of the commit, if the build recorded it, or now.
func buildTime() time.Time {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	return time.Now()
}
