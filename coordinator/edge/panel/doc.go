// Package panel asks the configured verifliers and turns their answers into votes.
// What the votes mean together is quorum's to say; what follows from it is lifecycle's.
//
// A vote is UNKNOWN whenever the veriflier is no witness: an RPC error or timeout,
// an overload, a refusal by policy, an answer under another name or request id, or
// a self-check that fails or is stale.
//
// A veriflier that does not answer at all is not asked, until a trial in the background
// finds that it answers again. Its vote is UNKNOWN at once; it stays one of N.
//
// Goroutines, all under Run: the dispatcher, and one a member that looks after it while
// it is in doubt, end with ctx; one a ballot or second look under way, at most
// Options.MaxBallots, and under each one a member asked, which end at their deadline,
// when the ballot is abandoned, when the member is found to be silent, or with ctx.
// Consult, which needs no Run, waits for one goroutine a member.
package panel
