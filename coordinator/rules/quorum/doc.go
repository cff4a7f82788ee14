// Package quorum decides one ballot: given the voters, the rule and the votes so far, is
// the outage Confirmed, Rejected, Inconclusive, or still Pending?
//
// It is pure, and its verdict does not depend on the order of the votes. The number of
// voters does not shrink when some do not answer: a veriflier that cannot be reached counts
// as an Unknown vote, which neither confirms nor rejects.
package quorum
