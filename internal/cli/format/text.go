// Package format writes the output of the commands for people: text in columns, and the
// JSON of the REST API. It makes no calls and decides nothing.
//
// Data from sites and nodes cannot control the terminal: in all text, unprintable
// characters become question marks.
package format

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// page is a text in which tabs separate columns.
type page struct{ w *tabwriter.Writer }

func write(w io.Writer, words func(*page)) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	words(&page{columns})
	return columns.Flush()
}

// line adds a line; its texts are made printable.
func (p *page) line(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = printable(s)
		}
	}
	fmt.Fprintf(p.w, format+"\n", args...) // the error is Flush's
}

// printable keeps a site's text from controlling the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// word returns the name of an enum value without its prefix, in lower case.
func word(value fmt.Stringer, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(value.String(), prefix))
}

// momentLayout has the zone: Z, or the difference as +02:00.
const momentLayout = "2006-01-02 15:04:05Z07:00"

// moment formats a time for people, in their zone, "-" when there is none.
func moment(t *timestamppb.Timestamp) string { return momentIn(t, time.Local) }

func momentIn(t *timestamppb.Timestamp, zone *time.Location) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().In(zone).Format(momentLayout)
}

// ParseMoment parses RFC 3339, and the times that this package writes.
func ParseMoment(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(momentLayout, text)
	}
	return at, err
}

// Printable replaces what is unprintable in a text by question marks.
func Printable(text string) string { return printable(text) }

// Count writes a number of things: 1 site, 2 sites.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
