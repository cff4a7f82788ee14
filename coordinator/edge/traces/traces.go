// Package traces spells the engine's steps as spans: names, and attributes in OpenTelemetry's
// words where it has some, else below "jetmon.".
//
// It decides nothing: the engine says which steps belong to which trace.
package traces

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/tracing"
)

// Tracer records the steps of an engine.
type Tracer struct{ to *tracing.Recorder }

// New makes a Tracer.
func New(to *tracing.Recorder) Tracer { return Tracer{to} }

// Record implements engine.Tracer.
func (t Tracer) Record(s engine.Step) {
	span := tracing.Span{Self: s.Self, Parent: s.Parent, Link: s.Link, Start: s.Start, End: s.End}
	about := make([]attribute.KeyValue, 0, 10)
	about = append(about,
		attribute.Int64("jetmon.site.id", int64(s.Site)), attribute.Int64("jetmon.blog.id", int64(s.Blog)),
		attribute.Int("jetmon.shard", int(shard.Of(s.Bucket))))
	switch {
	case s.Judged != nil:
		j := s.Judged
		span.Name = "judge"
		about = append(about,
			attribute.Stringer("jetmon.stage.before", j.Before), attribute.Stringer("jetmon.stage.after", j.After),
			attribute.Int("jetmon.failures", int(j.Failures)))
		if j.Node != "" {
			about = append(about, attribute.String("jetmon.node", j.Node))
		} else if j.Ballot != 0 {
			about = append(about, attribute.Int("jetmon.ballot", int(j.Ballot)))
		}
	case s.Written != nil:
		w := s.Written
		span.Name = "write status"
		about = append(append(about, tracing.SiteURL(s.URL)...),
			attribute.String("jetmon.status.before", statusName(w.From)), attribute.String("jetmon.status.after", statusName(w.To)))
		if w.OutageID != 0 {
			about = append(about, attribute.Int64("jetmon.outage.id", w.OutageID))
		}
	}
	span.Attributes = about
	t.to.Record(context.Background(), span)
}

func statusName(s check.Status) string {
	switch s {
	case check.StatusDown:
		return "down"
	case check.StatusRunning:
		return "running"
	case check.StatusConfirmedDown:
		return "confirmed_down"
	}
	return "unknown"
}
