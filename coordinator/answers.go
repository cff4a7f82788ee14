package coordinator

import (
	"context"
	"log/slog"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/v1stats"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/feed"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/tracing"
)

// answers hands what the panel and the committer say to the engine, with the time, and the
// committer's good news to whoever else waits for it.
type answers struct {
	engine   *engine.Engine
	notify   *notify.Deliverer
	feed     *feed.Feed
	changes  *v1stats.ChangeLog // nil when none is written
	onChange func(StatusChange) // nil when nobody watches
	log      *slog.Logger
}

// Decided implements panel.Answers.
func (a answers) Decided(answer engine.Answer) { a.engine.Decide(time.Now(), answer) }

// Looked implements panel.Answers.
func (a answers) Looked(l engine.Look) { a.engine.Looked(time.Now(), l) }

// Committed implements committer.Answers.
func (a answers) Committed(c record.Change, done record.Committed) {
	a.engine.Committed(time.Now(), c, done)
	a.notify.Wake()
	a.feed.Nudge()
	a.log.InfoContext(tracing.Inside(context.Background(), c.Trace), "status changed", "site_id", c.SiteID, "blog_id", c.BlogID, "url", c.URL, "from", c.From, "to", c.To,
		"outage_id", done.OutageID, "failure", failureOf(c), "muted", c.Muted, "maintenance_id", done.Maintenance)
	if a.changes != nil {
		a.changes.Changed(c)
	}
	if a.onChange != nil {
		a.onChange(StatusChange{
			Site: c.SiteID, BlogID: c.BlogID, URL: c.URL, From: c.From, To: c.To,
			Start: c.Start, At: c.At, OutageID: done.OutageID, Cause: c.Cause,
		})
	}
}

// failureOf describes why a site is down, "" when it is not.
func failureOf(c record.Change) string {
	switch {
	case c.To == check.StatusRunning:
		return ""
	case c.Cause.Reason == "":
		return c.Cause.Failure.String()
	}
	return c.Cause.Failure.String() + " " + c.Cause.Reason
}

// Refused implements committer.Answers.
func (a answers) Refused(c record.Change, row *record.Site) { a.engine.Refused(time.Now(), c, row) }
