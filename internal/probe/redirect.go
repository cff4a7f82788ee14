package probe

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/weburl"
)

const (
	// maxLocationBytes limits the length of a redirect's target.
	maxLocationBytes = 16 << 10
	// maxHopBytes is how much of a redirect's target is kept as evidence.
	maxHopBytes = check.MaxURLBytes
)

// isRedirect reports whether a status sends the client elsewhere. 300, 304, 305 and 306
// do not: they are final responses.
func isRedirect(status int) bool {
	switch status {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// nextPlace returns the target of a redirect. A target that no browser can follow is the
// site's fault.
func nextPlace(from *place, h head) (*place, *failure) {
	const kind = check.FailureRedirect
	location := h.get("Location")
	switch {
	case weburl.Trim(location) == "":
		return nil, down(kind, "no_location", "a redirect without a target")
	case len(location) > maxLocationBytes:
		return nil, down(kind, "bad_location", "the redirect's target is too long")
	}
	p := new(place)
	var err error
	if p.url, err = from.url.Resolve(location); err == nil {
		err = check.CheckHost(p.url)
	}
	if err != nil {
		return nil, badLocation(err)
	}
	return p.know(), nil
}

// badLocation returns what an error of weburl says of a redirect's target.
func badLocation(err error) *failure {
	if scheme, other := errors.AsType[weburl.SchemeError](err); other {
		return down(check.FailureRedirect, "scheme", "no browser follows a redirect to "+string(scheme)+":")
	}
	return down(check.FailureRedirect, "bad_location", "the redirect's target "+err.Error())
}

// requestState is what a check carries from hop to hop: the site's own headers, meant for
// its host only, and the cookies set on the way.
type requestState struct {
	home    *place
	headers []check.Header
	cookies cookies
}

// headersFor returns the headers that may be sent to p. They may be secrets: neither another
// host nor an eavesdropper on an unencrypted hop gets them. Name and password that the site
// itself wrote into a redirect go where it says, as in browsers.
func (s *requestState) headersFor(p *place) []check.Header {
	var headers []check.Header
	if p.host == s.home.host && (p.tls || !s.home.tls) {
		headers = s.headers
	}
	named := func(h check.Header) bool { return strings.EqualFold(h.Name, "Authorization") }
	if p.url.User == "" || slices.ContainsFunc(headers, named) {
		return headers
	}
	return append(slices.Clip(headers), check.Header{Name: "Authorization", Value: basicAuth(p.url.User)})
}

// basicAuth returns the value of the Authorization header for a URL's user information.
func basicAuth(user string) string {
	name, password, _ := strings.Cut(user, ":")
	plain := func(s string) string {
		if decoded, err := url.PathUnescape(s); err == nil {
			return decoded
		}
		return s
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(plain(name)+":"+plain(password)))
}
