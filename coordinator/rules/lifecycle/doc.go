// Package lifecycle is the state machine of one site: what it means that a check
// failed, that a ballot was decided, that the site came back.
//
//	          fail                 fail x Failures            Confirmed
//	Up ---------------> Suspect ------------------> Verifying ---------> Down (status 0)
//	 ^ <-- up: a blip --'  ^                          |  |                |  fail after NoticeWindow
//	 |                     '-- Inconclusive: held ----'  |                v
//	 |<-- Rejected: a false alarm -----------------------'          ConfirmedDown (status 2)
//	 |                                                                |
//	 '---- up from another node (status 1) ---- Recovering <---- up --'
//	       and, if it flaps, for FlapHold
//
// It is pure: Step takes the time inside the event and returns the effects that
// the coordinator must carry out. It never decides how; it never talks to anyone.
package lifecycle
