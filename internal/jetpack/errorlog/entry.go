package errorlog

import (
	"bytes"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
)

// Server is the software that wrote an entry.
type Server = accesslog.Server

// The servers, and PHP, which writes a log of its own.
const (
	Nginx         = accesslog.ServerNginx
	Apache        = accesslog.ServerApache
	PHP    Server = "PHP"
)

// maxEntry is how much of an entry of several lines is kept.
const maxEntry = 16 << 10

// The time formats at the beginning of an entry.
const (
	nginxLayout  = "2006/01/02 15:04:05"
	phpLayout    = "02-Jan-2006 15:04:05" // in brackets; a zone or a fraction may follow
	apacheLayout = "Mon Jan 02 15:04:05 2006"
)

// start is the beginning of an entry.
type start struct {
	at     time.Time
	server Server
	rest   []byte
}

// startOf parses the time at the beginning of an entry; ok is false for a line that
// continues the entry before it.
func startOf(line []byte) (s start, ok bool) {
	switch {
	case len(line) < len(nginxLayout):
		return s, false
	case line[0] >= '0' && line[0] <= '9':
		return startsWith(line, Nginx, string(line[:len(nginxLayout)]), len(nginxLayout))
	case line[0] != '[':
		return s, false
	}
	end := bytes.IndexByte(line, ']')
	if end <= len(phpLayout) || end > 64 {
		return s, false
	}
	inside := string(line[1:end])
	if inside[0] >= '0' && inside[0] <= '9' {
		return startsWith(line, PHP, inside[:len(phpLayout)], end+1)
	}
	return startsWith(line, Apache, withoutFraction(inside), end+1)
}

func startsWith(line []byte, server Server, text string, end int) (start, bool) {
	layout := nginxLayout
	switch server {
	case PHP:
		layout = phpLayout
	case Apache:
		layout = apacheLayout
	}
	at, err := time.Parse(layout, text)
	if err != nil {
		return start{}, false
	}
	return start{at, server, bytes.TrimLeft(line[end:], " ")}, true
}

// belowError reports whether an entry of nginx has a level that its default, error, leaves
// out: then the log shows warnings too.
func (s *start) belowError() bool {
	if s.server != Nginx {
		return false
	}
	for _, level := range []string{"[warn]", "[notice]", "[info]", "[debug]"} {
		if bytes.HasPrefix(s.rest, []byte(level)) {
			return true
		}
	}
	return false
}

// withoutFraction removes the fraction from "15:04:05.123456 2006".
func withoutFraction(s string) string {
	dot, year := strings.IndexByte(s, '.'), strings.LastIndexByte(s, ' ')
	if dot < 0 || year < dot {
		return s
	}
	return s[:dot] + s[year:]
}
