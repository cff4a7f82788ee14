package accesslog

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"slices"
	"strings"
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
	// Replays counts calls whose timestamp and nonce came before; Replay is the time of the
	// first, as the log has it.
	Replays uint64
	Replay  string
}

// calls does the counting for Calls.
type calls struct {
	count     uint64
	statuses  [1000]uint64
	agents    map[string]*Agent
	others    Agent
	entrances map[Entrance]uint64
	sizes     Sizes
	nonces    nonces
	replays   uint64
	replay    string
}

func newCalls() calls {
	return calls{
		agents: map[string]*Agent{}, others: Agent{Name: "(others)"},
		entrances: map[Entrance]uint64{}, nonces: nonces{now: map[uint64]struct{}{}},
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
	timestamp, nonce := param(query, "timestamp"), param(query, "nonce")
	if timestamp == "" || nonce == "" || !c.nonces.again(timestamp, nonce) {
		return
	}
	if c.replays++; c.replays == 1 {
		c.replay = clean(e.stamp, 40)
	}
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
		Replays: c.replays, Replay: c.replay,
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

// nonces remembers the latest nonces in two generations, as hashes: it keeps no nonce.
type nonces struct{ now, before map[uint64]struct{} }

// again reports whether the pair came before, and remembers it.
func (n *nonces) again(timestamp, nonce string) bool {
	h := fnv.New64a()
	h.Write([]byte(timestamp)) // never fails
	h.Write([]byte{0})
	h.Write([]byte(nonce))
	sum := h.Sum64()
	_, young := n.now[sum]
	_, old := n.before[sum]
	if young || old {
		return true
	}
	if len(n.now) >= keptNonces {
		n.now, n.before = map[uint64]struct{}{}, n.now
	}
	n.now[sum] = struct{}{}
	return false
}
