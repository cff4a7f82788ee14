package cli

import (
	"bytes"
	"fmt"
	"io"

	"github.com/Automattic/jetmon/internal/cli/format"
)

// screen draws lines on a terminal. It writes only those that have changed, all in one piece,
// so nothing flickers.
type screen struct {
	w             io.Writer
	color         bool
	columns, rows int
	shown         []format.StyledLine
}

// open takes the terminal's other screen, where nothing of what was there is lost.
func (s *screen) open() error { return s.write("\x1b[?1049h\x1b[?25l\x1b[2J") }

// close gives the terminal back.
func (s *screen) close() error { return s.write("\x1b[0m\x1b[?25h\x1b[?1049l") }

// resize tells the terminal's size. It reports whether that is another one.
func (s *screen) resize(columns, rows int) bool {
	if columns == s.columns && rows == s.rows {
		return false
	}
	s.columns, s.rows, s.shown = columns, rows, nil
	return true
}

// draw shows the lines, as many as there are rows.
func (s *screen) draw(lines []format.StyledLine) error {
	var b bytes.Buffer
	b.WriteString("\x1b[?2026h")
	if s.shown == nil {
		b.WriteString("\x1b[0m\x1b[2J")
		s.shown = make([]format.StyledLine, s.rows)
	}
	before := b.Len()
	for row := range s.shown {
		var line format.StyledLine
		if row < len(lines) {
			line = lines[row]
		}
		if s.shown[row] == line {
			continue
		}
		s.shown[row] = line
		fmt.Fprintf(&b, "\x1b[%d;1H%s%s\x1b[0m\x1b[K", row+1, s.style(line.Style), line.Text)
	}
	if b.Len() == before {
		return nil
	}
	b.WriteString("\x1b[?2026l")
	return s.write(b.String())
}

// style returns what begins a line of a style. A heading stands out without colour too.
func (s *screen) style(style format.LineStyle) string {
	switch {
	case style == format.Heading:
		return "\x1b[1m"
	case style == format.Wrong && s.color:
		return "\x1b[31;1m"
	case style == format.Wrong:
		return "\x1b[7m"
	}
	return ""
}

func (s *screen) write(text string) error {
	_, err := io.WriteString(s.w, text)
	return err
}
