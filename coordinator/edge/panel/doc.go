// Package panel asks the configured verifliers and turns their answers into votes.
// quorum decides what the votes mean together, and lifecycle what follows from it.
//
// A vote is UNKNOWN whenever the veriflier could not tell: on an RPC error or timeout, an
// overload, a refusal by policy, an answer under another name or request id, or a
// self-check that fails or is stale.
//
// The panel stops asking a veriflier that does not answer at all. A trial in the background
// finds out when it answers again. Until then its vote is UNKNOWN at once; it still counts
// as one of N.
//
// Goroutines, all under Run:
//   - the dispatcher, and two per member: one that watches it while it is doubted, one that
//     greets it once a minute; they end with ctx, or when the member leaves the panel.
//   - one per member that left, which hangs up when no ballot can need it, or with ctx.
//   - one per ballot or second look under way, at most Options.MaxBallots, and under each
//     one per member asked. They end at their deadline, when the ballot is abandoned, when
//     the member is found to be silent, or with ctx.
//
// Consult needs no Run; it runs one goroutine per member and waits for all.
package panel
