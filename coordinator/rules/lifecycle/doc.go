// Package lifecycle is the state machine of one site: it decides what a failed check, a
// decided ballot or a good check means for the site.
//
//	          fail                 fail x Failures            Confirmed
//	Up ---------------> Suspect ------------------> Verifying ---------> Down (status 0)
//	 ^ <-- up: a blip --'  ^                          |  |                |  fail after NoticeWindow
//	 |                     '- Inconclusive: undecided '  |                v
//	 |<-- Rejected: a false alarm -----------------------'          ConfirmedDown (status 2)
//	 |                                                                |
//	 '---- up from another node (status 1) ---- Recovering <---- up --'
//	       and, if it flaps, for FlapHold
//
// The package is pure: Step takes the time inside the event and returns the effects that
// the engine must carry out. It decides what to do, never how.
package lifecycle
