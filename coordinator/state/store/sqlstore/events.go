package sqlstore

import (
	"fmt"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
)

// writeEvents writes the events of a group's changes, in order.
func writeEvents(t txn, f shard.Fence, group []*entry) error {
	var told []*entry
	for _, e := range group {
		var ok bool
		e.event, ok = event.OfChange(e.Change, event.Place{
			OutageID: e.open.id, Sequence: e.place.next, Tags: e.tags, Muted: e.silent, MaintenanceID: e.beginning(),
		})
		if ok {
			told = append(told, e)
		}
	}
	events := make([]event.Event, len(told))
	for i, e := range told {
		events[i] = e.event
	}
	ids, err := t.publish(f, events)
	for i, id := range ids {
		told[i].eventID = id
	}
	return err
}

// readTags reads the tags of the sites of a group, sorted.
func (t txn) readTags(group []*entry) error {
	if len(group) == 0 {
		return nil
	}
	byID, ids := make(map[int64]*entry, len(group)), make([]any, len(group))
	for i, e := range group {
		byID[int64(e.SiteID)], ids[i] = e, e.SiteID
	}
	rows, err := t.tx.QueryContext(t.ctx, "SELECT site_id, tag FROM jetmon_site_tags WHERE site_id IN "+marks(len(ids))+
		" ORDER BY site_id, tag", ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var tag string
		if err := rows.Scan(&id, &tag); err != nil {
			return err
		}
		if e := byID[id]; e != nil {
			e.tags = append(e.tags, tag)
		}
	}
	return rows.Err()
}

// publish writes events that happened in a transaction under a fence, which it has proved, and
// returns their ids, in order. A transaction publishes once.
func (t txn) publish(f shard.Fence, events []event.Event) ([]int64, error) {
	if len(events) == 0 {
		return nil, nil
	}
	if _, err := t.exec("UPDATE jetmon_shards SET events_pos = writes WHERE shard = ?", f.Shard); err != nil {
		return nil, err
	}
	var pos int64
	if ok, err := t.find([]any{&pos}, "SELECT events_pos FROM jetmon_shards WHERE shard = ?", f.Shard); err != nil || !ok {
		return nil, fmt.Errorf("the count of shard %d (found: %t): %w", f.Shard, ok, err)
	}
	rows, keys := make([][]any, len(events)), make([]string, len(events))
	for i, e := range events {
		body, err := e.Encode()
		if err != nil {
			return nil, err
		}
		site := check.SiteID(0)
		if e.Site != nil {
			site = e.Site.ID
		}
		keys[i] = e.ID
		rows[i] = []any{f.Shard, pos, i, e.Type, e.ID, site, toMillis(e.Time.Time), body}
	}
	return insertAll(t, insertion{"INSERT INTO jetmon_events (shard, pos, n, type, event_key, site_id, at_ms, body) VALUES ",
		"SELECT event_key, id FROM jetmon_events WHERE event_key IN "}, rows, keys)
}

// expireEvents deletes the oldest events of a shard, and notes how far. They lie in the order of
// their places, which is that of their times but for what clocks differ: the first that is
// young ends it.
func expireEvents(t txn, s shard.ID, before int64, limit int) (int, error) {
	ids, last, err := oldEvents(t, s, before, limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if _, err := t.exec("UPDATE jetmon_shards SET events_expired_pos = ? WHERE shard = ?", last, s); err != nil {
		return 0, err
	}
	return len(ids), t.remove("DELETE FROM jetmon_events WHERE id IN ", ids)
}

// oldEvents reads the ids of the first events of a shard that are old, and the position of the
// last of them.
func oldEvents(t txn, s shard.ID, before int64, limit int) (ids []any, last int64, err error) {
	rows, err := t.tx.QueryContext(t.ctx, "SELECT id, pos, at_ms FROM jetmon_events WHERE shard = ? ORDER BY pos, n LIMIT ?", s, limit)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, pos, at int64
		if err := rows.Scan(&id, &pos, &at); err != nil {
			return nil, 0, err
		}
		if at >= before {
			break
		}
		ids, last = append(ids, id), pos
	}
	return ids, last, rows.Err()
}
