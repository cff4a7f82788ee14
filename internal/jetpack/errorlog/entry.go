package errorlog

import (
	"bytes"
	"strings"
	"time"
)

// maxEntry is how much of an entry of several lines is kept.
const maxEntry = 16 << 10

// The time formats at the beginning of an entry.
const (
	nginxLayout  = "2006/01/02 15:04:05"
	phpLayout    = "02-Jan-2006 15:04:05" // in brackets; a zone or a fraction may follow
	apacheLayout = "Mon Jan 02 15:04:05 2006"
)

// startOf parses the time at the beginning of an entry; ok is false for a line that
// continues the entry before it.
func startOf(line []byte) (at time.Time, rest []byte, ok bool) {
	switch {
	case len(line) < len(nginxLayout):
		return at, nil, false
	case line[0] >= '0' && line[0] <= '9':
		return startsWith(line, string(line[:len(nginxLayout)]), nginxLayout, len(nginxLayout))
	case line[0] != '[':
		return at, nil, false
	}
	end := bytes.IndexByte(line, ']')
	if end <= len(phpLayout) || end > 64 {
		return at, nil, false
	}
	inside := string(line[1:end])
	if inside[0] >= '0' && inside[0] <= '9' {
		return startsWith(line, inside[:len(phpLayout)], phpLayout, end+1)
	}
	return startsWith(line, withoutFraction(inside), apacheLayout, end+1)
}

func startsWith(line []byte, text, layout string, end int) (time.Time, []byte, bool) {
	at, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, nil, false
	}
	return at, bytes.TrimLeft(line[end:], " "), true
}

// withoutFraction removes the fraction from "15:04:05.123456 2006".
func withoutFraction(s string) string {
	dot, year := strings.IndexByte(s, '.'), strings.LastIndexByte(s, ' ')
	if dot < 0 || year < dot {
		return s
	}
	return s[:dot] + s[year:]
}
