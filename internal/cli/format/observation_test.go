package format_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cli/format"
)

func TestAnObservationAsText(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		seen check.Observation
		want string
	}{
		{"up over TLS", check.Observation{
			Outcome: check.OutcomeUp, HTTPStatus: 200, Method: check.MethodHead, Protocol: "HTTP/2.0", ResolvedAddress: "192.0.2.1:443",
			Hops:       []check.Hop{{Status: 301, URL: "https://a.example/"}},
			Timing:     check.Timing{DNS: 1500 * time.Microsecond, Connect: 20 * time.Millisecond, TLS: 30 * time.Millisecond, FirstByte: 123456 * time.Microsecond, Total: 2 * time.Second},
			Advisories: []check.Advisory{check.AdvisorySlow}, CertificateExpire: now.Add(49 * time.Hour),
			Headers: map[string]string{"server": "x\u009b31m", "age": "3"},
		}, `a title is UP
  redirect     301 to https://a.example/
  answer       200 OK by HEAD over HTTP/2.0
  address      192.0.2.1:443
  dns               1.5 ms
  connect          20.0 ms
  tls              30.0 ms
  first byte      123.5 ms
  total          2000.0 ms
  certificate  valid until 2026-05-15 (2 days)
  advisory     SLOW
  header       age: 3
  header       server: x?31m
`},
		{"down without an answer", check.Observation{
			Outcome: check.OutcomeDown, Failure: check.FailureDNS, Reason: "no_such_host", Phase: check.PhaseDNS, Detail: "no such host\x1b",
		}, `a title is DOWN: DNS (no_such_host) in phase DNS
  total             0.0 ms
  detail       no such host?
`},
		{"unknown, and nobody says why", check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy},
			"a title is UNKNOWN: POLICY in phase UNSPECIFIED\n  total             0.0 ms\n"},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := format.Observation(&b, "a title", tt.seen, now); err != nil || b.String() != tt.want {
			t.Errorf("%s: %v, got:\n%s\nwant:\n%s", tt.name, err, &b, tt.want)
		}
	}
	var b bytes.Buffer
	if err := format.Observation(&b, "2/3  http://a.example/\r", check.Observation{Outcome: check.OutcomeUp}, now); err != nil || !bytes.HasPrefix(b.Bytes(), []byte("2/3  http://a.example/? is UP\n")) {
		t.Errorf("%v, %q", err, &b)
	}
}

func TestASeriesComparesTheFirstCheckWithTheOthers(t *testing.T) {
	t.Parallel()
	total := func(ms ...int) (timings []check.Timing) {
		for _, n := range ms {
			timings = append(timings, check.Timing{Total: time.Duration(n) * time.Millisecond})
		}
		return timings
	}
	const rest = "  The others reuse DNS answers for their time and resume the TLS session (--tls-session-cache=0: full handshakes).\n"
	tests := []struct {
		name   string
		series format.Series
		want   string
	}{
		{"one alone", format.Series{Up: 1, Timings: total(80)}, `1 checks: 1 up, 0 down, 0 unknown
  ms                  first median of others
  dns                   0.0                -
  connect               0.0                -
  tls                   0.0                -
  first byte            0.0                -
  total                80.0                -
` + rest},
		{"the median of the others, whatever their order", format.Series{Up: 2, Down: 1, Unknown: 1, Timings: total(80, 9, 5, 7)}, `4 checks: 2 up, 1 down, 1 unknown
  ms                  first median of others
  dns                   0.0              0.0
  connect               0.0              0.0
  tls                   0.0              0.0
  first byte            0.0              0.0
  total                80.0              7.0
` + rest},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := format.Summary(&b, tt.series); err != nil || b.String() != tt.want {
			t.Errorf("%s: %v, got:\n%s\nwant:\n%s", tt.name, err, &b, tt.want)
		}
	}
}
