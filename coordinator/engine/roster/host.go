package roster

import (
	"hash/maphash"
	"strings"
)

// Hosts numbers hosts. The number of a host is a hash of the address that one of its sites
// was last reached at, or, until then, of the host in the site's URL, which may be that
// address. Hosts whose numbers collide share one limit on concurrent checks, nothing else.
type Hosts struct{ seed maphash.Seed }

// NewHosts makes Hosts from a seed, which maphash must have made.
func NewHosts(seed maphash.Seed) Hosts { return Hosts{seed} }

// At returns the host of an address, HOST:PORT; it returns before when there is no address.
func (h Hosts) At(address string, before uint32) uint32 {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return before
	}
	return h.number(address[:i])
}

// Of returns the host of a URL, for a site that has not been checked yet.
func (h Hosts) Of(url string) uint32 {
	if i := strings.Index(url, "://"); i >= 0 {
		url = url[i+3:]
	}
	end, bracket := len(url), false
	for i := range len(url) {
		c := url[i]
		if c == '/' || c == '?' || c == '#' || c == ':' && !bracket {
			end = i
			break
		}
		bracket = c != ']' && (bracket || c == '[')
	}
	return h.number(url[:end])
}

// number hashes a name. It is never 0, which means an unknown host.
func (h Hosts) number(name string) uint32 {
	return max(uint32(maphash.String(h.seed, name)), 1)
}
