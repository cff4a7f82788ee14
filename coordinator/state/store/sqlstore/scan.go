package sqlstore

import (
	"database/sql"
	"math"
	"strconv"
	"strings"
	"time"
)

// The scanners of legacy rows accept every value of a driver: no row of WordPress.com may
// make a whole page unreadable.
var (
	_ sql.Scanner = (*number)(nil)
	_ sql.Scanner = (*text)(nil)
	_ sql.Scanner = (*moment)(nil)
)

// number is an integer; a value that is not an integer, or is too large, becomes 0.
type number int64

// Scan implements sql.Scanner.
func (n *number) Scan(src any) error {
	*n = 0
	switch v := src.(type) {
	case int64:
		*n = number(v)
	case uint64: // an unsigned BIGINT
		if v <= math.MaxInt64 {
			*n = number(v)
		}
	case []byte:
		*n = parseNumber(string(v))
	case string:
		*n = parseNumber(v)
	}
	return nil
}

func parseNumber(s string) number {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number(n)
	}
	return 0
}

// text is a string; NULL becomes the empty one.
type text string

// Scan implements sql.Scanner.
func (t *text) Scan(src any) error {
	switch v := src.(type) {
	case string:
		*t = text(v)
	case []byte:
		*t = text(v)
	case int64:
		*t = text(strconv.FormatInt(v, 10))
	default:
		*t = ""
	}
	return nil
}

// moment is a TIMESTAMP in UTC; NULL and invalid values become the zero time.
type moment struct{ time.Time }

// legacyTime is the format of a moment. The column holds whole seconds only.
const legacyTime = "2006-01-02 15:04:05"

// Scan implements sql.Scanner.
func (m *moment) Scan(src any) error {
	m.Time = time.Time{}
	switch v := src.(type) {
	case time.Time:
		m.Time = v.UTC()
	case []byte:
		m.Time = parseMoment(string(v))
	case string:
		m.Time = parseMoment(v)
	}
	return nil
}

func parseMoment(s string) time.Time {
	t, err := time.Parse(legacyTime, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// toMillis returns a time as in our own columns; the zero time is 0.
func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// clip shortens text to fit a column of our own of limit characters.
func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}
