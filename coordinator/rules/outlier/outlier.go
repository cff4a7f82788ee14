package outlier

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"strings"
	"time"
)

// Rule holds the thresholds of a Detector.
type Rule struct {
	// Window is how far back a checker is judged.
	Window time.Duration
	// MinNetworks is how many networks must surprise before a quarantine begins, and how
	// many the checker must have seen before it ends.
	MinNetworks int
	// Trip and Clear are shares of the networks seen, 0..1.
	Trip, Clear float64
	// MaxNetworks bounds the networks that a detector remembers.
	MaxNetworks int
}

// DefaultRule returns a generous rule: three sites in ten, on ten unrelated networks, do
// not fail within a minute by chance.
func DefaultRule() Rule {
	return Rule{Window: time.Minute, MinNetworks: 10, Trip: 0.3, Clear: 0.1, MaxNetworks: 100_000}
}

// Network numbers what a site shares with its neighbours: the /24 or /48 of the address
// that was reached, or, without one, a hash of the last two labels of the host name.
// The number of an address is exact; two names may share one by chance.
type Network uint64

// The kinds of network, in the highest byte of the number.
const (
	kindIPv4 = 4 << 56
	kindIPv6 = 6 << 56
	kindName = 1 << 56
)

// NetworkOf returns the network of a site, given the resolved address of an observation
// (HOST:PORT, or empty) and the site's host name.
func NetworkOf(resolved, host string) Network {
	if ap, err := netip.ParseAddrPort(resolved); err == nil {
		if addr := ap.Addr().Unmap(); addr.Is4() {
			b := addr.As4()
			return kindIPv4 | Network(b[0])<<16 | Network(b[1])<<8 | Network(b[2])
		}
		b := ap.Addr().As16()
		return kindIPv6 | Network(binary.BigEndian.Uint64(b[:8])>>16)
	}
	host = strings.TrimSuffix(host, ".")
	if i := strings.LastIndexByte(host, '.'); i > 0 {
		if j := strings.LastIndexByte(host[:i], '.'); j >= 0 {
			host = host[j+1:]
		}
	}
	hash := fnv.New64a()
	hash.Write([]byte(host)) // never fails
	return kindName | Network(hash.Sum64()>>8)
}

// Detector watches the results of one checker. New makes one. It is not safe for
// concurrent use.
type Detector struct {
	rule Rule
	// seen and surprised hold the time at which each network was last probed, and last
	// surprised.
	seen, surprised map[Network]time.Time
	swept           time.Time
	quarantined     time.Time // start of the quarantine; zero while the checker is trusted
	clear           time.Time // since when the share has been below Clear
}

// New makes a detector whose checker is trusted.
func New(rule Rule) *Detector {
	return &Detector{rule: rule, seen: map[Network]time.Time{}, surprised: map[Network]time.Time{}}
}

// Observe records one check at now; surprise means that it failed on a site that had
// been up. Observe reports whether the checker is now in quarantine.
func (d *Detector) Observe(now time.Time, n Network, surprise bool) bool {
	if now.Sub(d.swept) > d.rule.Window/8 || len(d.seen) > d.rule.MaxNetworks {
		d.sweep(now)
	}
	d.seen[n] = now
	if surprise {
		d.surprised[n] = now
	}
	d.judge(now)
	return !d.quarantined.IsZero()
}

// Quarantined returns the start of the quarantine; zero while the checker is trusted.
func (d *Detector) Quarantined() time.Time { return d.quarantined }

// Share returns how many networks the checker saw within the window, and how many of
// them surprised.
func (d *Detector) Share() (surprised, seen int) { return len(d.surprised), len(d.seen) }

// sweep drops entries older than the window, and all of them when there are too many.
func (d *Detector) sweep(now time.Time) {
	d.swept = now
	old := now.Add(-d.rule.Window)
	for n, t := range d.seen {
		if t.Before(old) {
			delete(d.seen, n)
		}
	}
	for n, t := range d.surprised {
		if t.Before(old) {
			delete(d.surprised, n)
		}
	}
	if len(d.seen) > d.rule.MaxNetworks {
		clear(d.seen)
		clear(d.surprised)
	}
}

func (d *Detector) judge(now time.Time) {
	surprised, seen := d.Share()
	share := float64(surprised) / float64(max(seen, 1))
	if d.quarantined.IsZero() {
		if surprised >= d.rule.MinNetworks && share >= d.rule.Trip {
			d.quarantined, d.clear = now, time.Time{}
		}
		return
	}
	switch {
	case share >= d.rule.Clear || seen < d.rule.MinNetworks:
		d.clear = time.Time{}
	case d.clear.IsZero():
		d.clear = now
	case now.Sub(d.clear) >= d.rule.Window:
		d.quarantined = time.Time{}
	}
}
