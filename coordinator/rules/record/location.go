package record

import (
	"errors"
	"strings"

	"github.com/Automattic/jetmon/internal/weburl"
)

// Location is where a URL leads, as browsers compare it; also, with zero fields for what does
// not matter, what is looked for.
type Location struct {
	// Host is a name in ASCII and lower case or an IP address, without final dots; at most
	// MaxHostBytes.
	Host string
	Port uint16
	// Page is the whole URL without its fragment.
	Page string
}

// MaxHostBytes bounds a host; no name in the DNS is longer.
const MaxHostBytes = 253

// Locate returns where a URL of the table leads. It need not have a scheme: WordPress.com has
// some without, which have a host and no page. The zero Location is that of a text that has no
// host.
func Locate(raw string) Location {
	u, err := weburl.Parse(raw)
	isURL := err == nil
	if _, other := errors.AsType[weburl.SchemeError](err); other || errors.Is(err, weburl.ErrNoScheme) {
		_, rest, ok := strings.Cut(raw, "://")
		if !ok {
			rest = raw
		}
		u, err = weburl.Parse("http://" + rest)
	}
	u.Host = strings.TrimRight(u.Host, ".")
	if err != nil || u.Host == "" || len(u.Host) > MaxHostBytes {
		return Location{}
	}
	l := Location{Host: u.Host, Port: u.Port}
	if isURL {
		l.Page = u.String()
	}
	return l
}

// LocateHost returns what is looked for by a host, with or without a port.
func LocateHost(raw string) (Location, error) {
	host, port, err := weburl.ParseHost(raw)
	host = strings.TrimRight(host, ".")
	if err == nil && (host == "" || len(host) > MaxHostBytes) {
		err = weburl.ErrHost
	}
	return Location{Host: host, Port: port}, err
}

// Fits reports whether l is what is looked for.
func (l Location) Fits(wanted Location) bool {
	return (wanted.Host == "" || wanted.Host == l.Host) && (wanted.Port == 0 || wanted.Port == l.Port) &&
		(wanted.Page == "" || wanted.Page == l.Page)
}
