package weburl

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// parseHost parses a host. addr is valid when it is an IP address.
func parseHost(s string) (host string, addr netip.Addr, err error) {
	if strings.HasPrefix(s, "[") {
		return parseIPv6(s)
	}
	if !isPlainName(s) {
		if s, err = toASCII(unescape(s)); err != nil {
			return "", netip.Addr{}, err
		}
	}
	switch {
	case s == "" || strings.ContainsFunc(s, isForbidden):
		return "", netip.Addr{}, ErrHost
	case endsInNumber(s):
		return parseIPv4(s)
	}
	return s, netip.Addr{}, nil
}

// isPlainName reports whether a host needs no conversion.
func isPlainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return !strings.HasPrefix(s, "xn--") && !strings.Contains(s, ".xn--")
}

func hasPunycode(s string) bool {
	return len(s) >= 4 && (strings.EqualFold(s[:4], "xn--") || strings.Contains(strings.ToLower(s), ".xn--"))
}

// toASCII converts a name by UTS 46 with the options of browsers: neither the hyphens of a
// label nor the rules of host names count, but what Unicode says of joiners and of mixed
// directions does.
func toASCII(s string) (string, error) {
	if isASCII(s) && !hasPunycode(s) {
		return strings.ToLower(s), nil
	}
	if !utf8.ValidString(s) {
		return "", ErrHost
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
		idna.CheckHyphens(false), idna.CheckJoiners(true), idna.BidiRule())
	ascii, err := profile.ToASCII(s)
	if err != nil {
		return "", ErrHost
	}
	return ascii, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// unescape decodes percent-encoded bytes. A per cent sign without two digits stays, and is
// forbidden later.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// isForbidden reports whether a character can stand in no name.
func isForbidden(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`#%/:<>?@[\]^|`, r)
}

func parseIPv6(s string) (string, netip.Addr, error) {
	inner, ok := strings.CutSuffix(s[1:], "]")
	addr, err := netip.ParseAddr(inner)
	if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", netip.Addr{}, ErrHost
	}
	if !addr.Is4In6() {
		return addr.String(), addr, nil
	}
	b := addr.As16()
	hex := func(high, low byte) string { return strconv.FormatUint(uint64(high)<<8|uint64(low), 16) }
	return "::ffff:" + hex(b[12], b[13]) + ":" + hex(b[14], b[15]), addr, nil
}

// endsInNumber reports whether a host's last label is a number: then browsers take the host
// for an IPv4 address or refuse it.
func endsInNumber(s string) bool {
	s = strings.TrimSuffix(s, ".")
	last := s[strings.LastIndexByte(s, '.')+1:]
	if hex, ok := cutHex(last); ok && strings.Trim(hex, "0123456789abcdef") == "" {
		return true
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

func cutHex(s string) (digits string, ok bool) { return strings.CutPrefix(s, "0x") }

// parseIPv4 parses an address of one to four numbers, each decimal, octal or hexadecimal.
// The last fills the bytes that remain.
func parseIPv4(s string) (string, netip.Addr, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return s, addr, nil // as nearly all are written
	}
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if len(parts) > 4 {
		return "", netip.Addr{}, ErrHost
	}
	var whole uint64
	for i, part := range parts {
		n, ok := number(part)
		limit := uint64(1) << 8
		if i == len(parts)-1 {
			limit = 1 << (8 * (5 - len(parts)))
		}
		if !ok || n >= limit {
			return "", netip.Addr{}, ErrHost
		}
		if i < len(parts)-1 {
			whole |= n << (8 * (3 - i))
		} else {
			whole |= n
		}
	}
	addr := netip.AddrFrom4([4]byte{byte(whole >> 24), byte(whole >> 16), byte(whole >> 8), byte(whole)})
	return addr.String(), addr, nil
}

// number parses one number of an IPv4 address; "0x" alone is 0.
func number(s string) (uint64, bool) {
	base := 10
	if hex, ok := cutHex(s); ok {
		if s, base = hex, 16; s == "" {
			return 0, true
		}
	} else if len(s) > 1 && s[0] == '0' {
		s, base = s[1:], 8
	}
	if strings.Trim(s, "0123456789abcdef") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}
