package accesslog

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"
)

const (
	maxAgents     = 50
	maxAgentBytes = 100
	// keptNonces is how many of the latest nonces are remembered for certain.
	keptNonces = 100_000
)

// Entrance is the endpoint that a call of Jetpack uses.
type Entrance string

// The entrances.
const (
	EntranceXMLRPC Entrance = "xmlrpc.php"
	EntranceComms  Entrance = "/?for=jetpack&jetpack=comms"
	EntranceREST   Entrance = "wp-json"
)

// Agent counts the calls with one user agent.
type Agent struct {
	Name        string
	Count, Good uint64
}

// Calls counts the calls that claim to be Jetpack's.
type Calls struct {
	Count uint64
	// Statuses counts by status code.
	Statuses map[int]uint64
	// Agents are in order of frequency; the last may be "(others)".
	Agents    []Agent
	Entrances map[Entrance]uint64
	Sizes     Sizes
	// Times are the response times, as far as the log has them.
	Times Times
	// Signed counts the different signed calls. Replays counts calls whose timestamp and nonce
	// came before from the same client; Replay is the time of the first, as the log has it.
	Signed, Replays uint64
	Replay          string
	// Relayed counts calls that are in the log twice with different clients, because a proxy and
	// the server behind it write into one file.
	Relayed uint64
}

// Twice reports whether about every signed call is in the log twice: two servers write it, or
// a file was joined with itself.
func (c *Calls) Twice() bool {
	return c.Signed >= 10 && c.Replays >= c.Signed-c.Signed/10 && c.Replays <= c.Signed+c.Signed/10
}

// Times is a distribution of durations, as exact as Sizes.
type Times struct{ micros Sizes }

// Count returns how many there are.
func (t *Times) Count() uint64 { return t.micros.Count }

// Max returns the longest.
func (t *Times) Max() time.Duration { return time.Duration(t.micros.Max) * time.Microsecond }

// Percentile returns a duration that p percent of all do not exceed.
func (t *Times) Percentile(p float64) time.Duration {
	return time.Duration(t.micros.Percentile(p)) * time.Microsecond
}

// calls does the counting for Calls.
type calls struct {
	count     uint64
	statuses  [1000]uint64
	agents    map[string]*Agent
	others    Agent
	entrances map[Entrance]uint64
	sizes     Sizes
	times     Times
	nonces    nonces
	signed    uint64
	replays   uint64
	replay    string
	relayed   uint64
}

func newCalls() calls {
	return calls{
		agents: map[string]*Agent{}, others: Agent{Name: "(others)"},
		entrances: map[Entrance]uint64{}, nonces: nonces{now: map[uint64]uint64{}},
	}
}

// entranceOf reports whether a request is Jetpack's, and the endpoint that it used.
func entranceOf(path, query []byte) (Entrance, bool) {
	switch {
	case !bytes.Contains(query, []byte("jetpack")):
		return "", false
	case param(query, "for") == "jetpack" && bytes.HasSuffix(path, []byte("/xmlrpc.php")):
		return EntranceXMLRPC, true
	case param(query, "for") == "jetpack" && param(query, "jetpack") == "comms":
		return EntranceComms, true
	case param(query, "_for") == "jetpack":
		return EntranceREST, true
	}
	return "", false
}

// param returns a parameter of a query without decoding it.
func param(query []byte, name string) string {
	for len(query) > 0 {
		pair, rest, _ := bytes.Cut(query, []byte("&"))
		query = rest
		if len(pair) > len(name) && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
			return string(pair[len(name)+1:])
		}
	}
	return ""
}

func (c *calls) add(e *entry, query []byte, door Entrance) {
	c.count++
	c.statuses[e.status]++
	c.entrances[door]++
	c.sizes.add(e.bytes)
	a := c.agent(e.userAgent)
	a.Count++
	if e.status >= 200 && e.status < 300 {
		a.Good++
	}
	if took := cmp.Or(e.took, tookIn(e.tail)); took > 0 {
		c.times.micros.add(took.Microseconds())
	}
	timestamp, nonce := param(query, "timestamp"), param(query, "nonce")
	if timestamp == "" || nonce == "" {
		return
	}
	switch c.nonces.again(timestamp, nonce, sourceOf(e.source)) {
	case unseen:
		c.signed++
	case elsewhere:
		c.relayed++
	case again:
		if c.replays++; c.replays == 1 {
			c.replay = clean(e.stamp, 40)
		}
	}
}

// sourceOf hashes who asked whom. A collector's own time and name may stand before a text
// line, so only the last words count: the virtual host with its port, client, and users.
func sourceOf(source []byte) uint64 {
	words := 0
	for i := len(source) - 1; i >= 0; i-- {
		if source[i] != ' ' {
			continue
		}
		if words++; words == 3 {
			host := source[:i]
			host = host[bytes.LastIndexByte(host, ' ')+1:]
			if _, port, ok := bytes.Cut(host, []byte(":")); !ok || len(port) == 0 || len(bytes.Trim(port, "0123456789")) > 0 {
				return hash(0, source[i:])
			}
			return hash(hash(0, host), source[i:])
		}
	}
	return hash(0, source)
}

func (c *calls) agent(name []byte) *Agent {
	if a := c.agents[string(name)]; a != nil {
		return a
	}
	if len(c.agents) >= maxAgents {
		return &c.others
	}
	a := &Agent{Name: clean(name, maxAgentBytes)}
	c.agents[string(name)] = a
	return a
}

func (c *calls) result() Calls {
	out := Calls{
		Count: c.count, Statuses: map[int]uint64{}, Entrances: c.entrances, Sizes: c.sizes,
		Times: c.times, Signed: c.signed, Replays: c.replays, Replay: c.replay, Relayed: c.relayed,
	}
	for code, n := range c.statuses {
		if n > 0 {
			out.Statuses[code] = n
		}
	}
	for _, a := range c.agents {
		out.Agents = append(out.Agents, *a)
	}
	slices.SortFunc(out.Agents, func(a, b Agent) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name))
	})
	if c.others.Count > 0 {
		out.Agents = append(out.Agents, c.others)
	}
	return out
}

// nonces remembers the latest nonces in two generations, as hashes with the hash of the
// client that sent them first: it keeps no nonce.
type nonces struct{ now, before map[uint64]uint64 }

// sighting says how a nonce was seen.
type sighting int

const (
	unseen sighting = iota
	again
	elsewhere
)

// again reports whether the pair came before, from the same source or elsewhere, and
// remembers it.
func (n *nonces) again(timestamp, nonce string, source uint64) sighting {
	sum := hash(hash(hash(0, []byte(timestamp)), []byte{0}), []byte(nonce))
	first, ok := n.now[sum]
	if !ok {
		first, ok = n.before[sum]
	}
	switch {
	case ok && first == source:
		return again
	case ok:
		return elsewhere
	}
	if len(n.now) >= keptNonces {
		n.now, n.before = make(map[uint64]uint64, keptNonces), n.now
	}
	n.now[sum] = source
	return unseen
}

// hash continues an FNV-1a hash.
func hash(sum uint64, b []byte) uint64 {
	if sum == 0 {
		sum = 14695981039346656037
	}
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum
}
