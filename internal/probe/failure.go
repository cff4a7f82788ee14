package probe

import (
	"fmt"
	"unicode/utf8"

	"github.com/Automattic/jetmon/internal/check"
)

// failure is the reason why a check did not succeed. It is not an error: a fault of the
// site is the engine's result.
type failure struct {
	outcome check.Outcome
	kind    check.FailureKind
	reason  string
	detail  string
	// issuer is who issued the certificate that does not verify.
	issuer string
	// timedOut is true when the caller's deadline or the budget ended the check.
	timedOut bool
}

func down(kind check.FailureKind, reason, detail string) *failure {
	return &failure{outcome: check.OutcomeDown, kind: kind, reason: reason, detail: detail}
}

// unknown makes a failure that tells nothing about the site.
func unknown(kind check.FailureKind, reason, detail string) *failure {
	return &failure{outcome: check.OutcomeUnknown, kind: kind, reason: reason, detail: detail}
}

func outOfTime(kind check.FailureKind, reason, detail string) *failure {
	return &failure{outcome: check.OutcomeDown, kind: kind, reason: reason, detail: detail, timedOut: true}
}

func refused(reason, detail string) *failure {
	return unknown(check.FailurePolicy, reason, detail)
}

// panicked makes the failure for a panic inside the prober.
func panicked(v any) *failure {
	return unknown(check.FailureNone, "internal_error", printable(fmt.Sprintf("panic: %v", v), check.MaxDetailBytes))
}

// bug carries a panic from the goroutine that caught it to the code that reports it.
type bug struct{ value any }

func (b bug) Error() string { return fmt.Sprintf("panic: %v", b.value) }

// printable removes control characters and invalid UTF-8, and cuts to at most n bytes on
// the border of a character.
func printable(s string, n int) string {
	clean := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s[:min(len(s), n)]
	}
	out := make([]byte, 0, min(len(s), n))
	for _, r := range s {
		switch {
		case r == utf8.RuneError, r < ' ', r >= 0x7f && r < 0xa0, isFormatRune(r):
			continue
		case len(out)+utf8.RuneLen(r) > n:
			return string(out)
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// isFormatRune reports whether a character changes how a line is displayed: line and
// paragraph separators and the marks that change the direction of writing.
func isFormatRune(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}
