// Package engine brings the decisions together: it owns the live state of every site of
// this coordinator and turns time, observations, verdicts and edits into checks to
// hand out, ballots to hold and changes to commit.
//
//	Tick ----> schedule ---> dispatch ---> Session.Assign      (checks go out)
//	CheckIn -> dispatch ---> lifecycle -+-> Panel.Ask, Look    (a verdict is wanted)
//	Decide, Looked --------> lifecycle -+-> Committer.Record   (a change is wanted)
//	Committed, Refused <--- the committer's answer
//
// The engine owns the lock, the ports and the order of steps. Each of its parts decides
// one question:
//
//	schedule   which sites are due
//	dispatch   which checker gets a check
//	checkers   how far to trust a checker
//	lifecycle  what an observation means for a site
//	changelog  whether a row that was read is older than an edit
//	snapshot   how much of a snapshot still counts
//	roster     the entries of the sites
//
// All methods are safe for concurrent use, take the time as an argument and return at once.
// A call collects its effects on the ports while it holds the lock, and hands them over in
// order after it has released the lock; see handover. When a call returns, its effects have
// been handed over. The engine starts no goroutine.
package engine
