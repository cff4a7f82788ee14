package uptime

import (
	"testing"
	"time"
)

// What a calendar holds is bounded by its window, not by the number of its URLs.
func TestManyURLsThatFailTogetherAreOneStretch(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	c := New(now, 3)
	most := 0
	for i := range 100_000 {
		from := c.From().Add(time.Duration(i%50) * 6 * time.Minute)
		c.Add(URL{Outages: []Outage{{Start: from, End: from.Add(3 * time.Minute)}}})
		most = max(most, len(c.down))
	}
	if d := c.Days()[0]; d.Minutes() != 150 {
		t.Errorf("%+v, want 50 stretches of three minutes", d)
	}
	if most > 1101 {
		t.Errorf("%d stretches were held for 50", most)
	}
}
