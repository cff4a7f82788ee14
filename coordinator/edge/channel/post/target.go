package post

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// MaxURLBytes bounds the URL of an endpoint.
const MaxURLBytes = 2000

// Check refuses a URL that is no endpoint: not absolute, with user information, with a literal
// address that the policy forbids, or plain http where what is sent is secret.
func (o Options) Check(raw string, secret bool) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return errors.New("must be given")
	case len(raw) > MaxURLBytes:
		return fmt.Errorf("must be at most %d bytes, has %d", MaxURLBytes, len(raw))
	case err != nil:
		return errors.New("is no URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with https:// or http://")
	case u.Host == "" || u.Hostname() == "":
		return errors.New("has no host")
	case portOf(u) == 0:
		return errors.New("has no valid port")
	case u.User != nil:
		return errors.New("must have no user information: use bearer_token")
	case u.Fragment != "":
		return errors.New("must have no fragment")
	case u.Scheme == "http" && secret && !o.AllowPrivate:
		return errors.New("must begin with https://, for what is sent is secret")
	}
	return o.checkHost(u)
}

// checkHost refuses literal addresses that the policy forbids. What a name leads to is known
// when it is dialled.
func (o Options) checkHost(u *url.URL) error {
	if name := strings.TrimRight(strings.ToLower(u.Hostname()), "."); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		if !o.AllowPrivate && len(o.Allowed) == 0 {
			return errors.New("leads to this machine, where nothing may be told")
		}
		return nil
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil
	}
	if reason := o.policy().Refuse(netip.AddrPortFrom(addr.Unmap(), portOf(u))); reason != "" {
		return fmt.Errorf("leads to the address %s, where nothing may be told: %s", addr, reason)
	}
	return nil
}

// SameOrigin reports whether two URLs have the same scheme, host and port.
func SameOrigin(a, b string) bool {
	u, errA := url.Parse(a)
	w, errB := url.Parse(b)
	return errA == nil && errB == nil && origin(u) == origin(w)
}

func origin(u *url.URL) string {
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + strconv.Itoa(int(portOf(u)))
}

// portOf returns the port that is dialled; 0 when it is none.
func portOf(u *url.URL) uint16 {
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return 0
		}
		return uint16(port)
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}

// Masked returns a URL as it may be shown: with the values of its query left out, and its path
// too where that is secret. What cannot be read is left out whole.
func Masked(raw string, pathIsSecret bool) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	shown := u.Scheme + "://" + u.Host
	switch path := u.EscapedPath(); {
	case pathIsSecret && len(path) > 1:
		shown += "/" + mask
	default:
		shown += path
	}
	if u.RawQuery != "" {
		var pairs []string
		for pair := range strings.SplitSeq(u.RawQuery, "&") {
			name, _, ok := strings.Cut(pair, "=")
			if ok {
				name += "=" + mask
			}
			pairs = append(pairs, name)
		}
		shown += "?" + strings.Join(pairs, "&")
	}
	return shown
}

// mask stands for what is not shown.
const mask = "***"

// SecretsOf returns the parts of a URL that Masked leaves out.
func SecretsOf(raw string, pathIsSecret bool) (secrets []string) {
	u, err := url.Parse(raw)
	if err != nil {
		return []string{raw}
	}
	if path := strings.Trim(u.EscapedPath(), "/"); pathIsSecret && path != "" {
		secrets = append(secrets, path)
		for part := range strings.SplitSeq(path, "/") {
			if len(part) >= minSecret {
				secrets = append(secrets, part)
			}
		}
	}
	for _, values := range u.Query() {
		for _, v := range values {
			if len(v) >= minSecret {
				secrets = append(secrets, v)
			}
		}
	}
	return secrets
}

// minSecret is the length from which a part of a URL is taken for a secret of its own: to
// replace shorter ones would garble answers.
const minSecret = 8
