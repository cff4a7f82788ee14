package secondopinion

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/internal/check"
)

func down(kind check.FailureKind, reason string) check.Observation {
	return check.Observation{Outcome: check.OutcomeDown, Failure: kind, Reason: reason}
}

func TestAFailureIsInDoubtWhereItRestsOnReading(t *testing.T) {
	t.Parallel()
	plain := check.Target{Settings: check.Settings{RequiredTexts: []string{"hello"}, ForbiddenTexts: []string{"error"}}}
	latin := check.Target{Settings: check.Settings{RequiredTexts: []string{"hello", "Grüße"}, ForbiddenTexts: []string{"Störung"}}}
	onTheWay := check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "scheme", Hops: []check.Hop{{Status: 302, URL: "x:"}}}
	after := func(o check.Observation) check.Observation {
		o.Hops = []check.Hop{{Status: 302, URL: "http://a.test/caf%EF%BF%BD"}}
		return o
	}
	tests := []struct {
		name     string
		target   check.Target
		seen     check.Observation
		doubtful bool
	}{
		{"a loop of redirects", plain, down(check.FailureRedirect, "loop"), true},
		{"too many redirects", plain, down(check.FailureRedirect, "too_many"), true},
		{"a redirect that cannot be parsed", plain, down(check.FailureRedirect, "bad_location"), true},
		{"a redirect to where nobody can go", plain, down(check.FailureRedirect, "unroutable"), true},
		{"a redirect that the site's own rule forbids", plain, down(check.FailureRedirect, "not_allowed"), false},
		{"an answer that is not HTTP", plain, down(check.FailureProtocol, "not_http"), true},
		{"bad chunks", plain, down(check.FailureProtocol, "bad_chunking"), true},
		{"a body that is cut short", plain, down(check.FailurePartial, "cut_short"), true},
		{"an encoding that the engine does not know", plain, down(check.FailureContent, "unreadable_encoding"), true},
		{"a page judged as a whole", plain, down(check.FailureContent, "empty_page"), true},
		{"a plain required text", plain, down(check.FailureContent, "required_text_missing"), false},
		{"a plain forbidden text", plain, down(check.FailureContent, "forbidden_text_present"), false},
		{"a required text that depends on the charset", latin, down(check.FailureContent, "required_text_missing"), true},
		{"a forbidden text that depends on the charset", latin, down(check.FailureContent, "forbidden_text_present"), true},
		{"a handshake that fails", plain, down(check.FailureTLS, "handshake_failure"), true},
		{"a certificate that cannot be parsed", plain, down(check.FailureTLS, "bad_certificate"), true},
		{"an issuer that is not found", plain, down(check.FailureTLS, "unknown_issuer"), true},
		{"a date", plain, down(check.FailureTLS, "expired"), false},
		{"a date to come", plain, down(check.FailureTLS, "not_yet_valid"), false},
		{"a name", plain, down(check.FailureTLS, "wrong_host"), false},
		{"a refusal", plain, down(check.FailureTLS, "client_certificate_required"), false},
		{"a connection closed in the handshake", plain, down(check.FailureTLS, "closed"), false},
		{"a status", plain, down(check.FailureServer, "http_500"), false},
		{"another status", plain, down(check.FailureClient, "http_404"), false},
		{"a firewall", plain, down(check.FailureBlocked, "cloudflare"), false},
		{"a refused connection", plain, down(check.FailureConnect, "refused"), false},
		{"a name that does not exist", plain, down(check.FailureDNS, "nxdomain"), false},
		{"a page that does not exist, after a redirect", plain, after(down(check.FailureClient, "http_404")), true},
		{"a name that does not exist, after a redirect", plain, after(down(check.FailureDNS, "nxdomain")), true},
		{"a refused connection, after a redirect", plain, after(down(check.FailureConnect, "refused")), true},
		{"a server that fails, after a redirect", plain, after(down(check.FailureServer, "http_500")), false},
		{"a firewall, after a redirect", plain, after(down(check.FailureBlocked, "http_403")), false},
		{"a date, after a redirect", plain, after(down(check.FailureTLS, "expired")), false},
		{"a page that does not end", check.Target{Settings: check.Settings{RequiredTexts: []string{"hello"}}}, down(check.FailureTimeout, "body"), true},
		{"a page that does not end, without a text to find", check.Target{}, down(check.FailureTimeout, "body"), false},
		{"an answer that does not begin", check.Target{Settings: check.Settings{RequiredTexts: []string{"hello"}}}, down(check.FailureTimeout, "first_byte"), false},
		{"a page with a forbidden text that does not end", plain, down(check.FailureTimeout, "body"), false},
		{"a policy on the way", plain, onTheWay, true},
		{"a policy at once", plain, check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailurePolicy, Reason: "bad_url"}, false},
		{"a fault of this node", plain, check.Observation{Outcome: check.OutcomeUnknown, Failure: check.FailureTLS, Reason: "no_roots"}, false},
		{"a good page", plain, check.Observation{Outcome: check.OutcomeUp}, false},
		{"nothing", plain, check.Observation{}, false},
	}
	good := check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}
	for _, tt := range tests {
		if got := Doubtful(tt.target, tt.seen); got != tt.doubtful {
			t.Errorf("%s: in doubt %v, want %v", tt.name, got, tt.doubtful)
		}
		want := tt.seen
		if tt.doubtful {
			want.Outcome, want.Reason = check.OutcomeUnknown, check.ReasonReadersDisagree
			want.Detail = check.SecondOpinion{Engine: tt.seen, Reader: good}.String()
		}
		if d := cmp.Diff(want, Settle(tt.target, check.SecondOpinion{Engine: tt.seen, Reader: good})); d != "" {
			t.Errorf("%s, and a good page (-want +got):\n%s", tt.name, d)
		}
		for _, other := range []check.Observation{tt.seen, down(check.FailureServer, "http_500"), {Outcome: check.OutcomeUnknown}} {
			if d := cmp.Diff(tt.seen, Settle(tt.target, check.SecondOpinion{Engine: tt.seen, Reader: other})); other.Outcome != check.OutcomeUp && d != "" {
				t.Errorf("%s, and no good page (-want +got):\n%s", tt.name, d)
			}
		}
	}
}
