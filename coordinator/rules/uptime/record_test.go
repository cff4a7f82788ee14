package uptime_test

import (
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/uptime"
)

// A site that is seen every other minute, and fails often, has a point an hour over a hundred days:
// each looks at the gaps and outages of its hour only.
func TestAnHourOfARecordCostsWhatIsInIt(t *testing.T) { // not parallel: it counts allocations
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	begin := now.Add(-100 * 24 * time.Hour)
	var gaps []uptime.Span
	for at := begin; at.Before(now); at = at.Add(2 * time.Minute) {
		gaps = append(gaps, uptime.Span{Start: at, End: at.Add(time.Minute)})
	}
	u := uptime.URL{Since: begin}
	for i := range 500 {
		at := begin.Add(time.Duration(i) * 4 * time.Hour)
		u.Outages = append(u.Outages, uptime.Outage{Start: at, Confirmed: at.Add(time.Minute), End: at.Add(90 * time.Minute)})
	}
	site := uptime.Site{ID: 7, Interval: time.Minute}
	began := time.Now()
	r := u.Record(site, now, gaps)
	hours, down, outages := 0, time.Duration(0), 0
	for at := begin; at.Before(now); at = at.Add(time.Hour) {
		s := r.Over(uptime.Span{Start: at, End: at.Add(time.Hour)})
		hours, down, outages = hours+1, down+s.Down, outages+s.Outages
	}
	// Once through all gaps for each hour would take minutes.
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d hours took %v", hours, took)
	}
	whole := u.Over(site, uptime.Span{Start: begin, End: now}, now, gaps)
	if whole.Down != down || whole.Outages != 500 || outages != 1000 || down == 0 {
		t.Errorf("%d outages of %v, by hour %d of %v", whole.Outages, whole.Down, outages, down)
	}
	hour := uptime.Span{Start: begin.Add(49 * time.Hour), End: begin.Add(50 * time.Hour)}
	if n := testing.AllocsPerRun(10, func() { r.Over(hour) }); n > 60 {
		t.Errorf("an hour takes %v allocations", n)
	}
}
