package main

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/tracing"
)

// otlpFlags configure the export to a collector.
type otlpFlags struct {
	OTLPEndpoint string   `name:"otlp-endpoint" placeholder:"URL" help:"OpenTelemetry collector (OTLP over gRPC) that gets traces and metrics, as http://127.0.0.1:4317 (plaintext) or https://HOST:4317; none by default. Headers, certificates, time-outs and the like come from the standard variables OTEL_EXPORTER_OTLP_*, one of whose endpoints can stand for this flag."`
	OTLPSignals  []string `name:"otlp-signals" sep:"," enum:"traces,metrics" default:"traces,metrics" placeholder:"SIGNAL" help:"What the collector gets: traces, metrics or both."`
}

// gatewayRole has no spans: what it asks for is in no trace of a check.
const gatewayRole = "gateway"

// endpointVariables of OpenTelemetry ask for an export, too.
func endpointVariables() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"}
}

// checkVariables refuses values that the SDK would print as it ignores them: headers have secrets.
func checkVariables(p *program) error {
	for _, name := range endpointVariables() {
		value, _ := p.LookupEnv(name)
		if _, err := url.Parse(strings.TrimSpace(value)); err != nil {
			return usagef("%s: must be a URL", name)
		}
	}
	for _, signal := range []string{"", "TRACES_", "METRICS_"} {
		name := "OTEL_EXPORTER_OTLP_" + signal + "HEADERS"
		value, _ := p.LookupEnv(name)
		for i, header := range strings.Split(value, ",") {
			key, content, ok := strings.Cut(header, "=")
			_, err := url.PathUnescape(content)
			if strings.TrimSpace(header) != "" && (!ok || err != nil || !headerKey.MatchString(strings.TrimSpace(key))) {
				return usagef("%s: header %d is not KEY=VALUE, with %%XX for a comma and other odd characters of the value", name, i+1)
			}
		}
	}
	return nil
}

// headerKey is what a header may be called, by RFC 9110.
var headerKey = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

// wanted reports whether there is a collector.
func (f otlpFlags) wanted(p *program) bool {
	value := func(name string) string { text, _ := p.LookupEnv(name); return text }
	if strings.EqualFold(value("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	return f.OTLPEndpoint != "" || slices.ContainsFunc(endpointVariables(), func(name string) bool { return value(name) != "" })
}

// export begins the export of a process to the collector, if there is one. role and node name it; an
// empty node stands for the host name.
func (p *process) export(ctx context.Context, by *program, role, node string) error {
	if !p.otlp.wanted(by) {
		return nil
	}
	if err := checkVariables(by); err != nil {
		return err
	}
	node, err := nodeName(node)
	if err != nil {
		return err
	}
	p.exporting, err = tracing.Open(ctx, tracing.Options{
		Endpoint: p.otlp.OTLPEndpoint,
		Traces:   slices.Contains(p.otlp.OTLPSignals, "traces") && role != gatewayRole, Metrics: slices.Contains(p.otlp.OTLPSignals, "metrics"),
		Service: "jetmon-" + role, Instance: node, Version: version(), Registry: p.metrics, Log: p.log,
	})
	if err != nil {
		return usagef("--otlp-endpoint: %w", err)
	}
	p.log.Info("exporting to a collector", "endpoint", p.otlp.OTLPEndpoint, "signals", p.otlp.OTLPSignals)
	return nil
}

// traceFlag says how many good checks are traced.
type traceFlag struct {
	TraceOneIn uint32 `default:"100000" placeholder:"N" help:"With a collector of traces: record one in N good checks; 0: none. Failures are always recorded, with what came of them."`
}
