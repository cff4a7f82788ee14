package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// The ports are the engine's ways out. It calls them one after the other, never under its
// lock; see handover. They must return at once, and not call an Engine in the same call.

// Panel asks the verifliers. Its answers arrive at Engine.Decide and Engine.Looked.
type Panel interface {
	// Ask holds a ballot.
	Ask(Question)
	// Abandon stops a ballot that is under way; its answer no longer matters.
	Abandon(site check.SiteID, ballot uint32)
	// Look asks any one veriflier for a second look.
	Look(Question)
}

// Committer writes to the store. Its answers arrive at Engine.Committed and Engine.Refused.
type Committer interface {
	// Record commits a change; there is at most one a site at a time.
	Record(store.Change)
	// Keep keeps the evidence of a ballot that opened no outage.
	Keep(store.Ballot)
	// Full says that too many changes wait: until it is over nothing new is decided. It is
	// asked before a call takes the engine's lock.
	Full() bool
}

// Session is the engine's way to one checker.
type Session interface {
	// Assign hands a batch over, under a term; it must not block. The targets are lent
	// until it returns. False means that the session cannot take it and will be ended.
	Assign(b dispatch.Batch, targets []check.Target, term uint64) bool
	// Revoke takes batches back, if the session has room for the message.
	Revoke([]dispatch.Ref)
	// End closes the session.
	End(reason string)
}

// Question is one site to ask the verifliers about.
type Question struct {
	Site   check.SiteID
	Ballot uint32
	Round  uint8
	Target check.Target
}

// Answer is the panel's answer to Ask.
type Answer struct {
	Question Question
	Verdict  quorum.Verdict
	Rule     quorum.Rule
	// Opened and Decided bound the ballot.
	Opened, Decided time.Time
	Votes           []store.Vote
}

// Opinions are the votes as quorum judges them, in their order.
func (a Answer) Opinions() []quorum.Opinion { return Opinions(a.Votes) }

// Opinions are votes as quorum judges them, in their order.
func Opinions(votes []store.Vote) []quorum.Opinion {
	out := make([]quorum.Opinion, len(votes))
	for i, v := range votes {
		out[i] = quorum.Opinion{Voter: quorum.Voter{Name: v.Veriflier, Region: v.Region}, Value: v.Value}
	}
	return out
}

// Look is the panel's answer to Look. Observation is nil when nobody answered.
type Look struct {
	Question    Question
	Veriflier   string
	At          time.Time
	Observation *check.Observation
}
