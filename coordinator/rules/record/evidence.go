package record

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/internal/check"
)

// LocalCheck is one observation by a checker, or by a veriflier as a second look.
type LocalCheck struct {
	Node string
	// Region is that of a checker; empty when it names none.
	Region      string `json:",omitempty"`
	Veriflier   bool
	At          time.Time
	Observation check.Observation
}

// Ballot is the evidence of one ballot. It is complete: the verdict can be recomputed from it.
type Ballot struct {
	ID       int64
	SiteID   check.SiteID
	OutageID int64
	Bucket   check.BucketID
	Verdict  quorum.Verdict
	Rule     quorum.Rule
	Round    uint8
	// Opened and Decided bound the ballot; votes may be up to a second later.
	Opened, Decided time.Time
	Votes           []Vote
	// Checks has the failing checks that led to the ballot.
	Checks []LocalCheck
}

// Vote is one veriflier's vote with its evidence.
type Vote struct {
	Veriflier, Region string
	Value             quorum.Value
	// UnknownReason is the reason for the value Unknown.
	UnknownReason string
	At            time.Time
	// Observation and SelfCheck are nil when the veriflier did not answer.
	Observation *check.Observation
	SelfCheck   *check.SelfCheck
	// SecondOpinion has both readings where a failure was put to a second reader; else nil.
	SecondOpinion *check.SecondOpinion `json:",omitempty"`
}

// ReadersDisagree reports whether the vote is UNKNOWN because the veriflier's readers
// disagree.
func (v Vote) ReadersDisagree() bool {
	return v.Value == quorum.Unknown && v.SecondOpinion != nil && v.Observation != nil &&
		v.Observation.Reason == check.ReasonReadersDisagree
}
