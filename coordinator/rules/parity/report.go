package parity

import (
	"cmp"
	"slices"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Report adds up the comparisons of many sites. The zero value has none; its size does not
// depend on how many sites there are.
type Report struct {
	// Sites counts the sites by agreement.
	Sites [agreements]int
	// Down and Up are about v1's last changes of sites that went down and came back.
	Down, Up Changes
	// Alone counts outages that only we have seen.
	Alone int
	// reasons counts the sites that only we call down, by why.
	reasons map[Cause]int
}

// Changes is who noticed changes first.
type Changes struct {
	// Both counts the changes that both decided, OnlyV1 those that we did not within Near.
	Both, OnlyV1 int
	// Earlier counts those of Both that we decided first by a second or more, Later those that
	// v1 did.
	Earlier, Later int
	leads          [2*leadCells + 1]int
}

// leadCells is the number of cells of a second on each side of no lead.
const leadCells = int(Near / time.Second)

// Add adds one site, compared as by Compare.
func (r *Report) Add(now time.Time, s *Site, a Agreement) {
	r.Sites[a]++
	if a == Unwatched {
		return
	}
	if a == OnlyOursDown {
		if r.reasons == nil {
			r.reasons = map[Cause]int{}
		}
		if _, known := r.reasons[s.Cause]; known || len(r.reasons) < maxReasons {
			r.reasons[s.Cause]++
		}
	}
	r.Alone += s.Alone(now)
	t, changed := s.Timing()
	switch {
	case !changed:
	case t.Change == check.StatusRunning:
		r.Up.add(t)
	case t.Change == check.StatusDown:
		r.Down.add(t)
	}
}

// maxReasons bounds the different causes that a report counts.
const maxReasons = 1000

func (c *Changes) add(t Timing) {
	if !t.Matched {
		c.OnlyV1++
		return
	}
	c.Both++
	switch {
	case t.Lead >= time.Second:
		c.Earlier++
	case t.Lead <= -time.Second:
		c.Later++
	}
	c.leads[leadCells+int(t.Lead/time.Second)]++
}

// Lead returns the lead that a share of the changes does not exceed, to a second: 0.5 is the
// median. It is negative where v1 was earlier, and 0 when there are no changes.
func (c *Changes) Lead(share float64) time.Duration {
	rest := int(share * float64(c.Both-1))
	for cell, n := range c.leads {
		if rest -= n; rest < 0 {
			return time.Duration(cell-leadCells) * time.Second
		}
	}
	return 0
}

// Reason is how many sites only we call down for one cause.
type Reason struct {
	Cause Cause
	Sites int
}

// Reasons lists the causes, the most frequent first.
func (r *Report) Reasons() []Reason {
	all := make([]Reason, 0, len(r.reasons))
	for cause, n := range r.reasons {
		all = append(all, Reason{cause, n})
	}
	return slices.SortedFunc(slices.Values(all), func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Sites, a.Sites), cmp.Compare(a.Cause.Failure, b.Cause.Failure),
			cmp.Compare(a.Cause.Reason, b.Cause.Reason), cmp.Compare(a.Cause.HTTPStatus, b.Cause.HTTPStatus))
	})
}

// Watched counts the sites that were compared.
func (r *Report) Watched() int {
	return r.Sites[BothUp] + r.Sites[BothDown] + r.Sites[OnlyV1Down] + r.Sites[OnlyOursDown]
}
