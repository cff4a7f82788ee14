package channel

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// Text returns what may be kept and shown of an answer, or of a reason why there was none: one
// line of at most MaxTextBytes, without control characters and marks of direction, and without secrets, which the other
// side may have sent back.
func Text(raw string, secrets ...string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted := strconv.Quote(secret)
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), quoted[1 : len(quoted)-1]} {
			raw = strings.ReplaceAll(raw, form, "[secret]")
		}
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(raw, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > MaxTextBytes {
		// The cut may go through a rune.
		text = strings.ToValidUTF8(text[:MaxTextBytes-len("...")], "") + "..."
	}
	return text
}
