package format_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/cli/format"
)

func TestTwoReadingsAreShownSideBySide(t *testing.T) {
	t.Parallel()
	loop := check.Observation{
		Outcome: check.OutcomeDown, Failure: check.FailureRedirect, Reason: "loop", Phase: check.PhaseResponse, HTTPStatus: 302,
		Method: check.MethodHead, Protocol: "HTTP/1.1", ResolvedAddress: "192.0.2.1:80", Detail: "in a circle\x1b",
		Hops: []check.Hop{{Status: 302, URL: "http://a.example/"}}, Timing: check.Timing{DNS: 1500 * time.Microsecond, Total: 3 * time.Millisecond},
	}
	good := check.Observation{
		Outcome: check.OutcomeUp, HTTPStatus: 200, Method: check.MethodGet, Protocol: "HTTP/2", ResolvedAddress: "192.0.2.1:80",
		Timing: check.Timing{Total: 20 * time.Millisecond},
	}
	torn := loop
	torn.Outcome, torn.Reason = check.OutcomeUnknown, check.ReasonReadersDisagree
	server := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, Reason: "http_503"}
	tests := []struct {
		name string
		both check.SecondOpinion
		vote check.Observation
		want string
	}{
		{"they disagree", check.SecondOpinion{Engine: loop, Reader: good}, torn, `a title
              engine                           second opinion
  outcome     DOWN: REDIRECT (loop)            UP
  answer      302 Found by HEAD over HTTP/1.1  200 OK by GET over HTTP/2
  address     192.0.2.1:80                     192.0.2.1:80
  dns         1.5 ms                           -
  total       3.0 ms                           20.0 ms
  detail      in a circle?                     -
  redirect 1  302 to http://a.example/         -
The readers disagree: a veriflier votes UNKNOWN (readers_disagree).
`},
		{"they agree", check.SecondOpinion{Engine: server, Reader: server}, server, `a title
           engine                   second opinion
  outcome  DOWN: SERVER (http_503)  DOWN: SERVER (http_503)
A veriflier votes DOWN.
`},
		{"nothing is in doubt", check.SecondOpinion{Engine: server, Reader: check.Observation{Outcome: check.OutcomeUp}}, server, `a title
           engine                   second opinion
  outcome  DOWN: SERVER (http_503)  UP
A veriflier votes DOWN: this failure does not rest on how the answer is read.
`},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := format.SecondOpinion(&b, "a title", tt.both, tt.vote); err != nil || b.String() != tt.want {
			t.Errorf("%s: %v, got:\n%s\nwant:\n%s", tt.name, err, &b, tt.want)
		}
	}
}
