package mistake

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Facts are what is known of a site whose signed calls are refused.
type Facts struct {
	// URL is the one that is called.
	URL *url.URL
	// Claimed are the addresses that the site itself claims.
	Claimed []*url.URL
	// Ahead is how far the site's clock seems to be ahead, if HasClock; OwnClock is true when
	// that is from PHP itself, and not from a server in front.
	Ahead              time.Duration
	HasClock, OwnClock bool
	// Added is what the site showed to be added to the query on the way.
	Added string
}

// Order returns the mistakes to try, the most probable first. Where the clock is known to be
// wrong, each other mistake is tried together with it.
func Order(f Facts) []Mistake {
	first, later := f.addresses()
	all := slices.Concat(first, later)
	if f.HasClock && !Accepts(f.Ahead) {
		late := clock(f.Ahead)
		tries := []Mistake{late}
		for _, m := range all {
			tries = append(tries, m.and(late))
		}
		return append(tries, all...)
	}
	if f.HasClock && f.OwnClock {
		// The clock is right; only a difference that Jetpack has learned may be wrong.
		return slices.Concat(all, f.pairs(), hours(1), steps()[:4], f.backends(), steps()[4:])
	}
	return slices.Concat(first, hours(1), steps()[:2], later[:2], f.pairs(), later[2:], f.backends(), steps()[2:])
}

// addresses returns the mistakes about the URL: those that leave no other sign, and those
// that are tried by guess.
func (f Facts) addresses() (first, later []Mistake) {
	if f.Added != "" {
		first = append(first, Mistake{Query: f.Added, Says: "a query with " + nameOf(f.Added), Causes: one(queryAdded(nameOf(f.Added)))})
	}
	host := f.URL.Hostname()
	if port, err := strconv.Atoi(f.URL.Port()); err == nil {
		// PHP takes "host:port" for the host.
		odd := net.JoinHostPort(host, f.URL.Port())
		for _, p := range []int{port, f.standard()} {
			first = append(first, Mistake{Host: odd, Port: p, Says: fmt.Sprintf("host %s and port %d", odd, p), Causes: one(portInHost(port))})
		}
	}
	first = append(first, f.otherScheme())
	if f.URL.Port() != "" {
		first = append(first, f.port(f.standard()))
	}
	first = append(first, f.hosts()...)
	paths := f.paths()
	first = append(first, paths...)
	for _, port := range []int{8080, 8443, 8000, 81, 7080, 6081} {
		if strconv.Itoa(port) != f.URL.Port() {
			later = append(later, f.port(port))
		}
	}
	return first, later
}

// pairs returns the most common two mistakes at once.
func (f Facts) pairs() []Mistake {
	var tries []Mistake
	scheme, back := f.otherScheme(), f.port(8080)
	for _, h := range f.hosts()[:1] {
		tries = append(tries, scheme.and(h), back.and(h))
	}
	if !f.OwnClock {
		for _, h := range hours(1) {
			tries = append(tries, scheme.and(h), back.and(h))
		}
	}
	return tries
}

// standard is the port of the scheme.
func (f Facts) standard() int {
	if f.URL.Scheme == "http" {
		return 80
	}
	return 443
}

// otherScheme is the mistake of a proxy that does not say, or says wrongly, that it was
// called by https.
func (f Facts) otherScheme() Mistake {
	if f.URL.Scheme == "https" {
		return Mistake{Port: 80, Says: "http", Causes: one(httpsUnknown())}
	}
	return Mistake{Port: 443, Says: "https", Causes: one(httpsForced())}
}

func (f Facts) port(p int) Mistake {
	return Mistake{Port: p, Says: fmt.Sprintf("port %d", p), Causes: one(port(f.URL.Scheme, p))}
}

// hosts returns the other names of the site, with and without www at least.
func (f Facts) hosts() []Mistake {
	own := strings.ToLower(f.URL.Hostname())
	other, ok := strings.CutPrefix(own, "www.")
	if !ok {
		other = "www." + own
	}
	names := []string{other}
	for _, u := range f.Claimed {
		if name := strings.ToLower(u.Hostname()); name != "" && name != own && !slices.Contains(names, name) {
			// The site's own claim says more than a guess.
			names = slices.Insert(names, 0, name)
		}
	}
	var tries []Mistake
	for _, name := range names {
		tries = append(tries, Mistake{Host: name, Says: "host " + name, Causes: one(host(name, own))})
	}
	return tries
}

// backends returns the names by which a proxy calls the server behind it, when it does not
// pass Host on.
func (f Facts) backends() []Mistake {
	own := f.URL.Hostname()
	var tries []Mistake
	for _, at := range []struct {
		host string
		port int
	}{{"localhost", 0}, {"127.0.0.1", 0}, {"127.0.0.1:8080", 8080}} {
		if at.host != own {
			tries = append(tries, Mistake{Host: at.host, Port: at.port, Says: "host " + at.host, Causes: one(host(at.host, own))})
		}
	}
	return tries
}

// paths returns what proxies make of the path: a slash too many, a directory that is missing
// or added.
func (f Facts) paths() []Mistake {
	at := f.URL.EscapedPath()
	if strings.Trim(at, "/") == "" {
		return nil
	}
	tries := []Mistake{{Add: "/", Says: "path /" + at, Causes: one(slash())}}
	dir := path.Dir(at)
	if dir != "/" {
		tries = append(tries, Mistake{Strip: dir, Says: "path " + strings.TrimPrefix(at, dir), Causes: one(directory(dir, ""))})
	}
	for _, u := range f.Claimed {
		other := strings.TrimRight(u.EscapedPath(), "/")
		if other == strings.TrimRight(dir, "/") || other == "" {
			continue
		}
		m := Mistake{Strip: strings.TrimRight(dir, "/"), Add: other, Says: "path " + other + "/" + path.Base(at), Causes: one(directory(dir, other))}
		if !slices.ContainsFunc(tries, func(o Mistake) bool { return o.Says == m.Says }) {
			tries = append(tries, m)
		}
	}
	return tries
}

// nameOf is the name of the first parameter of a query.
func nameOf(query string) string {
	first, _, _ := strings.Cut(query, "&")
	name, _, _ := strings.Cut(first, "=")
	return name
}

// hours returns clocks that are so many hours wrong, as by a time zone.
func hours(n int) []Mistake {
	return []Mistake{clock(time.Duration(n) * time.Hour), clock(-time.Duration(n) * time.Hour)}
}

// steps returns clocks up to an hour wrong. A site accepts 15 minutes of times, so steps of
// 15 minutes leave nothing out.
func steps() []Mistake {
	var tries []Mistake
	for _, minutes := range []time.Duration{15, -15, 30, -30, 45, -45} {
		tries = append(tries, clock(minutes*time.Minute))
	}
	return tries
}
