package tracing

import (
	"context"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
)

// Probe is a check that is over, as a span.
type Probe struct {
	// Self and Parent are as in Span; neither if the span of the context led to it.
	Self, Parent traceid.Context
	URL          string
	// End is when the check ended.
	End  time.Time
	Seen check.Observation
	// Node made it, in Region. Site is the site, 0 where nobody said.
	Node, Region string
	Site         check.SiteID
}

// RecordProbe records a check and, below it, the phases that it went through. It returns a context
// of the check.
func (r *Recorder) RecordProbe(ctx context.Context, p Probe) context.Context {
	if r == nil || p.Self.IsZero() && !Traced(ctx) {
		return ctx
	}
	start := p.End.Add(-p.Seen.Timing.Total)
	failed := ""
	if p.Seen.Outcome == check.OutcomeDown {
		failed = withoutSecrets(p.Seen.Detail)
		if failed == "" {
			failed = errorType(p.Seen)
		}
	}
	about := append(append(SiteURL(p.URL), seen(p.Seen)...), attribute.String("jetmon.node", p.Node), attribute.String("jetmon.region", p.Region))
	if p.Site != 0 {
		about = append(about, attribute.Int64("jetmon.site.id", int64(p.Site)))
	}
	ctx = r.Record(ctx, Span{
		Name: "check", Kind: Client, Self: p.Self, Parent: p.Parent, Start: start, End: p.End, Attributes: about, Failed: failed,
	})
	for _, phase := range phases(p.Seen.Timing) {
		r.Record(ctx, Span{Name: phase.name, Start: start.Add(phase.from), End: start.Add(phase.to)})
	}
	return ctx
}

type phase struct {
	name     string
	from, to time.Duration
}

// phases lays the phases of a check end to end. Of a check that was redirected each is the sum of
// all exchanges.
func phases(t check.Timing) []phase {
	all := []phase{{name: "dns", to: t.DNS}, {name: "connect", to: t.Connect}, {name: "tls", to: t.TLS}, {name: "wait", to: t.FirstByte}}
	out := all[:0]
	at := time.Duration(0)
	for _, p := range all {
		if took := min(p.to, t.Total-at); took > 0 {
			out = append(out, phase{p.name, at, at + took})
			at += took
		}
	}
	return out
}

// seen returns what a check saw, as attributes.
func seen(o check.Observation) []attribute.KeyValue {
	out := []attribute.KeyValue{attribute.String("jetmon.outcome", outcome(o.Outcome))}
	if o.HTTPStatus != 0 {
		out = append(out, attribute.Int("http.response.status_code", o.HTTPStatus))
	}
	switch o.Method {
	case check.MethodHead:
		out = append(out, attribute.String("http.request.method", "HEAD"))
	case check.MethodGet:
		out = append(out, attribute.String("http.request.method", "GET"))
	}
	if o.Outcome != check.OutcomeUp {
		out = append(out, attribute.String("error.type", errorType(o)))
	}
	if a, err := netip.ParseAddrPort(o.ResolvedAddress); err == nil {
		out = append(out, attribute.String("network.peer.address", a.Addr().String()), attribute.Int("network.peer.port", int(a.Port())))
	} else if o.ResolvedAddress != "" {
		out = append(out, attribute.String("network.peer.address", o.ResolvedAddress))
	}
	return out
}

func outcome(o check.Outcome) string {
	switch o {
	case check.OutcomeUp:
		return "up"
	case check.OutcomeDown:
		return "down"
	}
	return "unknown"
}

// errorType names a failure by its reason, or else by its kind.
func errorType(o check.Observation) string {
	if o.Reason != "" {
		return o.Reason
	}
	return strings.ToLower(o.Failure.String())
}

// SiteURL returns the attributes of a site's URL. Whoever reads traces need not know the secrets
// that URLs carry: user information, and the values of a query.
func SiteURL(raw string) []attribute.KeyValue {
	u, err := url.Parse(check.CompleteURL(raw))
	if err != nil || u.Host == "" {
		return []attribute.KeyValue{attribute.String("url.full", "INVALID")}
	}
	if u.User != nil {
		u.User = url.User("REDACTED")
	}
	if u.RawQuery != "" {
		u.RawQuery = redacted(u.RawQuery)
	}
	u.Fragment, u.RawFragment = "", ""
	return []attribute.KeyValue{attribute.String("url.full", u.String()), attribute.String("server.address", u.Hostname())}
}

// redacted returns a query without its values.
func redacted(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		if name, _, ok := strings.Cut(part, "="); ok {
			parts[i] = name + "=REDACTED"
		} else if part != "" {
			parts[i] = "REDACTED"
		}
	}
	return strings.Join(parts, "&")
}
