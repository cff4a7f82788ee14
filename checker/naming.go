package checker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/pause"
)

// Resolver resolves names; *net.Resolver is one.
type Resolver interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// namePrefix marks a coordinator address that stands for every address of its name.
const namePrefix = "dns:///"

const (
	// lookupEvery is the time between two lookups of a name, and lookupSoon the minimum after
	// a link has failed.
	lookupEvery = 30 * time.Second
	lookupSoon  = 5 * time.Second
	// lookupWithin limits one lookup.
	lookupWithin = 5 * time.Second
	// goneAfter is how many answers in a row must lack an address before it is left: a name
	// server that is being changed may return only part of the addresses.
	goneAfter = 2
)

// name is a coordinator address that stands for every address of a host.
type name struct{ host, port string }

// parseName parses dns:///HOST:PORT.
func parseName(addr string) (name, error) {
	host, port, err := net.SplitHostPort(strings.TrimPrefix(addr, namePrefix))
	if err != nil || host == "" {
		return name{}, fmt.Errorf("checker: coordinator %q is not %sHOST:PORT", addr, namePrefix)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return name{}, fmt.Errorf("checker: coordinator %q: port must be from 1 to 65535, is %q", addr, port)
	}
	return name{host, port}, nil
}

// errNoAddress reports an answer without a usable address, which counts as a failed lookup.
var errNoAddress = errors.New("the name has no address")

// lookup returns the addresses of n in order. If n has addresses of both families, only
// those of IPv4 count: otherwise the checker would serve a host twice, and two sessions of
// one node end each other.
func (n name) lookup(ctx context.Context, r Resolver) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	hosts, err := r.LookupHost(ctx, n.host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", n.host, err)
	}
	var four, six []string
	for _, h := range hosts {
		ip, err := netip.ParseAddr(h)
		if err != nil {
			continue
		}
		list := &six
		if ip = ip.Unmap(); ip.Is4() {
			list = &four
		}
		*list = append(*list, net.JoinHostPort(ip.String(), n.port))
	}
	if len(four) == 0 {
		four = six
	}
	if len(four) == 0 {
		return nil, fmt.Errorf("look up %s: %w", n.host, errNoAddress)
	}
	slices.Sort(four)
	return slices.Compact(four), nil
}

// census holds, for each served address of a name, how many answers in a row lacked it.
type census map[string]int

// take compares an answer with the served addresses. It returns the new addresses as come,
// and those to leave as left.
func (c census) take(answer []string) (come, left []string) {
	for _, addr := range answer {
		if _, served := c[addr]; !served {
			come = append(come, addr)
		}
	}
	for addr := range c {
		if slices.Contains(answer, addr) {
			c[addr] = 0
			continue
		}
		if c[addr]++; c[addr] >= goneAfter {
			delete(c, addr)
			left = append(left, addr)
		}
	}
	slices.Sort(left)
	return come, left
}

// follow serves every address of a name, and leaves addresses that it no longer has, until
// ctx ends.
func (f *links) follow(ctx context.Context, n name) {
	log := f.checker.log.With("name", n.host)
	lookups := obs.Edge{Log: log, What: "coordinator lookup", Level: slog.LevelWarn}
	known, leave := census{}, map[string]context.CancelFunc{}
	failed := make(chan struct{}, 1)
	for {
		asked := time.Now()
		answer, err := n.lookup(ctx, f.checker.resolver)
		if ctx.Err() != nil {
			return // the links end with it
		}
		lookups.Note(err, "served", len(known))
		if err == nil {
			come, left := known.take(answer)
			for _, addr := range left {
				log.Info("coordinator gone from its name", "coordinator", addr)
				leave[addr]()
				delete(leave, addr)
			}
			for _, addr := range come {
				// An address with another link, or beyond the limit, may be served later.
				stop, err := f.serve(ctx, endpoint{addr: addr, host: n.host, failed: failed})
				switch {
				case err != nil:
					log.Error("coordinator not served", "coordinator", addr, "error", err)
				case stop != nil:
					known[addr], leave[addr] = 0, stop
				}
			}
		}
		if !pause.Or(ctx, time.Until(asked.Add(lookupEvery)), failed) || !pause.Until(ctx, asked.Add(lookupSoon)) {
			return
		}
	}
}
