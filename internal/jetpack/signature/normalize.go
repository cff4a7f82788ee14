package signature

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Limits on a query; PHP has the same ones (max_input_vars, max_input_nesting_level).
const (
	maxParameters = 1000
	maxNesting    = 64
)

// address is a URL as PHP's parse_url parses it.
type address struct {
	scheme, host, path, query string
	port                      int
}

// parseURL is PHP's parse_url, as far as signatures depend on it. It splits at the last
// colon, so a host may keep a port, and a port may be empty.
func parseURL(raw string) (address, bool) {
	var a address
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "" {
		return address{}, false
	}
	a.scheme = strings.ToLower(scheme)
	end := strings.IndexAny(rest, "/?#")
	authority, after := rest, ""
	if end >= 0 {
		authority, after = rest[:end], rest[end:]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	a.host = authority
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		port := authority[colon+1:]
		a.host = authority[:colon]
		if port != "" {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				return address{}, false
			}
			a.port = int(n)
		}
	}
	after, _, _ = strings.Cut(after, "#")
	a.path, a.query, _ = strings.Cut(after, "?")
	return a, a.host != ""
}

// value is one parameter: a text, or an array of values.
type value struct {
	text string
	// members is nil for a text.
	members map[string]*value
	// next is the key that [] gets.
	next int64
}

// parseQuery is PHP's parse_str: it cleans names, brackets make arrays, and the last of
// equal names wins.
func parseQuery(raw string) map[string]*value {
	root := &value{members: map[string]*value{}}
	n := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if n++; n > maxParameters {
			break
		}
		name, text, _ := strings.Cut(pair, "=")
		if keys := nameKeys(unescape(name)); keys != nil {
			root.put(keys, unescape(text))
		}
	}
	return root.members
}

// nameKeys splits a parameter's name: "a[b][]" is a, b and the next index (nil).
func nameKeys(name string) []*string {
	name, _, _ = strings.Cut(strings.TrimLeft(name, " "), "\x00")
	open := strings.IndexByte(name, '[')
	base := name
	if open >= 0 {
		base = name[:open]
	}
	if base == "" {
		return nil
	}
	base = strings.NewReplacer(".", "_", " ", "_").Replace(base)
	keys := []*string{&base}
	for rest := name[len(base):]; strings.HasPrefix(rest, "["); {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			if len(keys) == 1 { // an open bracket is part of the name
				base += strings.NewReplacer("[", "_", ".", "_", " ", "_").Replace(rest)
			}
			break
		}
		if len(keys) > maxNesting {
			return nil
		}
		key := rest[1:end]
		if strings.Trim(key, " \t\r\n") == "" {
			keys = append(keys, nil)
		} else {
			keys = append(keys, &key)
		}
		rest = rest[end+1:]
	}
	return keys
}

func (v *value) put(keys []*string, text string) {
	for i, k := range keys {
		var key string
		if k == nil {
			key = strconv.FormatInt(v.next, 10)
		} else {
			key = *k
		}
		if n, err := strconv.ParseInt(key, 10, 64); err == nil && strconv.FormatInt(n, 10) == key && (n >= v.next || len(v.members) == 0) {
			v.next = n + 1
		}
		last := i == len(keys)-1
		child := v.members[key]
		if child == nil || last || child.members == nil {
			child = &value{}
			if !last {
				child.members = map[string]*value{}
			}
			v.members[key] = child
		}
		v = child
	}
	v.text = text
}

// normalQuery returns the lines of a query in the signed order: plain parameters, then
// arrays, both in the order of PHP's sort.
func normalQuery(raw string) []string {
	var plain []string
	var arrays [][]string
	for name, v := range parseQuery(raw) {
		switch {
		case name == "signature":
		case v.members == nil:
			plain = append(plain, escape(name)+"="+escape(v.text))
		default:
			lines := v.lines(escape(name), nil)
			slices.Sort(lines)
			arrays = append(arrays, lines)
		}
	}
	slices.Sort(plain)
	// PHP compares arrays by their number of members first.
	slices.SortFunc(arrays, func(a, b []string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(a, b))
	})
	return append(plain, slices.Concat(arrays...)...)
}

// lines flattens an array to name[key]=value; brackets and keys are not escaped.
func (v *value) lines(name string, to []string) []string {
	if v.members == nil {
		return append(to, name+"="+escape(v.text))
	}
	for key, m := range v.members {
		to = m.lines(name+"["+key+"]", to)
	}
	return to
}

// escape is PHP's rawurlencode (RFC 3986).
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var out []byte
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~' {
			out = append(out, c)
		} else {
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}

// unescape is PHP's urldecode: it keeps a stray %.
func unescape(s string) string {
	if !strings.ContainsAny(s, "+%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}
