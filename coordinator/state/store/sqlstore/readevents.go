package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxEvents bounds the events of one reading.
const maxEvents = 10_000

// EventDatabase implements store.Events.
func (s *Store) EventDatabase(ctx context.Context) (uint32, error) {
	var number int64
	err := s.write(ctx, func(t txn) error {
		const read = "SELECT number FROM jetmon_event_database WHERE id = 1"
		if found, err := t.find([]any{&number}, read); found || err != nil {
			return err
		}
		number = 1 + int64(rand.Uint32N(1<<32-1))
		_, err := t.exec("INSERT INTO jetmon_event_database (id, number) VALUES (1, ?)", number)
		return err
	})
	if err != nil && s.isDuplicate(err) { // another was first
		return s.EventDatabase(ctx)
	}
	if err != nil {
		return 0, s.fault("read the number of the database", err)
	}
	return uint32(number), nil
}

// ReadEvents implements store.Events.
func (s *Store) ReadEvents(ctx context.Context, after event.Positions, limit int) (page store.EventPage, err error) {
	if limit < 1 || limit > maxEvents {
		return page, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxEvents, limit)
	}
	err = s.patiently(ctx, func() error {
		return s.atOneMoment(ctx, func(tx *sql.Tx) error {
			page, err = readEvents(ctx, tx, after, limit)
			return err
		})
	})
	if err != nil {
		return store.EventPage{}, s.fault("read events", err)
	}
	return page, nil
}

// atOneMoment has f read what is there at one moment.
func (s *Store) atOneMoment(ctx context.Context, f func(*sql.Tx) error) error {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := s.beginSnapshot(ctx, conn)
	if err != nil {
		return err
	}
	err = f(tx)
	if end := tx.Rollback(); err == nil {
		err = end
	}
	return err
}

// readEvents reads shard by shard, each up to its head at that moment: one with many events
// keeps the others waiting, and not for ever.
func readEvents(ctx context.Context, tx *sql.Tx, after event.Positions, limit int) (page store.EventPage, err error) {
	page.Next = after
	if err := readHeads(ctx, tx, &page); err != nil {
		return page, err
	}
	for s := range after {
		room := limit - len(page.Events)
		if room <= 0 {
			break
		}
		if after[s] >= page.Heads[s] {
			continue
		}
		rows, err := eventRows(ctx, tx, shard.ID(s), "pos > ? ORDER BY pos, n LIMIT ?", max(after[s], page.Expired[s]), room)
		if err != nil {
			return page, err
		}
		page.Next[s] = page.Heads[s]
		if len(rows) == room {
			// The last transaction may go on.
			last := rows[len(rows)-1].Pos
			for len(rows) > 0 && rows[len(rows)-1].Pos == last {
				rows = rows[:len(rows)-1]
			}
			whole, err := eventRows(ctx, tx, shard.ID(s), "pos = ? ORDER BY pos, n", last)
			if err != nil {
				return page, err
			}
			rows = append(rows, whole...)
			page.Next[s] = last
		}
		page.Events = append(page.Events, rows...)
	}
	return page, nil
}

// readHeads reads how far the events of the shards reach.
func readHeads(ctx context.Context, tx *sql.Tx, page *store.EventPage) error {
	rows, err := tx.QueryContext(ctx, "SELECT shard, events_pos, events_expired_pos FROM jetmon_shards")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id shard.ID
		var head, expired int64
		if err := rows.Scan(&id, &head, &expired); err != nil {
			return err
		}
		if id >= shard.Count {
			return fmt.Errorf("there is no shard %d", id)
		}
		page.Heads[id], page.Expired[id] = head, expired
	}
	return rows.Err()
}

func eventRows(ctx context.Context, tx *sql.Tx, s shard.ID, where string, args ...any) (events []store.StoredEvent, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT pos, body FROM jetmon_events WHERE shard = ? AND "+where, append([]any{s}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		e := store.StoredEvent{Shard: s}
		if err := rows.Scan(&e.Pos, &e.Body); err != nil {
			return nil, err
		}
		e.Body = strings.Clone(e.Body)
		events = append(events, e)
	}
	return events, rows.Err()
}
