// Package engine is where decisions meet: it owns the live state of every site of
// this coordinator and turns time, observations, verdicts and edits into checks to
// hand out, ballots to hold and changes to commit.
//
//	Tick ----> schedule ---> dispatch ---> Session.Assign      (checks go out)
//	CheckIn -> dispatch ---> lifecycle -+-> Panel.Ask, Look    (a verdict is wanted)
//	Decide, Looked --------> lifecycle -+-> Committer.Record      (a change is wanted)
//	Committed, Refused <--- the committer's answer
//
// It has the lock, the ports and the order of steps. Its parts decide, and none of them
// knows another: who is due is schedule's, who gets a check is dispatch's, what a checker's
// word is worth is checkers', what an observation means is lifecycle's, whether what was
// read is older than an edit is changelog's, what of a snapshot counts is snapshot's; the
// records of the sites are roster's.
//
// All methods are safe for concurrent use, take the time as an argument and return at once.
// What a call has to tell the ports is written down as effects while it has the lock, and
// handed over in order when it has let go of it; see handover. When a call returns, its
// effects have been handed over. The engine starts no goroutine.
package engine
