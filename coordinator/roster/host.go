package roster

import (
	"hash/maphash"
	"strings"
)

// A host is known by a hash of the address that a site of it was last reached at, or,
// until then, of the host in the site's URL, which may be that address. Hosts that share
// a number by chance share their turn, no more.

// HostAt is the host of an address, HOST:PORT; without one it stays as it was before.
func (t *Table) HostAt(address string, before uint32) uint32 {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return before
	}
	return t.host(address[:i])
}

// HostOf is what is known of the host of a URL before the first check.
func (t *Table) HostOf(url string) uint32 {
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
	return t.host(url[:end])
}

// host is not 0, which would mean that nothing is known.
func (t *Table) host(name string) uint32 {
	return max(uint32(maphash.String(t.hosts, name)), 1)
}
