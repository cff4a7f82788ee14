package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gateway/statuspage"
)

func TestOutagesThatBeginTogetherAreOneIncident(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return time.Date(2026, 5, 1, 0, minutes, 0, 0, time.UTC) }
	o := func(name string, start, end int) statuspage.Outage {
		return statuspage.Outage{Names: []string{name}, Start: at(start), End: at(end)}
	}
	for name, tt := range map[string]struct {
		outages []statuspage.Outage
		want    string
	}{
		"none":                        {nil, ""},
		"two at once":                 {[]statuspage.Outage{o("b", 1, 9), o("a", 0, 5)}, "a and b were 0-9"},
		"one site twice at once":      {[]statuspage.Outage{o("a", 0, 3), o("a", 2, 4)}, "a was 0-4"},
		"the first is over":           {[]statuspage.Outage{o("a", 0, 2), o("b", 3, 4)}, "b was 3-4; a was 0-2"},
		"much later":                  {[]statuspage.Outage{o("a", 0, 60), o("b", 6, 9)}, "a was 0-60; b was 6-9"},
		"a chain is not without end":  {[]statuspage.Outage{o("a", 0, 60), o("b", 4, 60), o("c", 8, 60)}, "a and b were 0-60; c was 8-60"},
		"three, and another one else": {[]statuspage.Outage{o("a", 0, 5), o("b", 0, 5), o("c", 0, 6), o("d", 30, 40)}, "d was 30-40; a, b and c were 0-6"},
		"many are not all named":      {[]statuspage.Outage{o("a", 0, 5), o("b", 0, 5), o("c", 0, 5), o("d", 0, 5), o("e", 0, 5)}, "a, b, c and 2 other sites were 0-5"},
	} {
		var got []string
		for _, x := range together(tt.outages) {
			got = append(got, fmt.Sprintf("%s %.0f-%.0f", x.Who(), x.Start.Sub(at(0)).Minutes(), x.End.Sub(at(0)).Minutes()))
		}
		if text := strings.Join(got, "; "); text != tt.want {
			t.Errorf("%s: %s, want %s", name, text, tt.want)
		}
	}
}
