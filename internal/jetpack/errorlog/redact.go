package errorlog

import (
	"regexp"
	"strings"
)

// maxExample is how much of an entry an example shows.
const maxExample = 300

// Text after these is never shown: values of parameters, of PHP's and JSON's members, and
// whole headers up to the end.
var (
	secretValue = regexp.MustCompile(`(?i)(^|[^a-z0-9])((?:access_|api_?|client_|blog_|user_)?(?:tokens?|key|secret|signature|sig|nonce|_wpnonce|body[-_]hash|hash|code|verify|pass(?:word|wd)?|pwd|auth|session)["'\]]{0,2} ?(?:=>|=|%3d) ?["']?)[^&"' ,;)\]]+`)
	secretJSON  = regexp.MustCompile(`(?i)("[a-z_]*(?:token|key|secret|signature|nonce|hash|code|verify|pass|pwd|auth|session)[a-z_]*" ?: ?)("[^"]*"?|[^,} ]+)`)
	secretLine  = regexp.MustCompile(`(?i)((?:authorization|cookie|password) ?:).*`)
)

// Redact makes a text safe to show. It cuts off queries, removes the values of secret
// parameters and authorization headers, replaces control characters by blanks, and
// shortens the text.
func Redact(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(cutQueries(s)), " ")
	s = secretLine.ReplaceAllString(s, "$1 ...")
	s = secretJSON.ReplaceAllString(s, `$1"..."`)
	s = secretValue.ReplaceAllString(s, "$1$2...")
	if len(s) <= maxExample {
		return s
	}
	return strings.ToValidUTF8(s[:maxExample], "") + "..."
}

// cutQueries replaces the text after a question mark inside a URL.
func cutQueries(s string) string {
	var b strings.Builder
	for {
		at := strings.IndexByte(s, '?')
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at+1])
		s = s[at+1:]
		end := strings.IndexAny(s, " \"'<>")
		if end < 0 {
			end = len(s)
		}
		if end > 0 {
			b.WriteString("...")
		}
		s = s[end:]
	}
}
