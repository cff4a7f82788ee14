// Package outlier decides whether a witness, a checker, is sick: whether its failures
// jump across hosts that have nothing to do with each other. Such failures say more
// about the witness than about the sites. When a whole region is sick, each of its
// checkers is found to be.
//
// A hosting provider's outage is no outlier detection, however large: its sites share networks.
// What counts is therefore networks, not sites: the share of the networks looked at
// within Window on which a site that had been good was found failing.
//
//	well --- >= MinNetworks surprised, and >= Trip of those looked at ---> quarantined
//	well <-- < Clear of those looked at, for Window, with MinNetworks seen -- quarantined
//
// It is pure: time arrives as an argument. Memory is bounded by the networks seen in
// one Window, at most MaxNetworks a witness.
package outlier
