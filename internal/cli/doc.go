// Package cli implements the commands for people, one file per command: their requests,
// the order of these, and their output. internal/cli/format does the printing.
//
// It knows no flags, no environment and no exit codes. Like all of internal except the
// composition roots, it knows no role. cmd/jetmon converts flags to Options, and a
// command's result - an outcome, a verdict - to an exit code. A command that needs a role
// calls it over gRPC. Where only a role's own package can do the work, cmd/jetmon does it
// and passes the result in; the ballot of panel.Consult is the only example.
//
// An error of kind fault.Invalid is a mistake of the caller, as from a coordinator.
//
// ImportSites and DiagnoseMany start goroutines, which end with them: see there.
package cli
