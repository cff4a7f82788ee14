// Package outlier detects a faulty checker: one whose failures jump across unrelated
// networks. Such failures say more about the checker than about the sites. When a whole
// region is faulty, the detector of each of its checkers trips.
//
// A hosting provider's outage, however large, does not make an outlier: its sites share
// networks. The detector therefore counts networks, not sites: of the networks that the
// checker probed within Window, the share on which a site that had been up failed.
//
//	trusted --- >= MinNetworks surprised, and >= Trip of those seen ---> quarantined
//	trusted <-- < Clear of those seen, for Window, with MinNetworks seen -- quarantined
//
// The package is pure: time arrives as an argument. Memory is bounded by the networks
// seen in one Window, at most MaxNetworks a checker.
package outlier
