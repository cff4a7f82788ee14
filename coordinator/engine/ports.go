package engine

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// The engine calls its ports one after the other, never under its lock; see handover.
// A port must return at once, and must not call the Engine from the same call.

// Panel asks the verifliers. Its answers arrive at Engine.Decide and Engine.Looked.
type Panel interface {
	// Ask holds a ballot.
	Ask(Question)
	// Abandon stops an open ballot; its answer no longer matters.
	Abandon(site check.SiteID, ballot uint32)
	// Look asks any one veriflier for a second look.
	Look(Question)
}

// Committer writes to the store. Its answers arrive at Engine.Committed and Engine.Refused.
type Committer interface {
	// Record commits a change; each site has at most one at a time.
	Record(record.Change)
	// Keep keeps the evidence of a ballot that opened no outage.
	Keep(record.Ballot)
	// Full reports whether too many changes wait: while they do, the engine decides nothing
	// new. The engine calls Full before it takes its lock.
	Full() bool
}

// Session sends to one checker.
type Session interface {
	// Assign sends a batch, under a term; it must not block. It must not keep the targets
	// after it returns. It returns false when it cannot take the batch: the engine then
	// ends the session.
	Assign(b dispatch.Batch, targets []check.Target, term uint64) bool
	// Revoke takes batches back, if the session has room for the message.
	Revoke([]dispatch.Ref)
	// End closes the session.
	End(reason string)
}

// Question asks the verifliers about one site.
type Question struct {
	Site   check.SiteID
	Ballot uint32
	Round  uint8
	Target check.Target
	// Trace is the step that asks; zero when it is of no trace.
	Trace traceid.Context
}

// Answer is the panel's answer to Ask.
type Answer struct {
	Question Question
	Verdict  quorum.Verdict
	Rule     quorum.Rule
	// Opened and Decided are when the ballot began and ended.
	Opened, Decided time.Time
	Votes           []record.Vote
}

// Opinions returns the votes in the form that quorum judges, in their order.
func (a Answer) Opinions() []quorum.Opinion { return Opinions(a.Votes) }

// Opinions returns votes in the form that quorum judges, in their order.
func Opinions(votes []record.Vote) []quorum.Opinion {
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
