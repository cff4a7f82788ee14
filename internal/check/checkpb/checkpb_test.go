package checkpb_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/check/checkpb"
	"github.com/Automattic/jetmon/test/seeds"
)

// overTheWire marshals and unmarshals, as a peer would.
func overTheWire[M proto.Message](t rapid.TB, in, out M) M {
	t.Helper()
	b, err := proto.Marshal(in)
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	if err := proto.Unmarshal(b, out); err != nil {
		t.Fatalf("unmarshal: %v", err)
	}
	return out
}

func millis(unit time.Duration, limit int64) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(0, limit), func(n int64) time.Duration { return time.Duration(n) * unit })
}

func targets() *rapid.Generator[check.Target] {
	return rapid.Custom(func(t *rapid.T) check.Target {
		texts := rapid.SliceOfN(rapid.StringN(1, 40, checkpb.MaxTextBytes), 0, checkpb.MaxTexts)
		return check.Target{
			URL: rapid.StringMatching(`https?://[a-z]{1,20}\.example(:[1-9][0-9]{0,3})?(/[a-zA-Z0-9]{0,40})?(\?[a-z]=[0-9])?`).Draw(t, "url"),
			Settings: check.Settings{
				Method:         check.Method(rapid.IntRange(0, 3).Draw(t, "method")),
				RedirectPolicy: check.RedirectPolicy(rapid.IntRange(0, 2).Draw(t, "redirect")),
				Headers: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) check.Header {
					return check.Header{
						Name:  rapid.StringMatching(`X-[A-Za-z0-9!#$%&'*+.^_|~-]{1,20}`).Draw(t, "name"),
						Value: rapid.StringMatching(`([!-~]([ -~é]{0,30}[!-~])?)?`).Draw(t, "value"),
					}
				}), 0, checkpb.MaxHeaders).Draw(t, "headers"),
				RequiredTexts:  texts.Draw(t, "required"),
				ForbiddenTexts: texts.Draw(t, "forbidden"),
				SlowAfter:      millis(time.Millisecond, 60_000).Draw(t, "slow"),
			},
			Timeout:     millis(time.Millisecond, 60_000).Draw(t, "timeout"),
			HeadHostile: rapid.Bool().Draw(t, "hostile"),
		}
	})
}

func observations() *rapid.Generator[check.Observation] {
	text := func(limit int) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool {
			return r >= ' ' && (r < 0x7f || r > 0x9f)
		}), 0, limit/4, limit)
	}
	return rapid.Custom(func(t *rapid.T) check.Observation {
		o := check.Observation{
			Outcome:         check.Outcome(rapid.IntRange(1, 3).Draw(t, "outcome")),
			Reason:          rapid.StringMatching(`[a-z_0-9]{0,40}`).Draw(t, "reason"),
			HTTPStatus:      rapid.IntRange(0, 999).Draw(t, "status"),
			Phase:           check.Phase(rapid.IntRange(0, 7).Draw(t, "phase")),
			Method:          check.Method(rapid.IntRange(0, 3).Draw(t, "method")),
			ResolvedAddress: text(60).Draw(t, "address"),
			Protocol:        text(16).Draw(t, "protocol"),
			Headers:         rapid.MapOfN(rapid.StringMatching(`[a-z-]{1,20}`), text(200), 0, 16).Draw(t, "headers"),
			Detail:          text(check.MaxDetailBytes).Draw(t, "detail"),
			Advisories: rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(1, 5),
				func(n int) check.Advisory { return check.Advisory(n) }), 0, 5, rapid.ID[check.Advisory]).Draw(t, "advisories"),
			Timing: check.Timing{
				DNS:   millis(time.Microsecond, 1<<32-1).Draw(t, "dns"),
				TLS:   millis(time.Microsecond, 1<<32-1).Draw(t, "tls"),
				Total: millis(time.Microsecond, 1<<32-1).Draw(t, "total"),
			},
			Hops: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) check.Hop {
				return check.Hop{Status: rapid.IntRange(300, 399).Draw(t, "hop"), URL: text(900).Draw(t, "hop url")}
			}), 0, check.MaxRedirects).Draw(t, "hops"),
		}
		switch o.Outcome {
		case check.OutcomeDown:
			o.Failure = check.FailureKind(rapid.IntRange(0, 11).Draw(t, "failure"))
		case check.OutcomeUnknown:
			o.Failure = check.FailureKind(rapid.IntRange(0, 12).Draw(t, "failure"))
		}
		if rapid.Bool().Draw(t, "tls?") {
			o.CertificateIssuer = text(100).Draw(t, "issuer")
			o.CertificateExpire = time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "expire"), 7).UTC()
		}
		return o
	})
}

func TestTargetsSurviveTheWire(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		want := targets().Draw(t, "target")
		got, err := checkpb.TargetFromProto(overTheWire(t, checkpb.TargetToProto(want), &checkv1.Target{}))
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("changed on the way (-want +got):\n%s", d)
		}
	})
}

func TestObservationsSurviveTheWire(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		want := observations().Draw(t, "observation")
		got := checkpb.ObservationFromProto(overTheWire(t, checkpb.ObservationToProto(want), &checkv1.Observation{}))
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("changed on the way (-want +got):\n%s", d)
		}
	})
}

func TestSelfChecksSurviveTheWire(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		want := check.SelfCheck{
			Healthy: rapid.Bool().Draw(t, "healthy"),
			Anchors: rapid.IntRange(0, 1000).Draw(t, "anchors"),
			Age:     millis(time.Millisecond, 1<<32-1).Draw(t, "age"),
			Detail:  rapid.StringMatching(`[a-z ]{0,50}`).Draw(t, "detail"),
		}
		got := checkpb.SelfCheckFromProto(overTheWire(t, checkpb.SelfCheckToProto(want), &checkv1.SelfCheck{}))
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("changed on the way (-want +got):\n%s", d)
		}
	})
}

func TestANodeThatSaysNothingAboutItselfIsNotHealthy(t *testing.T) {
	t.Parallel()
	if s := checkpb.SelfCheckFromProto(nil); s.Healthy || s.Age < time.Hour || s.Detail == "" {
		t.Errorf("got %+v", s)
	}
}

func TestWrongTargetsAreRefusedByField(t *testing.T) {
	t.Parallel()
	header := func(name, value string) *checkv1.Target {
		return &checkv1.Target{Url: "https://a.example/", Headers: []*checkv1.Header{{Name: "X-Ok", Value: "1"}, {Name: name, Value: value}}}
	}
	tests := []struct {
		name   string
		target *checkv1.Target
		field  string
	}{
		{"no target at all", nil, "target"},
		{"no URL", &checkv1.Target{}, "target.url"},
		{"a URL without a scheme", &checkv1.Target{Url: "a.example"}, "target.url"},
		{"a URL of another scheme", &checkv1.Target{Url: "ftp://a.example/"}, "target.url"},
		{"a URL with a password", &checkv1.Target{Url: "https://u:p@a.example/"}, "target.url"},
		{"port 99999", &checkv1.Target{Url: "https://a.example:99999/"}, "target.url"},
		{"a URL of 301 bytes", &checkv1.Target{Url: "https://a.example/" + strings.Repeat("x", 283)}, "target.url"},
		{"a method from the future", &checkv1.Target{Url: "https://a.example/", Method: 77}, "target.method"},
		{"a negative method", &checkv1.Target{Url: "https://a.example/", Method: -1}, "target.method"},
		{"a redirect policy from the future", &checkv1.Target{Url: "https://a.example/", RedirectPolicy: 77}, "target.redirect_policy"},
		{"a timeout over a minute", &checkv1.Target{Url: "https://a.example/", TimeoutMillis: 60_001}, "target.timeout_millis"},
		{"slow after more than a minute", &checkv1.Target{Url: "https://a.example/", SlowAfterMillis: 60_001}, "target.slow_after_millis"},
		{"a header without a name", header("", "x"), "target.headers[1].name"},
		{"a header name with a blank", header("X Y", "x"), "target.headers[1].name"},
		{"a header name with a colon", header("X:", "x"), "target.headers[1].name"},
		{"Host, which the check sets", header("hOST", "x"), "target.headers[1].name"},
		{"Connection", header("Connection", "close"), "target.headers[1].name"},
		{"Transfer-Encoding, which smuggles", header("Transfer-Encoding", "chunked"), "target.headers[1].name"},
		{"Content-Length, which smuggles", header("Content-Length", "5"), "target.headers[1].name"},
		{"Upgrade", header("Upgrade", "h2c"), "target.headers[1].name"},
		{"a long header name", header(strings.Repeat("x", 101), ""), "target.headers[1].name"},
		{"a header value that starts a new line", header("X-A", "x\r\nHost: y"), "target.headers[1].value"},
		{"a header value with NUL", header("X-A", "x\x00"), "target.headers[1].value"},
		{"a long header value", header("X-A", strings.Repeat("x", 1001)), "target.headers[1].value"},
		{"a header value that ends with a space", header("X-A", "x "), "target.headers[1].value"},
		{"a null header", &checkv1.Target{Url: "https://a.example/", Headers: []*checkv1.Header{nil}}, "target.headers[0].name"},
		{"nine headers", &checkv1.Target{Url: "https://a.example/", Headers: make([]*checkv1.Header, 9)}, "target.headers"},
		{"nine required texts", &checkv1.Target{Url: "https://a.example/", RequiredTexts: make([]string, 9)}, "target.required_texts"},
		{"an empty required text", &checkv1.Target{Url: "https://a.example/", RequiredTexts: []string{"a", ""}}, "target.required_texts[1]"},
		{"a long forbidden text", &checkv1.Target{Url: "https://a.example/", ForbiddenTexts: []string{strings.Repeat("x", 201)}}, "target.forbidden_texts[0]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := checkpb.TargetFromProto(tt.target)
			fe, ok := errors.AsType[*checkpb.FieldError](err)
			if !ok {
				t.Fatalf("error is %v, want a FieldError", err)
			}
			if fe.Field != tt.field || fe.Description == "" || !strings.HasPrefix(err.Error(), tt.field+": ") {
				t.Errorf("got %q, want field %s", err, tt.field)
			}
		})
	}
}

func TestTheSmallestTargetIsValid(t *testing.T) {
	t.Parallel()
	got, err := checkpb.TargetFromProto(&checkv1.Target{Url: "https://example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(check.Target{URL: "https://example.com/"}, got); d != "" {
		t.Error(d)
	}
}

func TestAShortTimeoutDoesNotBecomeTheDefault(t *testing.T) {
	t.Parallel()
	p := checkpb.TargetToProto(check.Target{URL: "http://a.example/", Timeout: time.Microsecond})
	if p.GetTimeoutMillis() != 1 {
		t.Errorf("1 us became %d ms, want 1", p.GetTimeoutMillis())
	}
	p = checkpb.TargetToProto(check.Target{URL: "http://a.example/", Timeout: 5 * time.Hour})
	if p.GetTimeoutMillis() != 60_000 {
		t.Errorf("5 h became %d ms, want 60000", p.GetTimeoutMillis())
	}
}

func TestBytesThatAreNotUTF8DoNotSpoilTheBatch(t *testing.T) {
	t.Parallel()
	in := check.Target{
		URL:      "http://a.example/caf\xe9",
		Settings: check.Settings{RequiredTexts: []string{"ok", "caf\xe9"}, Headers: []check.Header{{Name: "X-A", Value: "\xff"}}},
	}
	p := overTheWire(t, checkpb.TargetToProto(in), &checkv1.Target{})
	if p.GetUrl() != "http://a.example/caf%E9" {
		t.Errorf("URL became %q", p.GetUrl())
	}
	if in.RequiredTexts[1] != "caf\xe9" {
		t.Error("the caller's target was changed")
	}
	overTheWire(t, checkpb.ObservationToProto(check.Observation{
		Outcome: check.OutcomeDown, Detail: "\xff", Reason: "\xff", Protocol: "\xff", ResolvedAddress: "\xff", CertificateIssuer: "\xff",
		Headers: map[string]string{"server": "\xff", "\xff": "x"}, Hops: []check.Hop{{URL: "\xff"}},
	}), &checkv1.Observation{})
}

func TestObservationsOfAHostileNodeAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é\n", 5000)
	in := &checkv1.Observation{
		Outcome: 99, Failure: 99, Reason: "Not a reason", HttpStatus: -5, Phase: -1, Method: 9,
		Detail: long, Protocol: long, ResolvedAddress: long, CertificateIssuer: long, Headers: map[string]string{long: "x", "": "x"},
		Advisories: make([]checkv1.Advisory, 1000),
	}
	for range 50 {
		in.Hops = append(in.Hops, &checkv1.Hop{HttpStatus: 301, Url: long}, nil)
	}
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		in.Headers[string(c)] = long
	}
	o := checkpb.ObservationFromProto(in)
	assertBounded(t, o)
	if o.Outcome != check.OutcomeUnknown || len(o.Hops) != check.MaxRedirects || len(o.Headers) != 16 {
		t.Errorf("outcome %d, %d hops, %d headers", o.Outcome, len(o.Hops), len(o.Headers))
	}
	if in.GetHops()[0].GetUrl() != long {
		t.Error("the message was changed")
	}
}

func TestContradictionsBecomeWeaker(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   *checkv1.Observation
		want check.Observation
	}{
		{"no observation", nil, check.Observation{Outcome: check.OutcomeUnknown}},
		{"no outcome", &checkv1.Observation{Failure: 1}, check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailureDNS}},
		{"down by policy is no failure of the site", &checkv1.Observation{Outcome: 2, Failure: 12},
			check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy}},
		{"up has no failure", &checkv1.Observation{Outcome: 1, Failure: 5}, check.Observation{Outcome: check.OutcomeUp}},
		{"down by a kind from the future stays down", &checkv1.Observation{Outcome: 2, Failure: 13}, check.Observation{Outcome: check.OutcomeDown}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tt.want, checkpb.ObservationFromProto(tt.in)); d != "" {
				t.Error(d)
			}
		})
	}
}

func assertBounded(t testing.TB, o check.Observation) {
	t.Helper()
	texts := map[string]int{o.Detail: 200, o.Reason: 64, o.Protocol: 16, o.ResolvedAddress: 80, o.CertificateIssuer: 100}
	for _, h := range o.Hops {
		texts[h.URL] = 1000
	}
	for k, v := range o.Headers {
		texts[k], texts[v] = 200, 200
	}
	for s, limit := range texts {
		if len(s) > limit || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x00\x7f\u0085") {
			t.Errorf("not bounded to %d: %q", limit, s)
		}
	}
	if len(o.Hops) > 10 || len(o.Headers) > 16 || len(o.Advisories) > 5 {
		t.Errorf("%d hops, %d headers, %d advisories", len(o.Hops), len(o.Headers), len(o.Advisories))
	}
	if o.Outcome == 0 || o.Outcome == check.OutcomeDown && o.Failure == check.FailurePolicy {
		t.Errorf("outcome %d with failure %d", o.Outcome, o.Failure)
	}
}

func FuzzObservationFromProto(f *testing.F) {
	for _, o := range []check.Observation{healthy(), failing()} {
		b, err := proto.Marshal(checkpb.ObservationToProto(o))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p checkv1.Observation
		if proto.Unmarshal(b, &p) != nil {
			return
		}
		once := checkpb.ObservationFromProto(&p)
		assertBounded(t, once)
		twice := checkpb.ObservationFromProto(overTheWire(t, checkpb.ObservationToProto(once), &checkv1.Observation{}))
		if d := cmp.Diff(once, twice, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("bounding is not stable (-once +twice):\n%s", d)
		}
	})
}

func FuzzTargetFromProto(f *testing.F) {
	f.Add([]byte{0x0a, 0x04, 'h', 't', 't', 'p'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p checkv1.Target
		if proto.Unmarshal(b, &p) != nil {
			return
		}
		got, err := checkpb.TargetFromProto(&p)
		if err != nil {
			if _, ok := errors.AsType[*checkpb.FieldError](err); !ok {
				t.Errorf("error %v names no field", err)
			}
			return
		}
		if _, err := checkpb.TargetFromProto(checkpb.TargetToProto(got)); err != nil {
			t.Errorf("what was accepted once is refused: %v", err)
		}
	})
}

func healthy() check.Observation {
	return check.Observation{
		Outcome: check.OutcomeUp, HTTPStatus: 200, Phase: check.PhaseDone, Method: check.MethodHead,
		Timing:          check.Timing{DNS: 1200 * time.Microsecond, Connect: 18 * time.Millisecond, TLS: 40 * time.Millisecond, FirstByte: 90 * time.Millisecond, Total: 150 * time.Millisecond},
		ResolvedAddress: "192.0.2.123:443", Protocol: "HTTP/1.1", CertificateExpire: time.Unix(1800000000, 0),
	}
}

func failing() check.Observation {
	return check.Observation{
		Outcome: check.OutcomeDown, Failure: check.FailureServer, Reason: "http_503", HTTPStatus: 503, Phase: check.PhaseDone,
		Method: check.MethodGet, Hops: []check.Hop{{Status: 301, URL: "https://www.a.example/"}},
		Headers: map[string]string{"server": "nginx", "retry-after": "120"}, Detail: "503 Service Unavailable",
	}
}

func TestAHealthyObservationIsSmallOnTheWire(t *testing.T) {
	t.Parallel()
	if n := proto.Size(checkpb.ObservationToProto(healthy())); n > 70 {
		t.Errorf("a healthy https observation takes %d bytes, want at most 70", n)
	}
}

func BenchmarkHealthyObservationToWire(b *testing.B) {
	o, buf := healthy(), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buf, err = (proto.MarshalOptions{}).MarshalAppend(buf[:0], checkpb.ObservationToProto(o)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf)), "wire-bytes/observation")
}

func BenchmarkHealthyObservationFromProto(b *testing.B) {
	p := checkpb.ObservationToProto(healthy())
	b.ReportAllocs()
	for b.Loop() {
		if o := checkpb.ObservationFromProto(p); o.Outcome != check.OutcomeUp {
			b.Fatal(o)
		}
	}
}

func BenchmarkTargetFromProto(b *testing.B) {
	p := checkpb.TargetToProto(check.Target{URL: "https://blog.example.com/", Timeout: 10 * time.Second})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := checkpb.TargetFromProto(p); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSecondOpinionsSurviveTheWire(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(t *rapid.T) {
		want := &check.SecondOpinion{Engine: observations().Draw(t, "engine"), Reader: observations().Draw(t, "reader")}
		got := checkpb.SecondOpinionFromProto(overTheWire(t, checkpb.SecondOpinionToProto(want), &checkv1.SecondOpinion{}))
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("changed on the way (-want +got):\n%s", d)
		}
	})
	if checkpb.SecondOpinionToProto(nil) != nil || checkpb.SecondOpinionFromProto(nil) != nil {
		t.Error("none became one")
	}
	if empty := checkpb.SecondOpinionFromProto(&checkv1.SecondOpinion{}); empty.Disagree() {
		t.Errorf("nothing at all disagrees: %v", empty)
	}
}
