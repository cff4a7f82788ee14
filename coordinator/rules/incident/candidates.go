package incident

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/internal/check"
)

// maxCandidates bounds the candidates. So many failures that share nothing are no incident.
const maxCandidates = 100_000

// candidates are the failures that are of no incident.
type candidates struct {
	sites map[check.SiteID]*candidate
	// queue has them in the order in which they were seen, and some that are none any more.
	queue []*candidate
	// sharing has those that share something.
	sharing map[Shared]*burst
}

// candidate is a failure that is of no incident.
type candidate struct {
	site   event.Site
	at     time.Time
	shared []Shared
}

// burst is the candidates that share something.
type burst struct {
	sites map[check.SiteID]*candidate
	// last is when the newest of them was seen, since when there were enough of them; zero when
	// there are not.
	last, since time.Time
}

func newCandidates() candidates {
	return candidates{sites: map[check.SiteID]*candidate{}, sharing: map[Shared]*burst{}}
}

// add adds a failure that is seen now.
func (c *candidates) add(now time.Time, f *candidate) {
	if known := c.sites[f.site.ID]; known != nil {
		if !f.at.After(known.at) {
			return
		}
		c.drop(known)
	}
	if len(c.sites) >= maxCandidates {
		return
	}
	c.sites[f.site.ID] = f
	c.queue = append(c.queue, f)
	shared := f.shared
	f.shared = nil
	c.share(now, f, shared)
}

// share adds what a candidate shares with others.
func (c *candidates) share(now time.Time, f *candidate, shared []Shared) {
	f.shared = append(f.shared, shared...)
	for _, s := range shared {
		b := c.sharing[s]
		if b == nil {
			b = &burst{sites: map[check.SiteID]*candidate{}}
			c.sharing[s] = b
		}
		b.sites[f.site.ID] = f
		b.last = now
	}
}

// remove removes a site that came back after it had failed.
func (c *candidates) remove(id check.SiteID, at time.Time) {
	if known := c.sites[id]; known != nil && at.After(known.at) {
		c.drop(known)
	}
}

func (c *candidates) drop(f *candidate) {
	delete(c.sites, f.site.ID)
	for _, s := range f.shared {
		b := c.sharing[s]
		if b == nil {
			continue // a tag that is there twice
		}
		if delete(b.sites, f.site.ID); len(b.sites) == 0 {
			delete(c.sharing, s)
		}
	}
}

// expire drops the candidates that failed before a time.
func (c *candidates) expire(before time.Time) {
	for len(c.queue) > 0 {
		f := c.queue[0]
		current := c.sites[f.site.ID] == f
		if current && !f.at.Before(before) {
			return
		}
		if current {
			c.drop(f)
		}
		c.queue[0] = nil
		c.queue = c.queue[1:]
	}
}

// ripe returns what enough candidates share, and have for some time: of several the one that
// most share, and of those that nearly as many share the narrowest.
func (c *candidates) ripe(now time.Time, rule Rule, need func(Shared, time.Time) int) (Shared, bool) {
	var most *burst
	enough := map[Shared]*burst{}
	for s, b := range c.sharing {
		if len(b.sites) < rule.Sites || len(b.sites) < need(s, now) {
			b.since = time.Time{}
			continue
		}
		if b.since.IsZero() {
			b.since = now
		}
		if now.Sub(b.last) < rule.Quiet && now.Sub(b.since) < rule.Patience {
			continue
		}
		enough[s] = b
		if most == nil || len(b.sites) > len(most.sites) {
			most = b
		}
	}
	if most == nil {
		return Shared{}, false
	}
	alike := slices.DeleteFunc(slices.Collect(maps.Keys(enough)), func(s Shared) bool {
		return float64(most.overlap(enough[s])) < nearly*float64(len(most.sites))
	})
	return slices.MinFunc(alike, Shared.compare), true
}

// nearly is the share of the sites that makes two bursts the same one.
const nearly = 0.9

// overlap counts the sites that are in both.
func (b *burst) overlap(o *burst) (n int) {
	for id := range o.sites {
		if b.sites[id] != nil {
			n++
		}
	}
	return n
}

// take removes and returns the candidates that share something, the first that failed first.
func (c *candidates) take(s Shared) []*candidate {
	taken := slices.SortedFunc(maps.Values(c.sharing[s].sites), func(a, b *candidate) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.site.ID, b.site.ID))
	})
	for _, f := range taken {
		c.drop(f)
	}
	return taken
}
