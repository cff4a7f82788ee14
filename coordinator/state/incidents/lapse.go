package incidents

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// roundEvery is the time between two looks at the sites of incidents, lapseAtOnce how many of
	// them one look reads.
	roundEvery  = 5 * time.Second
	lapseAtOnce = 1000
	// settled is how long a site has failed before its row is believed: a copy of the database may
	// be behind the events.
	settled = time.Minute
)

// rounds go through the sites that are down in incidents, some at a time.
type rounds struct {
	due time.Time
	// after is the last site that was looked at.
	after check.SiteID
}

// lapse finds members that fail no longer although no event says so, as those that were deleted
// or paused: an incident with more of them than the rule allows would never end.
func (f *Finder) lapse(ctx context.Context, now time.Time) error {
	if now.Before(f.rounds.due) {
		return nil
	}
	f.rounds.due = now.Add(roundEvery)
	ids := f.watch.Failing(now.Add(-settled), f.rounds.after, lapseAtOnce)
	f.rounds.after = 0
	if len(ids) == 0 {
		return nil
	}
	if len(ids) == lapseAtOnce {
		f.rounds.after = ids[lapseAtOnce-1]
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	rows, err := f.o.Store.SitesByID(ctx, ids)
	if err != nil {
		return err
	}
	fails := make(map[check.SiteID]bool, len(rows))
	since := make(map[check.SiteID]time.Time, len(rows))
	for i := range rows {
		row := &rows[i]
		fails[row.ID] = stillFails(row)
		if !row.Paused && !row.Inherited {
			since[row.ID] = row.StatusSince // what happens next is later by the same clock
		}
	}
	for _, id := range ids {
		if fails[id] {
			continue
		}
		at, ok := since[id]
		if !ok {
			at = now
		}
		f.watch.Lapse(id, at)
	}
	return nil
}

// stillFails reports whether a site is watched, and is down as what failed.
func stillFails(row *record.Site) bool {
	status := row.Status
	if row.Ours != nil {
		status = row.Ours.Status
	}
	return !row.Paused && !row.Inherited && status != check.StatusRunning
}
