package tracing_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/traceid"
	"github.com/Automattic/jetmon/internal/tracing"
	"github.com/Automattic/jetmon/test/otlp"
)

// A message with one text that is no UTF-8 is refused as a whole, with the spans of other sites in it.
func TestTextsOfStrangersCostNoSpan(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true, Service: "jetmon-checker"})
	now, r := time.Now(), x.Spans()
	long := strings.Repeat("é", 100_000)
	for i, bad := range []string{"a\xffb", long, "x" + long} {
		r.Record(t.Context(), tracing.Span{
			Name: bad, Self: traceid.OfCheck(1, uint64(i), 1), Start: now, End: now, Failed: bad,
			Attributes: []attribute.KeyValue{attribute.String("text", bad), attribute.StringSlice("texts", []string{bad})},
		})
		r.RecordProbe(t.Context(), tracing.Probe{
			Self: traceid.OfCheck(2, uint64(i), 1), URL: "https://" + bad + ".example/" + bad + "?" + bad, End: now,
			Seen: check.Observation{Outcome: check.OutcomeDown, Reason: bad, Detail: bad, ResolvedAddress: bad}, Node: bad, Region: bad,
		})
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(c.Spans()); n != 6 {
		t.Fatalf("%d spans came, want 6", n)
	}
	for _, s := range c.Spans() {
		for _, text := range []string{s.Name, s.GetStatus().GetMessage()} {
			if len(text) > 2000 || !utf8.ValidString(text) {
				t.Errorf("a text of %d bytes came", len(text))
			}
		}
		for _, a := range s.GetAttributes() {
			for _, v := range append(a.GetValue().GetArrayValue().GetValues(), a.GetValue()) {
				if text := v.GetStringValue(); len(text) > 2*1024 || !utf8.ValidString(text) {
					t.Errorf("%s has %d bytes", a.GetKey(), len(text))
				}
			}
		}
	}
}

// The detail of a failure quotes where a site led, which may have secrets as its own URL has.
func TestWhyACheckFailedIsToldWithoutTheSecretsOfURLs(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	x := open(t, tracing.Options{Endpoint: c.Endpoint(), Traces: true})
	for i, detail := range []string{
		"redirected to https://example.com/login?token=secret&x=secret",
		"redirected to /login?secret",
		"redirected to https://me:secret@example.com/",
		"at https://me:secret@example.com/: redirected to //me:secret@example.com/?secret#secret",
	} {
		x.Spans().RecordProbe(t.Context(), tracing.Probe{
			Self: traceid.OfCheck(1, uint64(i), 1), URL: "https://example.com/", End: time.Now(),
			Seen: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "not_allowed", Detail: detail},
		})
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Spans() {
		if text := s.String(); strings.Contains(text, "secret") || !strings.Contains(s.GetStatus().GetMessage(), "redirected to ") {
			t.Errorf("a secret is in %s", text)
		}
	}
}
