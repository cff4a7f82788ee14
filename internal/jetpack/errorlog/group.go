package errorlog

import (
	"bytes"
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
)

// maxPaths limits the request paths of a group.
const maxPaths = 20

// Group counts all entries of one kind.
type Group struct {
	Kind  Kind
	Count uint64
	// Jetpack counts the entries about calls of Jetpack.
	Jetpack uint64
	// First and Last are in the log's own time zone, but marked as UTC.
	First, Last time.Time
	// Example is one entry, redacted.
	Example string
	// Paths are the paths of the requests, the most frequent first.
	Paths []string
	// Harmless is true for a kind that deserves a remark but no worry.
	Harmless  bool
	Means, Do string

	paths map[string]uint64
}

// Summary is the result of counting an error log.
type Summary struct {
	// Entries counts the entries; Bad counts the lines that belong to none.
	Entries, Bad uint64
	// Groups are in order of frequency.
	Groups []Group
}

// Counter reads error logs. It is not safe for concurrent use.
type Counter struct {
	entries, bad uint64
	groups       map[Kind]*Group
	// open is the entry that may continue on the next line.
	open   []byte
	openAt time.Time
}

// New makes a counter.
func New() *Counter { return &Counter{groups: map[Kind]*Group{}} }

// Read counts a whole log, plain or gzip. The entries before an error stay counted.
func (c *Counter) Read(r io.Reader) error {
	err := accesslog.Lines(r, c.line)
	c.flush()
	return err
}

func (c *Counter) line(line []byte) {
	if line == nil || bytes.IndexByte(line, 0) >= 0 {
		c.bad++
		return
	}
	at, rest, ok := startOf(line)
	switch {
	case ok:
		c.flush()
		c.open, c.openAt = append(c.open[:0], rest...), at
		if len(c.open) == 0 {
			c.open = append(c.open, ' ')
		}
	case len(c.open) == 0:
		c.bad++
	case len(c.open) < maxEntry:
		c.open = append(append(c.open, ' '), line...)
	}
}

// flush counts the open entry.
func (c *Counter) flush() {
	if len(c.open) == 0 {
		return
	}
	text := string(c.open[:min(len(c.open), maxEntry)])
	c.open = c.open[:0]
	c.entries++
	t := kindOf(text)
	if t == nil {
		t = &trouble{kind: KindOther, harmless: true, means: "Entries with no known relation to Jetpack.", do: "Read them if nothing else explains the trouble."}
	}
	g := c.groups[t.kind]
	if g == nil {
		g = &Group{
			Kind: t.kind, First: c.openAt, Example: Redact(text), Harmless: t.harmless,
			Means: t.means, Do: t.do, paths: map[string]uint64{},
		}
		c.groups[t.kind] = g
	}
	g.Count++
	g.Last = c.openAt
	if isJetpack(text) {
		g.Jetpack++
	}
	if path := requestPath(text); path != "" && (g.paths[path] > 0 || len(g.paths) < maxPaths) {
		g.paths[path]++
	}
}

func isJetpack(text string) bool {
	return strings.Contains(text, "for=jetpack") || strings.Contains(text, "/jetpack/v4") || strings.Contains(text, "Jetpack_Sync") ||
		strings.Contains(text, `Jetpack\Sync`)
}

// requestPath returns the path from nginx's request: "POST /x?y HTTP/1.1".
func requestPath(text string) string {
	_, after, ok := strings.Cut(text, `request: "`)
	if !ok {
		return ""
	}
	request, _, _ := strings.Cut(after, `"`)
	fields := strings.Fields(request)
	if len(fields) < 2 {
		return ""
	}
	path, _, _ := strings.Cut(fields[1], "?")
	return Redact(path[:min(len(path), 120)])
}

// Summary returns the counts so far.
func (c *Counter) Summary() Summary {
	s := Summary{Entries: c.entries, Bad: c.bad}
	for _, g := range c.groups {
		out := *g
		for path := range g.paths {
			out.Paths = append(out.Paths, path)
		}
		slices.SortFunc(out.Paths, func(a, b string) int {
			return cmp.Or(cmp.Compare(g.paths[b], g.paths[a]), strings.Compare(a, b))
		})
		out.paths = nil
		s.Groups = append(s.Groups, out)
	}
	slices.SortFunc(s.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return s
}
