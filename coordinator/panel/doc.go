// Package panel asks the configured verifliers and turns their answers into votes.
// What the votes mean together is quorum's to say; what follows from it is lifecycle's.
//
// A vote is UNKNOWN whenever the veriflier is no witness: an RPC error or timeout,
// an overload, a refusal by policy, an answer under another name or request id, or
// a self-check that fails or is stale.
//
// Goroutines, all under Run: the dispatcher ends with ctx; one a ballot or second
// look under way, at most Options.MaxBallots, and under each one a member asked,
// which end at their deadline, when the ballot is abandoned, or with ctx.
package panel
