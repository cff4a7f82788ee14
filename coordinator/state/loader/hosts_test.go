package loader_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// hosts is the table's index of hosts.
type hosts struct {
	// entries are the URLs by which sites are found.
	entries map[check.SiteID]string
	// full fails every write of the index.
	full bool
	// swept are the spans that were swept, noted the shards of each note that all are indexed.
	swept []record.Span
	noted [][]shard.ID
}

func (d *table) IndexHosts(_ context.Context, in record.Span, shards []shard.ID, sweep bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away || d.full {
		return errAway
	}
	for id, r := range d.rows {
		if in.Has(id) && slices.Contains(shards, shard.Of(r.Bucket)) {
			if d.entries == nil {
				d.entries = map[check.SiteID]string{}
			}
			d.entries[id] = r.URL
		}
	}
	if sweep {
		d.swept = append(d.swept, in)
	}
	return nil
}

func (d *table) HostsIndexed(_ context.Context, shards []shard.ID, _ time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away || d.full {
		return errAway
	}
	slices.Sort(shards)
	d.noted = append(d.noted, shards)
	return nil
}

// indexed lists the ids, of 1 to n, of the sites that are found by the URL in their row.
func (h *house) indexed(n int) (ids []int) {
	h.table.mu.Lock()
	defer h.table.mu.Unlock()
	for id := 1; id <= n; id++ {
		if row, ok := h.table.rows[check.SiteID(id)]; ok && h.table.entries[row.ID] == row.URL {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestEditsOfTheTableAreFoundByTheirHostWithinAMinute(t *testing.T) {
	t.Parallel()
	story(t, 511, func(h *house) {
		h.gain(0, 31)
		h.loader.Settled()
		h.after(2 * time.Minute)
		want(t, "found", h.indexed(511), all(511, span{0, 511}))
		edited := site(5)
		edited.URL = "https://new.example/"
		h.table.set(edited)
		added := site(600)
		h.table.set(added)
		h.after(time.Minute)
		want(t, "found a minute later", h.indexed(600), append(all(511, span{0, 511}), 600))
		// No digest shows what is paused.
		paused := site(601)
		paused.Paused = true
		h.table.set(paused)
		h.after(25 * time.Minute)
		want(t, "found with the paused one", h.indexed(601), append(all(511, span{0, 511}), 600, 601))
		h.table.mu.Lock()
		defer h.table.mu.Unlock()
		want(t, "swept", h.table.swept[0], record.Span{First: 1, Last: math.MaxInt64})
	})
}

func TestAShardIsNotedOnceAllItsHostsAreIndexed(t *testing.T) {
	t.Parallel()
	story(t, 25_000, func(h *house) {
		h.table.full = true
		h.gain(0, 3)
		h.loader.Settled()
		h.after(5 * time.Minute)
		noted := func() [][]shard.ID {
			h.table.mu.Lock()
			defer h.table.mu.Unlock()
			return slices.Clone(h.table.noted)
		}
		want(t, "noted while nothing can be written", len(noted()), 0)
		want(t, "watched all the same", len(h.has(1000)), len(all(1000, span{0, 63})))
		h.table.is(func(d *table) { d.full = false })
		h.after(2 * time.Minute)
		want(t, "noted", noted(), [][]shard.ID{{0, 1, 2, 3}})
		want(t, "found", len(h.indexed(25_000)), len(all(25_000, span{0, 63})))
		h.after(30 * time.Minute)
		want(t, "noted once", len(noted()), 1)
		h.gain(9, 9)
		h.after(2 * time.Minute)
		want(t, "noted when another is gained", noted()[1:], [][]shard.ID{{9}})
	})
}
