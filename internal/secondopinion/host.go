package secondopinion

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

var errHost = errors.New("the host is neither a name that can be looked up nor an address")

// parseHost is the host parser of the URL Standard: it returns a name or an address in
// ASCII.
func parseHost(s string) (string, error) {
	if s == "" {
		return "", errNoHost
	}
	if inside, ok := strings.CutPrefix(s, "["); ok {
		inside, closed := strings.CutSuffix(inside, "]")
		addr, err := netip.ParseAddr(inside)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", errHost
		}
		return addr.String(), nil
	}
	name, err := url.PathUnescape(s)
	if err != nil || !utf8.ValidString(name) {
		return "", errHost
	}
	if name, err = toASCII(name); err != nil {
		return "", errHost
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 || strings.ContainsFunc(name, isForbidden) {
		return "", errHost
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	if isNumber(last) {
		return parseIPv4(name)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", errHost
		}
	}
	return name, nil
}

// toASCII maps a name as browsers do: UTS 46, not transitional, hyphens anywhere.
func toASCII(name string) (string, error) {
	lower := strings.ToLower(name)
	if !strings.Contains(lower, "xn--") && !strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		return lower, nil
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
		idna.CheckHyphens(false), idna.BidiRule(), idna.CheckJoiners(true))
	return profile.ToASCII(name)
}

func isForbidden(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`#/:<>?@[\]^|%`, r)
}

// isNumber reports whether the last label of a host makes it an IPv4 address, good or bad.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// parseIPv4 parses an IPv4 address of one to four numbers, decimal, octal or hexadecimal,
// the last of which fills what is left.
func parseIPv4(s string) (string, error) {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return "", errHost
	}
	var addr uint64
	for i, part := range parts {
		n, ok := parseNumber(part)
		room := uint64(1) << 8
		if i == len(parts)-1 {
			room = 1 << (8 * (4 - i))
		}
		if !ok || n >= room {
			return "", errHost
		}
		if i < len(parts)-1 {
			n <<= 8 * (3 - i)
		}
		addr |= n
	}
	return netip.AddrFrom4([4]byte{byte(addr >> 24), byte(addr >> 16), byte(addr >> 8), byte(addr)}).String(), nil
}

func parseNumber(s string) (n uint64, ok bool) {
	base := 10
	switch {
	case s == "":
		return 0, false
	case strings.HasPrefix(s, "0x"):
		if s, base = s[2:], 16; s == "" {
			return 0, true
		}
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil && !strings.ContainsAny(s, "+-_")
}
