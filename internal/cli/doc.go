// Package cli is the commands for people, one file a command: what they ask, in which
// order, and what they print. internal/cli/format does the printing.
//
// It knows no flag, no environment and no exit code, and, as all of internal but the
// composition roots, no role. cmd/jetmon turns flags into Options, and what a command
// returns - an outcome, a verdict - into an exit code. A command that a role must answer
// speaks to it over gRPC; what only a role's own package can do is done by cmd/jetmon,
// which hands over the result: the ballot of panel.Consult is the one example.
//
// An error of kind fault.Invalid is a mistake of the caller's, as a coordinator sees it.
//
// It starts no goroutine.
package cli
