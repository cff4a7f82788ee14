package secondopinion

import (
	"strings"

	"github.com/Automattic/jetmon/internal/check"
)

// Doubtful reports whether an observation of a target rests on how an answer was read, so
// that another mind could see a good page in the same bytes. A status, a refusal, a time-out
// and a rule of the site's own leave nothing to read. But after a redirect, a name or a page
// that does not exist may be one that the site never named.
func Doubtful(t check.Target, o check.Observation) bool {
	switch o.Outcome {
	case check.OutcomeDown:
	case check.OutcomeUnknown:
		// The policy refused where the site led us, and not what we were asked for.
		return o.Failure == check.FailurePolicy && len(o.Hops) > 0
	default:
		return false
	}
	switch o.Failure {
	case check.FailureProtocol, check.FailurePartial:
		return true
	case check.FailureRedirect:
		return o.Reason != "not_allowed" // the site's own rule
	case check.FailureContent:
		return !isPlainRule(t, o.Reason)
	case check.FailureTLS:
		return !isPlainTLS(o.Reason)
	case check.FailureTimeout:
		// Only the rest of a page may be missing whose texts are all there.
		return o.Reason == "body" && len(t.RequiredTexts) > 0 && len(t.ForbiddenTexts) == 0
	case check.FailureDNS, check.FailureConnect, check.FailureClient:
		return len(o.Hops) > 0 // which rest on reading Location and cookies
	}
	return false
}

// isPlainRule reports whether a CONTENT failure is a rule about plain text. What a text
// outside ASCII looks like depends on the page's charset, which has to be found first.
func isPlainRule(t check.Target, reason string) bool {
	switch reason {
	case "required_text_missing":
		return areASCII(t.RequiredTexts)
	case "forbidden_text_present":
		return areASCII(t.ForbiddenTexts)
	}
	return false
}

func areASCII(texts []string) bool {
	for _, text := range texts {
		if strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
			return false
		}
	}
	return true
}

// isPlainTLS reports whether a TLS failure is a date, a name, or a refusal by the peer. A
// handshake that failed for another reason is not: the server may speak only HTTP/2, or we
// may have misread its chain.
func isPlainTLS(reason string) bool {
	switch reason {
	case "expired", "not_yet_valid", "wrong_host",
		"client_certificate_required", "protocol_version", "unrecognized_name", "internal_error",
		"not_tls", "reset", "closed":
		return true
	}
	return false
}

// Settle returns what a node that got both observations of a target can say: the engine's,
// unless that is in doubt and the Reader saw a good page. Then the outcome is UNKNOWN with
// the reason readers_disagree.
func Settle(t check.Target, both check.SecondOpinion) check.Observation {
	if !both.Disagree() || !Doubtful(t, both.Engine) {
		return both.Engine
	}
	o := both.Engine
	o.Outcome, o.Reason, o.Detail = check.OutcomeUnknown, check.ReasonReadersDisagree, both.String()
	return o
}
