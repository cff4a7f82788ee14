package check

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Automattic/jetmon/internal/weburl"
)

// ParseURL parses the URL of a site as browsers do, which ignore spaces around it. Its
// errors complete a sentence that begins with the URL. It refuses what cannot be asked for
// at all; whether the host may be visited, the address policy decides at connect time.
func ParseURL(raw string) (u weburl.URL, err error) {
	raw = weburl.Trim(raw)
	switch {
	case raw == "":
		return u, errors.New("must not be empty")
	case len(raw) > MaxURLBytes:
		return u, fmt.Errorf("must be at most %d bytes, has %d", MaxURLBytes, len(raw))
	case strings.ContainsFunc(raw, isControl):
		return u, errors.New("must not contain control characters")
	}
	if u, err = weburl.Parse(raw); err != nil {
		return u, explainURL(err)
	}
	if u.User != "" {
		return weburl.URL{}, ErrUser
	}
	return u, CheckHost(u)
}

// explainURL completes the sentence for an error of weburl.Parse.
func explainURL(err error) error {
	switch _, other := errors.AsType[weburl.SchemeError](err); {
	case other, errors.Is(err, weburl.ErrNoScheme):
		return urlError{"must begin with http:// or https://", err}
	case errors.Is(err, weburl.ErrHost):
		return urlError{"must have a host that is a name or an IP address", err}
	}
	return err
}

// TrimURL removes the ASCII white space around a URL that is to be stored, as people paste it.
func TrimURL(raw string) string { return strings.Trim(raw, " \t\n\f\r") }

// ValidateURL checks a URL that is to be stored, without the white space around it. It is
// stricter than ParseURL, which takes whatever the table has: what looks like a slip is
// refused. Its errors complete a sentence that begins with the URL.
func ValidateURL(raw string) error {
	if strings.ContainsFunc(raw, isControlOrSpace) {
		return errors.New("must not contain spaces or control characters")
	}
	u, err := ParseURL(raw)
	if err != nil {
		return err
	}
	_, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return errors.New("must begin with http:// or https://")
	}
	authority := rest
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		authority = rest[:i]
	}
	switch {
	case authority == "":
		return errors.New("must have a host")
	case strings.HasSuffix(authority, ":"):
		return errors.New("port must not be empty")
	}
	if i := strings.IndexAny(u.Host, hostSigns); i >= 0 {
		return fmt.Errorf("host must not contain %q", u.Host[i:i+1])
	}
	return nil
}

// urlError says in our words what is wrong with a URL.
type urlError struct {
	text  string
	cause error
}

func (e urlError) Error() string { return e.text }
func (e urlError) Unwrap() error { return e.cause }

// URLReason returns the reason, in an observation, for refusing a URL with an error of
// ParseURL.
func URLReason(err error) string {
	_, otherScheme := errors.AsType[weburl.SchemeError](err)
	_, badPort := errors.AsType[weburl.PortError](err)
	switch {
	case otherScheme:
		return "scheme"
	case errors.Is(err, ErrUser):
		return "userinfo"
	case errors.Is(err, weburl.ErrHost):
		return "bad_host"
	case badPort:
		return "bad_port"
	}
	return "bad_url"
}

// ErrUser means that a site's URL has user information, which is a secret.
var ErrUser = errors.New("must not contain user information")

// CheckHost refuses a host that no name server knows, and a port that nothing listens on.
// Its errors are, or wrap, those of weburl.
func CheckHost(u weburl.URL) error {
	if u.Port == 0 {
		return weburl.PortError("0")
	}
	if u.Addr.IsValid() {
		return nil
	}
	name := strings.TrimSuffix(u.Host, ".")
	if len(name) > 253 {
		return urlError{"host must be at most 253 bytes", weburl.ErrHost}
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return urlError{"host labels must have from 1 to 63 bytes", weburl.ErrHost}
		}
		if i := strings.IndexFunc(label, isNotHostRune); i >= 0 {
			return urlError{fmt.Sprintf("host must not contain %q", label[i:i+1]), weburl.ErrHost}
		}
	}
	return nil
}

// CompleteURL adds http, Jetmon v1's default, to a URL without a scheme, as browsers do.
// Old rows, from before there was a rule, have none.
func CompleteURL(raw string) string {
	s := weburl.Trim(raw)
	if scheme, rest, ok := strings.Cut(s, ":"); ok && !strings.ContainsAny(scheme, "/?#.@") {
		if strings.HasPrefix(rest, "//") || strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https") {
			return s
		}
	}
	return "http://" + strings.TrimPrefix(s, "//")
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

func isControlOrSpace(r rune) bool { return r <= ' ' || r == 0x7f || r == 0x85 || r == 0xa0 }

// hostSigns may stand in a host that a name server knows by a record for all names.
const hostSigns = "!$&'()*+,;=~"

// isNotHostRune allows letters, digits, hyphen, underscore and hostSigns.
func isNotHostRune(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-_"+hostSigns, r))
}
