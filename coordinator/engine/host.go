package engine

import "strings"

// A machine is known by a hash of the address that a site of it was last reached at, or,
// until then, of the host in the site's URL, which may be that address. Machines that
// share a number by chance share their turn, no more.

// hostHash is the machine of an address, HOST:PORT; without one it stays as it was.
func hostHash(address string, before uint32) uint32 {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return before
	}
	return machine(address[:i])
}

// hostOfURL is what is known of the machine before the first check.
func hostOfURL(url string) uint32 {
	if _, after, ok := strings.Cut(url, "://"); ok {
		url = after
	}
	if i := strings.IndexAny(url, "/?#"); i >= 0 {
		url = url[:i]
	}
	if i := strings.LastIndexByte(url, ':'); i > strings.LastIndexByte(url, ']') {
		url = url[:i]
	}
	return machine(url)
}

// machine hashes by FNV-1a; 0 would mean that nothing is known.
func machine(host string) uint32 {
	hash := uint32(2166136261)
	for _, c := range []byte(host) {
		hash = (hash ^ uint32(c)) * 16777619
	}
	return max(hash, 1)
}
