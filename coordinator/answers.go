package coordinator

import (
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// answers hands what the panel and the committer say to the engine, with the time, and the
// committer's good news to whoever else waits for it.
type answers struct {
	engine   *engine.Engine
	notify   *notify.Deliverer
	onChange func(StatusChange) // nil when nobody watches
}

// Decided implements panel.Answers.
func (a answers) Decided(answer engine.Answer) { a.engine.Decide(time.Now(), answer) }

// Looked implements panel.Answers.
func (a answers) Looked(l engine.Look) { a.engine.Looked(time.Now(), l) }

// Committed implements committer.Answers.
func (a answers) Committed(c record.Change, done record.Committed) {
	a.engine.Committed(time.Now(), c, done)
	a.notify.Wake()
	if a.onChange != nil {
		a.onChange(StatusChange{
			Site: c.SiteID, BlogID: c.BlogID, URL: c.URL, From: c.From, To: c.To,
			Start: c.Start, At: c.At, OutageID: done.OutageID, Cause: c.Cause,
		})
	}
}

// Refused implements committer.Answers.
func (a answers) Refused(c record.Change, row *record.Site) { a.engine.Refused(time.Now(), c, row) }
