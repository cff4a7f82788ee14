// Package quorum decides one ballot: given who may vote, the rule and the votes
// so far, is the outage Confirmed, Rejected, Inconclusive, or still Pending?
//
// It is pure, and its answer does not depend on the order of the votes. The
// number of voters never shrinks because some do not answer: a veriflier that
// cannot be asked is an Unknown vote, which neither confirms nor rejects.
package quorum
