// Package limits decides whether a machine's limits are below what a role's flags ask for, and
// says how to raise them. What a role asks for is arithmetic on its flags, which docs/sizing.md
// explains; need.go has it.
//
// It reads nothing: package machine does. What nobody could read is not judged.
package limits

import (
	"fmt"
	"math/bits"
)

// Limit names a limit of a machine, as its administrators do.
type Limit string

// The limits.
const (
	// Files is how many descriptors a process may have open, the hard limit: Go raises the soft
	// one to it.
	Files Limit = "nofile"
	// Backlog is how many connections may wait at a listener until they are accepted.
	Backlog Limit = "net.core.somaxconn"
	// Ports is how many ports there are for connections to one destination.
	Ports Limit = "net.ipv4.ip_local_port_range"
	// Flows is how many connections the kernel tracks.
	Flows Limit = "net.netfilter.nf_conntrack_max"
	// Memory is the bytes that a process may use: those of its control group, or all.
	Memory Limit = "memory"
)

// all lists the limits in the order in which they are reported.
func all() []Limit { return []Limit{Files, Backlog, Ports, Flows, Memory} }

// Machine is the limits that could be read, each in its unit. One that is absent is unknown, or
// there is none.
type Machine map[Limit]uint64

// Need is what a role asks for of one limit, and for what.
type Need struct {
	Limit Limit
	Least uint64
	For   string
}

// Finding is one limit beside what is asked for.
type Finding struct {
	Need
	Has uint64
}

// Short reports whether the limit is too low.
func (f Finding) Short() bool { return f.Has < f.Least }

// Compare sets the limits that are known beside what a role asks for, in a fixed order.
func Compare(m Machine, needs []Need) (findings []Finding) {
	for _, l := range all() {
		for _, n := range needs {
			if has, known := m[l]; known && n.Limit == l {
				findings = append(findings, Finding{Need: n, Has: has})
			}
		}
	}
	return findings
}

// Raise says what raises the limit far enough.
func (f Finding) Raise() string {
	enough := roundUp(f.Least)
	switch f.Limit {
	case Files:
		return fmt.Sprintf("LimitNOFILE=%d in the unit, nofile in a container's ulimits, or ulimit -n %d before the start", enough, enough)
	case Ports:
		return `sysctl -w net.ipv4.ip_local_port_range="10240 65535"`
	case Memory:
		return fmt.Sprintf("MemoryMax=%dM in the unit, or the container's limit; or ask for less by the flags", enough>>20)
	}
	return fmt.Sprintf("sysctl -w %s=%d", f.Limit, enough)
}

// Amount prints a number in the limit's unit.
func (l Limit) Amount(n uint64) string {
	if l == Memory {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprint(n)
}

// roundUp returns the next power of two: a limit that is raised every week is not raised.
func roundUp(n uint64) uint64 {
	if n < 2 {
		return 1
	}
	return 1 << bits.Len64(n-1)
}
