// Package engine is where decisions meet: it owns the live state of every site of
// this coordinator and turns time, observations, verdicts and edits into checks to
// hand out, ballots to hold and changes to commit.
//
//	Tick ----> schedule ---> dispatch ---> Session.Assign      (checks go out)
//	CheckIn -> dispatch ---> lifecycle -+-> Panel.Ask, Look    (a verdict is wanted)
//	Decide, Looked --------> lifecycle -+-> Ledger.Record      (a change is wanted)
//	Committed, Refused <--- the ledger's answer
//
// It decides nothing itself: who is due is schedule's, who gets a check is
// dispatch's, what an observation means is lifecycle's. All methods are safe for
// concurrent use, take the time as an argument and return at once; everything
// slow is behind the ports, which must never call back in the same call.
// The engine starts no goroutine.
package engine
