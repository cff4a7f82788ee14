package engine

import (
	"hash/maphash"
	"strings"
)

// A machine is known by a hash of the address that a site of it was last reached at, or,
// until then, of the host in the site's URL, which may be that address. Machines that
// share a number by chance share their turn, no more.

// machineAt is the machine of an address, HOST:PORT; without one it stays as it was.
func (e *Engine) machineAt(address string, before uint32) uint32 {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return before
	}
	return e.machine(address[:i])
}

// machineOf is what is known of the machine of a URL before the first check.
func (e *Engine) machineOf(url string) uint32 {
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
	return e.machine(url[:end])
}

// machine is not 0, which would mean that nothing is known.
func (e *Engine) machine(host string) uint32 {
	return max(uint32(maphash.String(e.machines, host)), 1)
}
