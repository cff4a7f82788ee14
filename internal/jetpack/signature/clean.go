package signature

import "strings"

// cleanURL is WordPress's esc_url_raw, as far as signatures depend on it: a site verifies the
// URL that is left after WordPress has cleaned it. So characters that have no place in a URL,
// and line breaks even if they are escaped, spoil a signature.
func cleanURL(raw string) string {
	raw = strings.ReplaceAll(raw, " ", "%20")
	var b strings.Builder
	for i := range len(raw) {
		if c := raw[i]; isURLByte(c) {
			b.WriteByte(c)
		}
	}
	cleaned := b.String()
	for {
		// What is left may make a further one.
		shorter := lineBreaks().Replace(cleaned)
		if shorter == cleaned {
			break
		}
		cleaned = shorter
	}
	return strings.ReplaceAll(cleaned, ";//", "://")
}

func lineBreaks() *strings.Replacer {
	return strings.NewReplacer("%0d", "", "%0a", "", "%0D", "", "%0A", "")
}

func isURLByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 ||
		strings.IndexByte("-~+_.?#=!&;,/:%@$|*'()[]", c) >= 0
}

// stripSlashes is PHP's stripslashes: a backslash goes, what follows stays, and a 0 after one
// is a NUL.
func stripSlashes(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i++; i < len(s) {
			if s[i] == '0' {
				out = append(out, 0)
			} else {
				out = append(out, s[i])
			}
		}
	}
	return string(out)
}
