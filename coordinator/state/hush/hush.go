package hush

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// every is the time between two looks, timeout what one may take.
	every   = time.Second
	timeout = 5 * time.Second
	// tagsFor is how long the tags of a site are believed.
	tagsFor = 10 * time.Second
	// atOnce is how many sites are read at once.
	atOnce = 1000
)

// Store is what a Hush needs of the store.
type Store interface {
	Calendar(ctx context.Context, now time.Time) (*maintenance.Calendar, error)
	SitesByID(ctx context.Context, ids []check.SiteID) ([]record.Site, error)
}

// Engine is what a Hush needs of the engine.
type Engine interface {
	Untold() []engine.Untold
	Hush(now time.Time, sites map[check.SiteID]int64)
}

// Hush keeps the engine in line with the maintenances. New makes one.
type Hush struct {
	store  Store
	engine Engine
	log    *slog.Logger
	// tags are those of untold sites, as they were read.
	tags map[check.SiteID]tagged
	// wake has Run look at once.
	wake chan struct{}
}

// tagged are the tags of a site as of a moment.
type tagged struct {
	tags []string
	at   time.Time
}

// New makes a Hush, which does nothing before Run.
func New(s Store, e Engine, log *slog.Logger) *Hush {
	return &Hush{store: s, engine: e, log: log, tags: map[check.SiteID]tagged{}, wake: make(chan struct{}, 1)}
}

// Wake has Run look at once, as after an edit.
func (h *Hush) Wake() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run looks every second until ctx ends; it returns nil.
func (h *Hush) Run(ctx context.Context) error {
	failing := false
	for ctx.Err() == nil {
		err := h.look(ctx)
		if ctx.Err() == nil && (err != nil) != failing {
			if failing = err != nil; failing {
				h.log.Warn("maintenances cannot be read; what is quiet stays quiet", "error", err)
			} else {
				h.log.Info("maintenances are read again")
			}
		}
		pause.Or(ctx, every, h.wake)
	}
	return nil
}

// look passes on what has changed.
func (h *Hush) look(ctx context.Context) error {
	sites := h.engine.Untold()
	if len(sites) == 0 {
		clear(h.tags)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	now := time.Now()
	c, err := h.store.Calendar(ctx, now)
	if err != nil {
		return err
	}
	if c.NeedsTags() {
		if err := h.readTags(ctx, sites, now); err != nil {
			return err
		}
	}
	changed := map[check.SiteID]int64{}
	for _, s := range sites {
		w, _ := c.At(maintenance.Subject{ID: s.Site, URL: s.URL, Tags: h.tags[s.Site].tags}, now)
		if w.MaintenanceID != s.Hushed {
			changed[s.Site] = w.MaintenanceID
		}
	}
	if len(changed) > 0 {
		h.engine.Hush(now, changed)
	}
	return nil
}

// readTags reads the tags of the sites whose tags are not known, or were read some time ago, and
// forgets those of others.
func (h *Hush) readTags(ctx context.Context, sites []engine.Untold, now time.Time) error {
	known := make(map[check.SiteID]tagged, len(sites))
	var missing []check.SiteID
	for _, s := range sites {
		if t, ok := h.tags[s.Site]; ok && now.Sub(t.at) < tagsFor {
			known[s.Site] = t
			continue
		}
		missing = append(missing, s.Site)
	}
	h.tags = known
	for part := range slices.Chunk(missing, atOnce) {
		rows, err := h.store.SitesByID(ctx, part)
		if err != nil {
			return err
		}
		for _, row := range rows {
			known[row.ID] = tagged{row.Tags, now}
		}
	}
	return nil
}
