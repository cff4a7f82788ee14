package notify

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/internal/tracing"
)

// attemptSpan returns the span of an attempt, by its number, at a delivery; zero when it is of no
// trace. The change is stored with its trace, so whoever tells it, now or after another coordinator,
// does it in the same one.
func (d *Deliverer) attemptSpan(to int64, due *delivery.Due, number int) traceid.Context {
	if !d.o.Traces.On() || due.Change == nil || due.Change.Trace.IsZero() {
		return traceid.Context{}
	}
	return engine.WriteSpan(due.Change).Child(fmt.Sprintf("%d/%d", to, number))
}

// traced returns a context of the attempt that had an outcome, for what is logged and counted of it.
func (d *Deliverer) traced(s *subscription.Subscription, o *outcome) context.Context {
	return tracing.Inside(context.Background(), d.attemptSpan(s.ID, &o.due, o.due.Attempts+1))
}

// trace begins the span of an attempt, linked to the attempt before it. It returns what ends it.
func (r *run) trace(ctx context.Context, s *subscription.Subscription, d *delivery.Due) (context.Context, func(channel.Answer)) {
	number := d.Attempts + 1
	self := r.d.attemptSpan(s.ID, d, number)
	if self.IsZero() {
		return ctx, func(channel.Answer) {}
	}
	about := tracing.Span{
		Name: "notify", Kind: tracing.Client, Self: self, Parent: engine.WriteSpan(d.Change),
		Attributes: []attribute.KeyValue{
			attribute.Int64("jetmon.site.id", int64(d.SiteID)), attribute.Int64("jetmon.blog.id", int64(d.Change.BlogID)),
			attribute.Int("jetmon.shard", int(d.Shard)), attribute.String("jetmon.event.type", d.Type.String()),
			attribute.Int64("jetmon.subscription.id", s.ID), attribute.String("jetmon.notification.key", d.Key),
			attribute.Int("jetmon.attempt", number),
		},
	}
	if number > 1 {
		about.Link = r.d.attemptSpan(s.ID, d, number-1)
	}
	ctx, end := r.d.o.Traces.Begin(ctx, about)
	return ctx, func(a channel.Answer) {
		var more []attribute.KeyValue
		if a.HTTPStatus != 0 {
			more = append(more, attribute.Int("http.response.status_code", a.HTTPStatus))
		}
		if a.Verdict == channel.Accepted {
			end("", more...)
			return
		}
		end(a.Text, more...)
	}
}
