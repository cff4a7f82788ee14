package limits

import "fmt"

// The figures of docs/sizing.md, each with its measurement there.
const (
	// socketsPerCheck is how many descriptors a check has at most while it is under way: one
	// connection by IPv6 and one by IPv4.
	socketsPerCheck = 2
	// ownFiles is what a process has beside its work: name servers (up to 64 sockets each), the
	// runtime, the log, the debug listener, streams to other roles.
	ownFiles = 256
	// flowSeconds is how long the kernel tracks a connection that has been closed, and
	// secondsPerCheck how long a check is reckoned to take: rate times both is the table.
	flowSeconds, secondsPerCheck = 120, 1
	// checkBytes is what a check under way needs, ownBytes what a process that probes has once:
	// its code and runtime, verified chains, answers of name servers.
	checkBytes = 40 << 10
	ownBytes   = 96 << 20
	// coordinatorBytes and gatewayBytes are what these have without sites and callers.
	coordinatorBytes = 96 << 20
	gatewayBytes     = 64 << 20
	// clients is how many connections of others a gateway, or a coordinator, is reckoned to have:
	// no flag says it.
	gatewayClients, coordinatorClients = 4096, 1024
	// filesPerVeriflier is a connection, and one more while an address is given up for another.
	filesPerVeriflier = 2
	// tellers is the connections to WordPress.com and to the endpoints of subscriptions.
	tellers = 256
)

// Probing is what the flags of a role that probes ask for.
type Probing struct {
	// InFlight is --max-in-flight.
	InFlight int
	// Sessions is the bytes of --tls-session-cache.
	Sessions uint64
	// SecondReader is set where a second reader asks the same site.
	SecondReader bool
	// Serves is set for a role that others connect to.
	Serves bool
}

// Needs lists what the role asks for.
func (p Probing) Needs() []Need {
	checks, sockets := uint64(max(p.InFlight, 0)), uint64(socketsPerCheck)
	if p.SecondReader {
		sockets *= 2
	}
	flows := checks / secondsPerCheck * (flowSeconds + secondsPerCheck)
	needs := []Need{
		{Files, checks*sockets + ownFiles, fmt.Sprintf("%d checks in flight (--max-in-flight) of %d sockets each, and %d of its own", checks, sockets, ownFiles)},
		{Ports, checks, fmt.Sprintf("%d checks in flight (--max-in-flight), should all lead to one address", checks)},
		{Flows, flows, fmt.Sprintf("%d checks a second, each tracked for %d s after its end", checks/secondsPerCheck, flowSeconds)},
		{Memory, ownBytes + p.Sessions + checks*checkBytes, fmt.Sprintf("%d checks in flight of %d KiB, %d MiB of TLS sessions (--tls-session-cache), and %d MiB of its own",
			checks, checkBytes>>10, p.Sessions>>20, ownBytes>>20)},
	}
	if p.Serves {
		needs = append(needs, backlog(128, "the coordinators, which come back together after a network has failed"))
	}
	return needs
}

// Coordinating is what the flags of a coordinator ask for.
type Coordinating struct {
	// Sessions is how many connections to the database and its replicas its pools may open.
	Sessions int
	// Verifliers is how many there are.
	Verifliers int
}

// Needs lists what a coordinator asks for. Its memory grows with the sites, which no flag tells.
func (c Coordinating) Needs() []Need {
	files := c.Sessions + c.Verifliers*filesPerVeriflier + coordinatorClients + tellers + ownFiles
	return []Need{
		{Files, uint64(files), fmt.Sprintf("%d sessions with the database, %d verifliers, %d checkers, gateways and callers, %d ends of notifications, and %d of its own",
			c.Sessions, c.Verifliers, coordinatorClients, tellers, ownFiles)},
		backlog(512, "checkers, gateways and callers, which come back together after a restart"),
		{Memory, coordinatorBytes, "a coordinator without sites; each site needs 230 bytes more"},
	}
}

// Gateway lists what a gateway asks for.
func Gateway() []Need {
	return []Need{
		{Files, gatewayClients + ownFiles, fmt.Sprintf("%d connections of clients, and %d of its own", gatewayClients, ownFiles)},
		backlog(1024, "clients that connect in the same moment"),
		{Memory, gatewayBytes, "a gateway with few bodies at once"},
	}
}

func backlog(least uint64, who string) Need { return Need{Backlog, least, who} }
