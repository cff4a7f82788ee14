package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// jetmon_outbox is where older versions put notifications to WordPress.com. While coordinators
// are upgraded, one of them may leave some there when it gives up a shard. They become
// deliveries before anything else is committed about their sites, and before the shard's new
// owner tells anybody.

// outboxRow is a row of jetmon_outbox.
type outboxRow struct {
	attempts int
	next     int64
	why      string
}

// tried returns when the newest attempt was, roughly: the row does not say.
func (r *outboxRow) tried() int64 {
	if r.attempts == 0 {
		return 0
	}
	return max(1, r.next)
}

// AdoptOutbox implements store.Deliveries.
func (s *Store) AdoptOutbox(ctx context.Context, f shard.Fence, limit int) (adopted int, err error) {
	if limit < 1 || limit > maxSettle {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxSettle, limit)
	}
	if err := fenced(f, 0, 0); err != nil {
		return 0, err
	}
	err = s.again(ctx, func(t txn) (err error) {
		if err := fence(t, f); err != nil {
			return err
		}
		adopted, err = t.adopt(f, limit)
		return err
	})
	if err != nil {
		return 0, s.fault(fmt.Sprintf("adopt the outbox of shard %d", f.Shard), err)
	}
	return adopted, nil
}

// adopt makes the oldest rows of a shard deliveries.
func (t txn) adopt(f shard.Fence, limit int) (int, error) {
	in, args := inShards("o.bucket", []shard.ID{f.Shard})
	return t.adoptWhere(f, in+" ORDER BY o.site_id, "+placeOf("o")+" LIMIT ?", append(args, limit)...)
}

// adoptThese makes deliveries of what waits of a group's sites.
func adoptThese(f shard.Fence) func(txn, []*entry) error {
	return func(t txn, group []*entry) error {
		if len(group) == 0 {
			return nil
		}
		in, args := inShards("o.bucket", []shard.ID{f.Shard})
		for _, e := range group {
			args = append(args, e.SiteID)
		}
		_, err := t.adoptWhere(f, in+" AND o.site_id IN "+marks(len(group))+" ORDER BY o.site_id, "+placeOf("o"), args...)
		return err
	}
}

func (t txn) adoptWhere(f shard.Fence, where string, args ...any) (int, error) {
	letters, ids, err := t.outboxLetters(where, args...)
	if err != nil || len(letters) == 0 {
		return 0, err
	}
	if err := t.queue(f, letters); err != nil {
		return 0, err
	}
	if err := t.writeLetters(f, letters); err != nil {
		return 0, err
	}
	return len(ids), inParts(ids, func(part []any) error { return t.remove("DELETE FROM jetmon_outbox WHERE id IN ", part) })
}

func (t txn) outboxLetters(where string, args ...any) (letters []*letter, ids []any, err error) {
	rows, err := t.tx.QueryContext(t.ctx, `SELECT o.id, o.change_key, o.site_id, `+placeOf("o")+`, o.attempts, o.next_ms, o.created_ms, o.last_error,
	c.to_status, e.id FROM jetmon_outbox o JOIN jetmon_transitions c ON c.id = o.id
	LEFT JOIN jetmon_events e ON e.event_key = o.change_key WHERE `+where, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		l := letter{to: subscription.WordPressCom, event: &event.Event{Site: &event.Site{}}, old: new(outboxRow)}
		var created int64
		var to check.Status
		var eventID number
		if err := rows.Scan(&l.transition, &l.event.ID, &l.event.Site.ID, &l.event.Sequence, &l.old.attempts, &l.old.next, &created, &l.old.why,
			&to, &eventID); err != nil {
			return nil, nil, err
		}
		l.event.ID, l.old.why = strings.Clone(l.event.ID), strings.Clone(l.old.why)
		l.event.Type, l.event.Time, l.eventID = event.TypeOf(to), event.At(fromMillis(created)), int64(eventID)
		letters, ids = append(letters, &l), append(ids, l.transition)
	}
	return slices.Clip(letters), ids, rows.Err()
}
