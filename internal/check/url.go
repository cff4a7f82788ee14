package check

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ParseURL parses the URL of a site. Its errors complete a sentence that begins with the URL.
// It drops a fragment, lower-cases scheme and host, and replaces an empty path with "/".
// It does not check where the host is: the address policy does, at connect time.
func ParseURL(raw string) (*url.URL, error) {
	switch {
	case raw == "":
		return nil, errors.New("must not be empty")
	case len(raw) > MaxURLBytes:
		return nil, fmt.Errorf("must be at most %d bytes, has %d", MaxURLBytes, len(raw))
	case strings.ContainsFunc(raw, isControlOrSpace):
		return nil, errors.New("must not contain spaces or control characters")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("is not a URL: %w", unwrapURLError(err))
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("must begin with http:// or https://")
	}
	if u.User != nil {
		return nil, errors.New("must not contain user information")
	}
	if err := checkHost(u); err != nil {
		return nil, err
	}
	u.Host = strings.ToLower(u.Host)
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// CompleteURL adds http, Jetmon v1's default, to a URL without a scheme. Old rows, from
// before there was a rule, have none.
func CompleteURL(raw string) string {
	if strings.Contains(raw, "://") {
		return raw
	}
	return "http://" + raw
}

func checkHost(u *url.URL) error {
	host := u.Hostname()
	if u.Opaque != "" || host == "" {
		return errors.New("must have a host")
	}
	if len(host) > 253 {
		return errors.New("host must be at most 253 bytes")
	}
	if strings.HasSuffix(u.Host, ":") {
		return errors.New("port must not be empty")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("port must be from 1 to 65535, is %s", p)
		}
	}
	if strings.HasPrefix(u.Host, "[") {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return errors.New("host is not an IPv6 address")
		}
		if addr.Zone() != "" {
			return errors.New("host must not have a zone: it means something on one machine only")
		}
		return nil
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 {
			return errors.New("host labels must have from 1 to 63 bytes")
		}
		if strings.ContainsFunc(label, isNotHostRune) {
			return fmt.Errorf("host must not contain %q", strings.TrimFunc(label, isHostRune)[:1])
		}
	}
	return nil
}

func isControlOrSpace(r rune) bool { return r <= ' ' || r == 0x7f || r == 0x85 || r == 0xa0 }

// isHostRune allows letters, digits, hyphen, underscore (which real names contain), and
// all of non-ASCII, which IDNA checks.
func isHostRune(r rune) bool {
	return r == '-' || r == '_' || r >= 0x80 ||
		r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func isNotHostRune(r rune) bool { return !isHostRune(r) }

// unwrapURLError removes the URL from the message: the caller's message has it already.
func unwrapURLError(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
