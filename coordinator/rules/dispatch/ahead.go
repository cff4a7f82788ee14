package dispatch

// With some ten thousand checks open, what is known of one is in no cache when its turn
// or its result comes, and a check would wait for memory three or four times. Checks
// come in runs, though: a look at all of a run first, where no load depends on another,
// has the processor wait for all of them at once. The sums keep the loads from being left
// out as useless.

// Expect says which checks are about to be submitted; of them it takes only the site and
// the host. It changes nothing, and nothing depends on it.
func (c *Core) Expect(checks []Check) {
	open, hosts := &c.open, &c.waiting.hosts
	for i := range checks {
		c.ahead += open.bySite.Glance(uint64(checks[i].Site)) + hosts.byID.Glance(uint64(checks[i].Host))
	}
	for _, e := range open.free[max(0, len(open.free)-len(checks)):] {
		c.ahead += e.glance()
	}
	for i := range checks {
		c.ahead += hosts.find(checks[i].Host).glance()
	}
}

// expect looks at the checks at c.positions of a batch.
func (c *Core) expect(b *batch) {
	open, hosts := &c.open, &c.waiting.hosts
	for _, p := range c.positions {
		t := &b.slots[p]
		c.ahead += open.bySite.Glance(uint64(t.key.Site)) + hosts.byID.Glance(uint64(t.host)) + t.entry.glance()
	}
	for _, p := range c.positions {
		c.ahead += b.slots[p].entry.host.glance()
	}
}

// glance loads the lines of the cache that most of an entry is in.
func (e *entry) glance() uint64 {
	return e.serial + uint64(e.order) + e.check.Sequence + uint64(e.check.Host)
}

func (h *host) glance() uint64 {
	if h == nil {
		return 0
	}
	return uint64(h.taken)
}
