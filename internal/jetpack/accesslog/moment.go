package accesslog

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
)

// stampLayout is the time format of the common and combined formats.
const stampLayout = "02/Jan/2006:15:04:05 -0700"

// when parses an entry's time: as the common format has it, as ISO 8601, or as seconds since
// 1970. It returns the zero time when it cannot.
func when(stamp []byte) time.Time {
	text := strings.Trim(string(stamp), "[]")
	for _, layout := range []string{stampLayout, time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC()
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0 && seconds < 1<<34) {
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}

// maxTook is longer than any response takes.
const maxTook = 24 * time.Hour

// seconds reads a duration in seconds, or with its unit as "12ms"; 0 when it is none.
func seconds(text []byte) time.Duration {
	if len(text) == 0 || len(text) > 32 || text[0] < '0' || text[0] > '9' {
		return 0
	}
	if last := text[len(text)-1]; last == 's' {
		if d, err := time.ParseDuration(string(text)); err == nil && d > 0 && d < maxTook {
			return d
		}
		return 0
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(n > 0 && n < maxTook.Seconds()) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}

// tookIn finds the response time in what follows the user agent: nginx's seconds with three
// decimals, "rt=0.120", or "12ms". A number without a unit may be anything, and is none.
func tookIn(tail []byte) time.Duration {
	for field := range bytes.FieldsSeq(tail) {
		field = bytes.TrimPrefix(field, []byte("rt="))
		field = bytes.TrimPrefix(field, []byte("request_time="))
		field = bytes.Trim(field, `"`)
		if n := len(field); n > 4 && field[n-4] == '.' || n > 2 && field[n-1] == 's' {
			if d := seconds(field); d > 0 {
				return d
			}
		}
	}
	return 0
}
