package scenario

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/tracing"
	"github.com/Automattic/jetmon/test/fakesite"
	"github.com/Automattic/jetmon/test/otlp"
)

// traced begins a system in one process that sends its spans to a collector.
func traced(t *testing.T, oneIn uint32) (system, *otlp.Collector) {
	t.Helper()
	c := otlp.New(t)
	x, err := tracing.Open(t.Context(), tracing.Options{Endpoint: c.Endpoint(), Traces: true, Service: "jetmon", Registry: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return begin(t, inProcess(), setup{traces: x.Spans(), traceOneIn: oneIn}), c
}

// story is one trace, oldest span first.
type story []otlp.Span

// awaitStory waits until a trace of a site has a span with a name and an attribute, and returns it.
func awaitStory(t *testing.T, c *otlp.Collector, name, key string, value any) story {
	t.Helper()
	var found story
	await(t, "a trace has a span "+name, patience, func() bool {
		all := c.Spans()
		i := slices.IndexFunc(all, func(s otlp.Span) bool { return s.Name == name && s.Attribute(key) == value })
		if i < 0 {
			return false
		}
		found = slices.DeleteFunc(all, func(s otlp.Span) bool { return s.Trace() != all[i].Trace() })
		slices.SortStableFunc(found, func(a, b otlp.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
		return whole(found)
	})
	return found
}

// whole reports whether a trace has one root, and the parent of every other span.
func whole(spans story) bool {
	ids, roots := map[string]bool{}, 0
	for _, s := range spans {
		ids[s.ID()] = true
	}
	for _, s := range spans {
		if s.ParentID() == "" {
			roots++
		} else if !ids[s.ParentID()] {
			return false
		}
	}
	return roots == 1
}

// named returns the spans with a name.
func (s story) named(name string) (out story) {
	for _, span := range s {
		if span.Name == name {
			out = append(out, span)
		}
	}
	return out
}

// parent returns the span above another.
func (s story) parent(t *testing.T, of otlp.Span) otlp.Span {
	t.Helper()
	for _, span := range s {
		if span.ID() == of.ParentID() {
			return span
		}
	}
	t.Fatalf("%s has no parent in its trace", of.Name)
	return otlp.Span{}
}

// above returns the names from a span up to the root, as "notify < write status < ...".
func (s story) above(t *testing.T, of otlp.Span) string {
	t.Helper()
	path := []string{of.Name}
	for of.ParentID() != "" {
		of = s.parent(t, of)
		path = append(path, of.Name)
	}
	return strings.Join(path, " < ")
}

func TestAFailureIsOneTraceFromItsFirstCheckToTheNotice(t *testing.T) {
	t.Parallel()
	t.Run(inProcess().name, func(t *testing.T) {
		t.Parallel()
		s, c := traced(t, 0)
		target, healthy := fakesite.New(t), fakesite.New(t)
		id := s.rest.create(t, target.URL()+"?key=secret", 1).SiteID
		good := s.rest.create(t, healthy.URL(), 2).SiteID
		s.rest.awaitState(t, id, "UP")
		s.rest.awaitState(t, good, "UP")
		s.inbox.play(error500)
		target.SetStatus(http.StatusServiceUnavailable)
		s.rest.awaitState(t, id, "DOWN")
		down := awaitStory(t, c, "notify", "jetmon.attempt", int64(2))
		isOutageTrace(t, down)

		target.SetStatus(http.StatusOK)
		s.rest.awaitState(t, id, "UP")
		up := awaitStory(t, c, "notify", "jetmon.event.type", "SITE_UP")
		isRecoveryTrace(t, up, down)
		outage := s.rest.outages(t, id)[0].OutageID
		for _, told := range []story{down, up} {
			if got := told.named("write status")[0].Attribute("jetmon.outage.id"); strconv.FormatInt(got.(int64), 10) != outage {
				t.Errorf("the outage is %v, want %s", got, outage)
			}
		}
		if log := s.log(coordinator); !strings.Contains(log, "trace_id="+down[0].Trace()) {
			t.Error("no line of the log names the trace of the outage")
		}
		for _, span := range c.Spans() {
			if strings.Contains(span.String(), "secret") {
				t.Errorf("the secret of the URL is in %v", span)
			}
			if v := span.Attribute("jetmon.site.id"); v != nil && strconv.FormatInt(v.(int64), 10) == good {
				t.Errorf("the good site has a span: %v", span)
			}
		}
	})
}

// isOutageTrace checks the trace of an outage that was told at the second attempt.
func isOutageTrace(t *testing.T, down story) {
	t.Helper()
	const chain = "judge < check < judge < check < judge < check"
	attempts := down.named("notify")
	if got, want := down.above(t, attempts[0]), "notify < write status < judge < ballot < "+chain; got != want {
		t.Errorf("the notice is\n%s, want\n%s", got, want)
	}
	if n := len(attempts); n != 2 || len(attempts[0].Links) != 0 || len(attempts[1].Links) != 1 ||
		!bytes.Equal(attempts[1].Links[0].SpanId, attempts[0].SpanId) || attempts[0].GetStatus().GetMessage() == "" || attempts[1].GetStatus().GetMessage() != "" {
		t.Errorf("the attempts are %v", attempts)
	}
	voters := map[any]bool{}
	for _, s := range down.named("check") {
		if s.Attribute("error.type") == nil || s.Attribute("http.response.status_code") != int64(http.StatusServiceUnavailable) {
			t.Errorf("a check is %v", s)
		}
		if path := down.above(t, s); strings.Contains(path, "Verify") {
			voters[s.Attribute("jetmon.node")] = true
			const verify = "jetmon.veriflier.v1.VeriflierService/Verify"
			if want := "check < " + verify + " < " + verify + " < ballot < " + chain; path != want {
				t.Errorf("a vote is\n%s, want\n%s", path, want)
			}
		}
		if phases := len(down.below(s)); phases == 0 {
			t.Errorf("a check has no phases: %v", s)
		}
	}
	if len(voters) != len(verifliers()) {
		t.Errorf("the voters are %v", voters)
	}
	if ballots := down.named("ballot"); len(ballots) != 1 || ballots[0].Attribute("jetmon.verdict") != "confirmed" {
		t.Errorf("the ballots are %v", ballots)
	}
}

// below returns the spans right below another.
func (s story) below(parent otlp.Span) (out story) {
	for _, span := range s {
		if span.ParentID() == parent.ID() {
			out = append(out, span)
		}
	}
	return out
}

// isRecoveryTrace checks the trace of the end of an outage.
func isRecoveryTrace(t *testing.T, up, down story) {
	t.Helper()
	if got, want := up.above(t, up.named("notify")[0]), "notify < write status < judge < check < judge < check"; got != want {
		t.Errorf("the recovery is\n%s, want\n%s", got, want)
	}
	if up[0].Trace() == down[0].Trace() {
		t.Error("the recovery is in the trace of the failure")
	}
	for _, s := range up.named("judge") {
		if len(s.Links) != 1 || !bytes.Equal(s.Links[0].TraceId, down[0].TraceId) {
			t.Errorf("the recovery is not linked to its outage: %v", s)
		}
	}
}

func TestGoodChecksAreTracedOneInN(t *testing.T) {
	t.Parallel()
	t.Run(inProcess().name, func(t *testing.T) {
		t.Parallel()
		const oneIn, sites = 2, 3
		s, c := traced(t, oneIn)
		for i := range sites {
			s.rest.create(t, fakesite.New(t).URL(), i+1)
		}
		await(t, "some good checks are traced", patience, func() bool { return len(story(c.Spans()).named("check")) >= 10 })
		checks := c.Spans()
		for _, span := range checks {
			switch span.Name {
			case "check":
				if span.ParentID() != "" || span.Attribute("error.type") != nil {
					t.Errorf("a sampled check is %v", span)
				}
			case "dns", "connect", "tls", "wait":
			default:
				t.Errorf("a good check led to %v", span)
			}
		}
	})
}

func TestANoticeAfterATakeoverIsInTheTraceOfItsOutage(t *testing.T) {
	t.Parallel()
	t.Run(inProcess().name, func(t *testing.T) {
		t.Parallel()
		s, c := traced(t, 0)
		target := fakesite.New(t)
		id := s.rest.create(t, target.URL(), 1).SiteID
		s.rest.awaitState(t, id, "UP")
		s.inbox.become(error500)
		target.SetStatus(http.StatusServiceUnavailable)
		s.rest.awaitState(t, id, "DOWN")
		before := awaitStory(t, c, "notify", "jetmon.attempt", int64(1))
		s.crash(t, coordinator)
		s.inbox.become(well)
		s.restart(t)
		s.inbox.awaitTold(t, target.URL(), patience, 0)
		await(t, "the notice of the second coordinator is in the first one's trace", patience, func() bool {
			return slices.ContainsFunc(c.Spans(), func(span otlp.Span) bool {
				return span.Name == "notify" && span.Trace() == before[0].Trace() && span.GetStatus().GetMessage() == ""
			})
		})
	})
}
