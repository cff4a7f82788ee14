package probe

import (
	"strings"
	"time"
)

// parseCookieDate reads the date of an Expires attribute by the algorithm of RFC 6265bis,
// section 5.1.1, which finds the parts of a date in any order.
func parseCookieDate(s string) (time.Time, bool) {
	const unknown = -1
	hour, minute, second, day, month, year := unknown, 0, 0, unknown, unknown, unknown
	for token := range strings.FieldsFuncSeq(s, isDateDelimiter) {
		if hour == unknown {
			if h, m, s, ok := timeOfDay(token); ok {
				hour, minute, second = h, m, s
				continue
			}
		}
		if n, ok := leading(token, 1, 2); ok && day == unknown {
			day = n
			continue
		}
		if n := monthOf(token); n > 0 && month == unknown {
			month = n
			continue
		}
		if n, ok := leading(token, 2, 4); ok && year == unknown {
			year = n
		}
	}
	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year >= 0 && year <= 69:
		year += 2000
	}
	if hour < 0 || hour > 23 || minute > 59 || second > 59 || day < 1 || day > 31 || month < 1 || year < 1601 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t, t.Day() == day // the 31st of February is none
}

func isDateDelimiter(r rune) bool {
	return r == '\t' || r >= ' ' && r <= '/' || r >= ';' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
}

// timeOfDay reads H:M:S, each of one or two digits, and what follows that is no digit.
func timeOfDay(token string) (hour, minute, second int, ok bool) {
	h, rest, ok := strings.Cut(token, ":")
	if !ok {
		return 0, 0, 0, false
	}
	m, s, _ := strings.Cut(rest, ":")
	if len(h) > 2 || len(m) > 2 || !isDigits([]byte(h+m)) {
		return 0, 0, 0, false
	}
	hour, okH := leading(h, 1, 2)
	minute, okM := leading(m, 1, 2)
	second, okS := leading(s, 1, 2)
	return hour, minute, second, okH && okM && okS
}

// leading reads the digits at the beginning of a token; their number must be in the range.
func leading(token string, least, most int) (n int, ok bool) {
	i := 0
	for ; i < len(token) && token[i] >= '0' && token[i] <= '9'; i++ {
		if i < most {
			n = n*10 + int(token[i]-'0')
		}
	}
	return n, i >= least && i <= most
}

// monthOf returns the month whose first three letters begin a token, or 0.
func monthOf(token string) int {
	if len(token) < 3 {
		return 0
	}
	i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(token[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return i/3 + 1
}
