package errorlog

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// maxPaths limits the request paths of a group, and its culprits.
const maxPaths = 20

// Group counts all entries of one kind.
type Group struct {
	Kind  Kind
	Count uint64
	// Jetpack counts the entries about calls of Jetpack, Elsewhere those about other requests;
	// the rest does not say.
	Jetpack, Elsewhere uint64
	// First and Last are in the log's own time zone, but marked as UTC.
	First, Last time.Time
	// Example is one entry, redacted.
	Example string
	// Paths are the paths of the requests, Culprits what the entries blame (a plugin, a theme, a
	// rule of mod_security, a function), each the most frequent first.
	Paths, Culprits []string
	// Harmless is true for a kind that deserves a remark but no worry, Wide for one that meets
	// every request.
	Harmless, Wide bool
	Cause          cause.Cause

	paths, culprits tally
}

// tally counts texts, of which it keeps the first few.
type tally map[string]uint64

func (t tally) add(text string) {
	if text != "" && (t[text] > 0 || len(t) < maxPaths) {
		t[text]++
	}
}

// sorted returns the texts, the most frequent first, safe to show.
func (t tally) sorted() (out []string) {
	texts := slices.SortedFunc(maps.Keys(t), func(a, b string) int {
		return cmp.Or(cmp.Compare(t[b], t[a]), strings.Compare(a, b))
	})
	for _, text := range texts {
		if text = Redact(text); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// Summary is the result of counting an error log.
type Summary struct {
	// Entries counts the entries; Bad counts the lines that belong to none.
	Entries, Bad uint64
	// Groups are in order of frequency.
	Groups []Group
	// Server wrote the first entry.
	Server Server
	// Warnings is true when nginx wrote entries below the level error, so that warnings that are
	// not there did not happen.
	Warnings bool
}

// Find returns the group of a kind, nil when there is none.
func (s *Summary) Find(kind Kind) *Group {
	for i := range s.Groups {
		if s.Groups[i].Kind == kind {
			return &s.Groups[i]
		}
	}
	return nil
}

// Counter reads error logs. It is not safe for concurrent use.
type Counter struct {
	known        *catalogue
	entries, bad uint64
	groups       map[Kind]*Group
	server       Server
	warnings     bool
	// open is the entry that may continue on the next line, opened its start.
	open   []byte
	opened start
}

// New makes a counter.
func New() *Counter { return &Counter{known: newCatalogue(), groups: map[Kind]*Group{}} }

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
	begin, ok := startOf(line)
	switch {
	case ok:
		c.flush()
		c.open, c.opened = append(c.open[:0], begin.rest...), begin
		c.server = cmp.Or(c.server, begin.server)
		c.warnings = c.warnings || begin.belowError()
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
	t := c.known.kindOf(text)
	g := c.groups[t.kind]
	if g == nil {
		g = &Group{
			Kind: t.kind, First: c.opened.at, Example: Redact(text), Harmless: t.harmless, Wide: t.wide,
			Cause: t.of(c.opened.server), paths: tally{}, culprits: tally{},
		}
		c.groups[t.kind] = g
	}
	g.Count++
	g.Last = c.opened.at
	path := requestPath(text)
	switch {
	case isJetpack(text, path):
		g.Jetpack++
	case path != "":
		g.Elsewhere++
	}
	g.paths.add(path)
	g.culprits.add(culprit(text))
}

// Summary returns the counts so far.
func (c *Counter) Summary() Summary {
	s := Summary{Entries: c.entries, Bad: c.bad, Server: c.server, Warnings: c.warnings}
	for _, g := range c.groups {
		out := *g
		out.Paths, out.Culprits = g.paths.sorted(), g.culprits.sorted()
		out.paths, out.culprits = nil, nil
		s.Groups = append(s.Groups, out)
	}
	slices.SortFunc(s.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return s
}
