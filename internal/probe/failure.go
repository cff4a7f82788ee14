package probe

import (
	"fmt"
	"unicode/utf8"

	"github.com/Automattic/jetmon/internal/check"
)

// failure is why a check did not end well. It is a verdict, not an error: what a site
// does wrong is the engine's result.
type failure struct {
	outcome check.Outcome
	kind    check.FailureKind
	reason  string
	detail  string
	// timedOut says that time ended the check: the caller's or the budget's.
	timedOut bool
}

func down(kind check.FailureKind, reason, detail string) *failure {
	return &failure{outcome: check.OutcomeDown, kind: kind, reason: reason, detail: detail}
}

// unknown is for what says nothing about the site.
func unknown(kind check.FailureKind, reason, detail string) *failure {
	return &failure{outcome: check.OutcomeUnknown, kind: kind, reason: reason, detail: detail}
}

func outOfTime(kind check.FailureKind, reason, detail string) *failure {
	return &failure{outcome: check.OutcomeDown, kind: kind, reason: reason, detail: detail, timedOut: true}
}

func refused(reason, detail string) *failure {
	return unknown(check.FailurePolicy, reason, detail)
}

// panicked is what a panic inside the prober comes to.
func panicked(v any) *failure {
	return unknown(check.FailureNone, "internal_error", printable(fmt.Sprintf("panic: %v", v), check.MaxDetailBytes))
}

// bug is a panic that was caught where it could not be reported yet.
type bug struct{ value any }

func (b bug) Error() string { return fmt.Sprintf("panic: %v", b.value) }

// printable takes out control characters and what is not UTF-8, and cuts to at most n
// bytes on the border of a character.
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

// isFormatRune tells characters that change how a line is shown: line and paragraph
// separators and the marks that turn the direction of writing.
func isFormatRune(r rune) bool {
	return r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}
