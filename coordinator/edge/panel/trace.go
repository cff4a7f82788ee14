package panel

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/internal/tracing"
)

// traceBallot begins the span of a ballot. It returns a context for the questions, and what ends
// the span: with the answer, or without when there is none.
func (p *Panel) traceBallot(ctx context.Context, q engine.Question) (context.Context, func(*engine.Answer)) {
	ctx, end := p.o.Traces.Begin(ctx, tracing.Span{
		Name: "ballot", Self: q.BallotSpan(), Parent: q.Trace, Attributes: about(q),
	})
	return ctx, func(a *engine.Answer) {
		if a == nil {
			end("", attribute.Bool("jetmon.ballot.abandoned", true))
			return
		}
		end("", attribute.String("jetmon.verdict", strings.ToLower(a.Verdict.String())),
			attribute.Int("jetmon.rule.need", int(a.Rule.Need)), attribute.Int("jetmon.rule.of", len(a.Votes)))
	}
}

// traceLook begins the span of a second look, as traceBallot does.
func (p *Panel) traceLook(ctx context.Context, q engine.Question) (context.Context, func()) {
	ctx, end := p.o.Traces.Begin(ctx, tracing.Span{Name: "second look", Self: q.LookSpan(), Parent: q.Trace, Attributes: about(q)})
	return ctx, func() { end("") }
}

func about(q engine.Question) []attribute.KeyValue {
	return append(tracing.SiteURL(q.Target.URL), attribute.Int64("jetmon.site.id", int64(q.Site)),
		attribute.Int("jetmon.ballot", int(q.Ballot)), attribute.Int("jetmon.round", int(q.Round)))
}
