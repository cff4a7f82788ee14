package outlier

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"
)

// Rule holds the numbers.
type Rule struct {
	// Window is how far back a witness is judged.
	Window time.Duration
	// MinNetworks is how many networks must surprise before anything is a outlier detection, and
	// how many must be seen before it is over.
	MinNetworks int
	// Trip and Clear are shares of the networks looked at, 0..1.
	Trip, Clear float64
	// MaxNetworks bounds what is remembered of one witness.
	MaxNetworks int
}

// DefaultRule is generous: three sites in ten, on ten unrelated networks, do not fail
// within a minute by chance.
func DefaultRule() Rule {
	return Rule{Window: time.Minute, MinNetworks: 10, Trip: 0.3, Clear: 0.1, MaxNetworks: 100_000}
}

// Network is what a site's neighbours share, as a number: the /24 or /48 of the address
// it was reached at, or, without one, a hash of the last two labels of its host name.
// The number of an address is exact; two names may share one by chance.
type Network uint64

// The kinds of network, in the highest byte of the number.
const (
	kindIPv4 = 4 << 56
	kindIPv6 = 6 << 56
	kindName = 1 << 56
)

// NetworkOf finds the network of a site from the address of an observation, HOST:PORT
// or empty, and its host name.
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
	hash := uint64(14695981039346656037) // FNV-1a
	for i := range len(host) {
		hash = (hash ^ uint64(host[i])) * 1099511628211
	}
	return kindName | Network(hash>>8)
}

// Detector is what is remembered of one witness. New makes one.
type Detector struct {
	rule Rule
	// seen and surprised hold when a network was last looked at, and last surprised.
	seen, surprised map[Network]time.Time
	swept           time.Time
	quarantined     time.Time // since when; zero while well
	calm            time.Time // since when the share is below Clear
}

// New makes a witness that is well.
func New(rule Rule) *Detector {
	return &Detector{rule: rule, seen: map[Network]time.Time{}, surprised: map[Network]time.Time{}}
}

// Observe takes in one check at now; surprise says that it failed on a site that had
// been good. It answers whether the witness is now in quarantine.
func (w *Detector) Observe(now time.Time, n Network, surprise bool) bool {
	if now.Sub(w.swept) > w.rule.Window/8 || len(w.seen) > w.rule.MaxNetworks {
		w.sweep(now)
	}
	w.seen[n] = now
	if surprise {
		w.surprised[n] = now
	}
	w.judge(now)
	return !w.quarantined.IsZero()
}

// Quarantined says since when the witness is in quarantine; zero while it is well.
func (w *Detector) Quarantined() time.Time { return w.quarantined }

// Share is how many of the networks looked at within the window surprised.
func (w *Detector) Share() (surprised, seen int) { return len(w.surprised), len(w.seen) }

// sweep forgets what is older than the window, and everything when there is too much.
func (w *Detector) sweep(now time.Time) {
	w.swept = now
	old := now.Add(-w.rule.Window)
	for n, t := range w.seen {
		if t.Before(old) {
			delete(w.seen, n)
		}
	}
	for n, t := range w.surprised {
		if t.Before(old) {
			delete(w.surprised, n)
		}
	}
	if len(w.seen) > w.rule.MaxNetworks {
		clear(w.seen)
		clear(w.surprised)
	}
}

func (w *Detector) judge(now time.Time) {
	surprised, seen := w.Share()
	share := float64(surprised) / float64(max(seen, 1))
	if w.quarantined.IsZero() {
		if surprised >= w.rule.MinNetworks && share >= w.rule.Trip {
			w.quarantined, w.calm = now, time.Time{}
		}
		return
	}
	switch {
	case share >= w.rule.Clear || seen < w.rule.MinNetworks:
		w.calm = time.Time{}
	case w.calm.IsZero():
		w.calm = now
	case now.Sub(w.calm) >= w.rule.Window:
		w.quarantined = time.Time{}
	}
}
