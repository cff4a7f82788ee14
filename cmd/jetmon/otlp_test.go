package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/otlp"
)

func TestDevSendsTracesAndMetricsToTheCollectorThatItIsGiven(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	d := startDev(t, "--otlp-endpoint="+c.Endpoint(), "--trace-one-in=1", "--log-level=info")
	d.out.find(t, `(DOWN) `)
	d.stop(t) // sends what waits
	names := map[string]int{}
	for _, s := range c.Spans() {
		names[s.Name]++
		if s.Service != "jetmon-dev" {
			t.Fatalf("a span is of %q", s.Service)
		}
	}
	for _, name := range []string{"check", "judge", "ballot", "write status", "jetmon.veriflier.v1.VeriflierService/Verify"} {
		if names[name] == 0 {
			t.Errorf("no span %q among %v", name, names)
		}
	}
	for _, metric := range []string{"jetmon_sites", "jetmon_checker_check_seconds", "jetmon_trace_spans_sent_total", "go_goroutines"} {
		if c.Metric(metric) == nil {
			t.Errorf("no metric %s", metric)
		}
	}
}

func TestAGatewaySendsMetricsAlone(t *testing.T) {
	t.Parallel()
	c := otlp.New(t)
	g := start(t, "gateway", "--listen=127.0.0.1:0", "--coordinator=127.0.0.1:1", "--name=g1", "--otlp-endpoint="+c.Endpoint())
	g.errs.find(t, `(exporting to a collector)`)
	g.errs.find(t, `msg=(started)`)
	g.stop(t)
	if got := c.Services(); !slices.Equal(got, []string{"jetmon-gateway"}) || len(c.Spans()) != 0 {
		t.Errorf("%d spans, and something of %v", len(c.Spans()), got)
	}
}

func TestMistakesOfTheExportAreSaid(t *testing.T) {
	t.Parallel()
	for flag, says := range map[string]string{
		"--otlp-endpoint=ftp://x":   "must begin with http:// (plaintext) or https://",
		"--otlp-endpoint=collector": "must be a URL or HOST:PORT",
		"--otlp-signals=logs":       "otlp-signals",
	} {
		code, _, stderr := run(t, nil, "gateway", "--listen=127.0.0.1:0", "--coordinator=127.0.0.1:1", "--insecure", flag)
		if code != 2 || !strings.Contains(stderr, says) {
			t.Errorf("%s: code %d, %q", flag, code, stderr)
		}
	}
}

func TestVariablesThatAreNotUnderstoodAreSaidWithoutTheirSecrets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		good        bool
	}{
		{"OTEL_EXPORTER_OTLP_HEADERS", "", true},
		{"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret, x-tenant=7,", true},
		{"OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=7,Bearer secret", false},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "secret", false},
		{"OTEL_EXPORTER_OTLP_METRICS_HEADERS", "authorization: Bearer secret=", false},
		{"OTEL_EXPORTER_OTLP_HEADERS", "key=%secret", false},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4317", true},
		{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://me:secret%@collector", false},
	} {
		err := checkVariables(&program{LookupEnv: only(c.name, c.value)})
		if (err == nil) != c.good || err != nil && (strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), c.name)) {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
		}
	}
	env := map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "Bearer secret"}
	code, _, stderr := run(t, env, "gateway", "--listen=127.0.0.1:0", "--coordinator=127.0.0.1:1", "--insecure", "--otlp-endpoint=http://127.0.0.1:1")
	if code != 2 || strings.Contains(stderr, "secret") {
		t.Errorf("code %d, %q", code, stderr)
	}
}

// only is an environment of one variable.
func only(name, value string) func(string) (string, bool) {
	return func(asked string) (string, bool) {
		if asked != name {
			return "", false
		}
		return value, true
	}
}

func TestTheStandardVariablesAskForAnExport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flags otlpFlags
		env   map[string]string
		want  bool
	}{
		{want: false},
		{flags: otlpFlags{OTLPEndpoint: "http://x:1"}, want: true},
		{env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:1"}, want: true},
		{env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:1"}, want: true},
		{env: map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "a=b"}, want: false},
		{flags: otlpFlags{OTLPEndpoint: "http://x:1"}, env: map[string]string{"OTEL_SDK_DISABLED": "TRUE"}, want: false},
	} {
		p := &program{LookupEnv: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }}
		if got := c.flags.wanted(p); got != c.want {
			t.Errorf("%+v with %v: %v, want %v", c.flags, c.env, got, c.want)
		}
	}
}

func TestACollectorThatIsAwayIsNoHurdle(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--otlp-endpoint=http://127.0.0.1:1")
	d.out.find(t, `(DOWN) `)
	began := time.Now()
	d.stop(t)
	if took := time.Since(began); took > drainTimeout {
		t.Errorf("it ended after %s", took)
	}
}
