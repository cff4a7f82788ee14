package check

import "fmt"

// ReasonReadersDisagree is the reason of an UNKNOWN observation: the check engine saw a
// failure that rests on how the answer is read, and another reader saw a good page.
const ReasonReadersDisagree = "readers_disagree"

// SecondOpinion is how two independent readers on one node saw the same site.
type SecondOpinion struct {
	// Engine is the check engine's observation, Reader the other reader's.
	Engine, Reader Observation
}

// Disagree reports whether the reader saw a good page where the engine saw none.
func (s SecondOpinion) Disagree() bool {
	return s.Reader.Outcome == OutcomeUp && s.Engine.Outcome != OutcomeUp
}

// String describes both readings for people.
func (s SecondOpinion) String() string {
	return fmt.Sprintf("the engine saw %s, another reader %s", s.Engine.words(), s.Reader.words())
}

// words describes an observation in a few words.
func (o Observation) words() string {
	if o.Outcome == OutcomeUp {
		return fmt.Sprintf("a good page with HTTP status %d", o.HTTPStatus)
	}
	text := o.Failure.String()
	if o.Reason != "" {
		text += " (" + o.Reason + ")"
	}
	return text
}

// String returns the advisory as Advisory in check.proto names it, without the prefix.
func (a Advisory) String() string {
	names := [...]string{
		"UNSPECIFIED", "TLS_EXPIRING", "TLS_DEPRECATED", "SLOW", "IPV6_BROKEN", "HEAD_UNSUPPORTED", "PAGE_BROKEN", "PAGE_EMPTY",
		"PLACEHOLDER", "DIRECTORY_LISTING", "INSTALL_SCREEN", "PHP_SOURCE", "WORDPRESS_MESSAGE", "TLS_INVALID", "SLOWER_THAN_USUAL",
	}
	if int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("Advisory(%d)", uint8(a))
}

// String returns the kind as FailureKind in check.proto names it, without the prefix.
func (k FailureKind) String() string {
	names := [...]string{
		"NONE", "DNS", "CONNECT", "TLS", "TIMEOUT", "SERVER", "BLOCKED", "CLIENT", "REDIRECT",
		"CONTENT", "PARTIAL", "PROTOCOL", "POLICY",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("FailureKind(%d)", uint8(k))
}
