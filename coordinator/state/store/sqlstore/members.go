package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// forgotten is how long an expired member's row is kept. Names can change with every start
// of a process, so old rows must not pile up.
const forgotten = 24 * time.Hour

// Announce implements store.Members.
func (s *Store) Announce(ctx context.Context, m shard.Member) error {
	switch {
	case m.Node == "" || len(m.Node) > maxName || len(m.Endpoint) > maxName:
		return fault.New(fault.Invalid, "a node's name must have from 1 to %d bytes, its endpoint at most that", maxName)
	case m.First > m.Last || m.Last >= shard.Count:
		return fault.New(fault.Invalid, "shards %d to %d are no range of 0 to %d", m.First, m.Last, shard.Count-1)
	}
	err := s.transact(ctx, s.leases, func(t txn) error {
		const update = "UPDATE jetmon_members SET endpoint = ?, first_shard = ?, last_shard = ?, expires_ms = ? WHERE node = ?"
		args := []any{m.Endpoint, m.First, m.Last, toMillis(m.Expires), m.Node}
		n, err := t.exec(update, args...)
		if err != nil || n == 1 {
			return err
		}
		if _, err := t.exec("DELETE FROM jetmon_members WHERE expires_ms < ?", toMillis(m.Expires.Add(-forgotten))); err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO jetmon_members (endpoint, first_shard, last_shard, expires_ms, node)
	VALUES (?, ?, ?, ?, ?)`, args...)
		if err != nil && s.isDuplicate(err) { // the same node, at the same moment
			_, err = t.exec(update, args...)
		}
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("announce node %q", m.Node), err)
	}
	return nil
}

// Retire implements store.Members.
func (s *Store) Retire(ctx context.Context, node string) error {
	err := s.transact(ctx, s.leases, func(t txn) error {
		_, err := t.exec("DELETE FROM jetmon_members WHERE node = ?", node)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("retire node %q", node), err)
	}
	return nil
}

// ListMembers implements store.Members.
func (s *Store) ListMembers(ctx context.Context, now time.Time) ([]shard.Member, error) {
	members, err := list(ctx, s.leases, func(rows *sql.Rows) (m shard.Member, err error) {
		var expires int64
		err = rows.Scan(&m.Node, &m.Endpoint, &m.First, &m.Last, &expires)
		m.Expires = fromMillis(expires)
		return m, err
	}, `SELECT node, endpoint, first_shard, last_shard, expires_ms FROM jetmon_members
	WHERE expires_ms > ? ORDER BY node`, toMillis(now))
	if err != nil {
		return nil, s.fault("read the members", err)
	}
	return members, nil
}
