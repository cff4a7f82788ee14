package charset

import "strings"

// mediaType is the part of Content-Type that matters here.
type mediaType struct {
	essence string
	kind    pageKind
	charset string
}

// pageKind says how a page of a media type declares its encoding.
type pageKind uint8

const (
	htmlPage  pageKind = iota // by meta elements; also a page of no known type
	xmlPage                   // by an XML declaration
	jsonPage                  // JSON is always UTF-8
	plainPage                 // not at all
)

// parseContentType reads the fields as the Fetch Standard does: the last valid media type
// counts, and keeps the charset of an earlier one of the same type.
func parseContentType(fields []string) mediaType {
	var essence, charset string
	for _, field := range fields {
		for rest := field; rest != ""; {
			var one string
			one, rest = cutOutsideQuotes(rest, ',')
			next, params := cutOutsideQuotes(one, ';')
			next = strings.ToLower(strings.Trim(next, blanks))
			if major, minor, ok := strings.Cut(next, "/"); !ok || !isToken(major) || !isToken(minor) || next == "*/*" {
				continue
			}
			label, has := charsetOf(params)
			if has || next != essence {
				charset = label
			}
			essence = next
		}
	}
	return mediaType{essence, kindOf(essence), charset}
}

// IsHTML reports whether a browser takes a response with these Content-Type fields for HTML.
func IsHTML(contentType ...string) bool {
	switch parseContentType(contentType).essence {
	case "", "text/html", "application/xhtml+xml":
		return true
	}
	return false
}

const blanks = " \t\n\r"

func kindOf(essence string) pageKind {
	switch {
	case essence == "text/xml" || essence == "application/xml" || strings.HasSuffix(essence, "+xml"):
		return xmlPage
	case essence == "application/json" || essence == "text/json" || strings.HasSuffix(essence, "+json"):
		return jsonPage
	case essence != "text/html" && strings.HasPrefix(essence, "text/"), strings.HasSuffix(essence, "/javascript"):
		return plainPage
	}
	return htmlPage
}

// charsetOf returns the first charset among parameters.
func charsetOf(params string) (label string, has bool) {
	for params != "" {
		var one string
		one, params = cutOutsideQuotes(params, ';')
		name, value, ok := strings.Cut(one, "=")
		if !ok || !strings.EqualFold(strings.TrimLeft(name, blanks), "charset") {
			continue
		}
		if value = strings.TrimRight(value, blanks); strings.HasPrefix(value, `"`) {
			value = unquote(value[1:])
		}
		if value != "" {
			return value, true
		}
	}
	return "", false
}

// unquote returns a quoted string up to its closing quote, which may be missing.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// cutOutsideQuotes cuts at the first separator that is not in a quoted string.
func cutOutsideQuotes(s string, separator byte) (before, after string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == separator && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
	}) < 0
}
