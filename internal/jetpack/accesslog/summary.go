package accesslog

import (
	"bytes"
	"io"
	"time"
)

// Options for New.
type Options struct {
	// Buffers is the size of the web server's buffers in bytes; the counter counts larger
	// responses. 0 counts none.
	Buffers int64
	// Top is how many URLs to list.
	Top int
}

// Summary is the result of counting a log.
type Summary struct {
	// Good counts the lines that could be parsed, Bad the others.
	Good, Bad uint64
	// BadAt is the number of the first bad line, 0 when there is none.
	BadAt uint64
	// First and Last are the times of the first and last good line; zero when they cannot be
	// parsed.
	First, Last time.Time
	// Dynamic are the responses that PHP most likely made and that have a body.
	Dynamic Sizes
	// Founding are the responses that the founding article's line of awk counts: status 200 and
	// .php in the URL.
	Founding Sizes
	// Over counts those of Dynamic that are larger than Options.Buffers.
	Over uint64
	// Frequent are the most requested URLs, Large those with the largest dynamic responses.
	Frequent, Large []URL
	// Forgotten counts URLs that were merged because there were too many.
	Forgotten uint64
	Calls     Calls
	// Server wrote the log, as far as its lines show; empty when they do not.
	Server Server
}

// Counter reads logs, one after another. It is not safe for concurrent use.
type Counter struct {
	o           Options
	good, bad   uint64
	badAt       uint64
	first, last []byte
	dynamic     Sizes
	founding    Sizes
	over        uint64
	traffic     traffic
	calls       calls
	servers     servers
	parser      parser
	// key is a buffer for the path of the current line.
	key []byte
}

// New makes a counter.
func New(o Options) *Counter {
	return &Counter{o: o, traffic: newTraffic(), calls: newCalls(), servers: servers{}}
}

// Read counts a whole log. The lines before an error stay counted.
func (c *Counter) Read(r io.Reader) error { return Lines(r, c.line) }

func (c *Counter) line(line []byte) {
	e, ok := c.parser.parse(line)
	if !ok {
		if c.bad++; c.badAt == 0 {
			c.badAt = c.good + c.bad
		}
		return
	}
	if c.good++; c.first == nil {
		c.first = bytes.Clone(e.stamp)
	}
	c.last = append(c.last[:0], e.stamp...)
	if e.server != "" {
		c.servers[e.server]++
	}
	if e.status == 200 && bytes.Contains(e.uri, []byte(".php")) {
		c.founding.add(e.bytes)
	}
	path, query, _ := bytes.Cut(e.uri, []byte("?"))
	door, isCall := entranceOf(path, query)
	if isCall {
		c.calls.add(&e, query, door)
	}
	c.count(&e, path, door)
}

// count adds a request to the sizes. HEAD and 304 never have a body.
func (c *Counter) count(e *entry, path []byte, door Entrance) {
	dynamic := isDynamic(path)
	hasBody := e.status != 304 && string(e.method) != "HEAD"
	if dynamic && hasBody {
		c.dynamic.add(e.bytes)
		if c.o.Buffers > 0 && e.bytes > c.o.Buffers {
			c.over++
		}
	}
	c.key = append(c.key[:0], path...)
	if len(c.key) > maxPath {
		c.key = c.key[:maxPath]
	}
	if door == EntranceXMLRPC || door == EntranceComms {
		c.key = append(c.key, "?for=jetpack"...)
	}
	u := c.traffic.of(c.key, dynamic)
	u.Count++
	if hasBody {
		u.Sizes.add(e.bytes)
	}
	if class := e.status/100 - 1; class >= 0 && class < len(u.Statuses) {
		u.Statuses[class]++
	}
}

// Summary returns the counts so far.
func (c *Counter) Summary() Summary {
	large := traffic{urls: map[string]*URL{}}
	for key, u := range c.traffic.urls {
		if u.Dynamic {
			large.urls[key] = u
		}
	}
	return Summary{
		Good: c.good, Bad: c.bad, BadAt: c.badAt, First: when(c.first), Last: when(c.last),
		Dynamic: c.dynamic, Founding: c.founding, Server: c.servers.result(), Over: c.over, Forgotten: c.traffic.forgotten,
		Frequent: c.traffic.top(c.o.Top, byCount), Large: large.top(c.o.Top, byMax), Calls: c.calls.result(),
	}
}
