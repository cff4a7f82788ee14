package roster

import (
	"hash/maphash"
	"strings"
)

// Hosts gives hosts their numbers. A host is known by a hash of the address that a site of
// it was last reached at, or, until then, of the host in the site's URL, which may be that
// address. Hosts that share a number by chance share their turn, no more.
type Hosts struct{ seed maphash.Seed }

// NewHosts makes hosts of a seed, which must have been made by maphash.
func NewHosts(seed maphash.Seed) Hosts { return Hosts{seed} }

// At is the host of an address, HOST:PORT; without one it stays as it was before.
func (h Hosts) At(address string, before uint32) uint32 {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return before
	}
	return h.number(address[:i])
}

// Of is what is known of the host of a URL before the first check.
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

// number is not 0, which would mean that nothing is known.
func (h Hosts) number(name string) uint32 {
	return max(uint32(maphash.String(h.seed, name)), 1)
}
