package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxName bounds the bytes of a node's name or endpoint.
const maxName = 255

// ClaimShard implements store.Ownership.
func (s *Store) ClaimShard(ctx context.Context, id shard.ID, o shard.Owner, now time.Time) (shard.Lease, error) {
	switch {
	case id >= shard.Count:
		return shard.Lease{}, fault.New(fault.Invalid, "there is no shard %d", id)
	case o.Node == "" || len(o.Node) > maxName || len(o.Endpoint) > maxName:
		return shard.Lease{}, fault.New(fault.Invalid, "a node's name must have from 1 to %d bytes, its endpoint at most that", maxName)
	}
	claim := shard.Lease{Shard: id, Node: o.Node, Endpoint: o.Endpoint, Expires: fromMillis(toMillis(now.Add(o.TTL)))}
	err := s.transact(ctx, s.leases, func(t txn) (err error) {
		claim.Term, err = s.claim(t, claim, now)
		return err
	})
	if err != nil {
		return shard.Lease{}, s.fault(fmt.Sprintf("claim shard %d", id), err)
	}
	return claim, nil
}

func (s *Store) claim(t txn, claim shard.Lease, now time.Time) (term uint64, err error) {
	var owner string
	var expires int64
	found, err := t.find([]any{&owner, &term, &expires},
		"SELECT owner, term, expires_ms FROM jetmon_shards WHERE shard = ?", claim.Shard)
	if err != nil {
		return 0, err
	}
	if !found {
		_, err := t.exec("INSERT INTO jetmon_shards (shard, owner, endpoint, term, expires_ms) VALUES (?, ?, ?, 1, ?)",
			claim.Shard, claim.Node, claim.Endpoint, toMillis(claim.Expires))
		if err != nil && s.isDuplicate(err) {
			return 0, fault.New(fault.Conflict, "somebody else has just claimed it")
		}
		return 1, err
	}
	if owner != "" && owner != claim.Node && expires > toMillis(now) {
		return 0, fault.New(fault.Conflict, "%q holds it", owner)
	}
	// Compare the whole row: its owner may have renewed it at the last moment.
	n, err := t.exec(`UPDATE jetmon_shards SET owner = ?, endpoint = ?, term = ?, expires_ms = ?
	WHERE shard = ? AND owner = ? AND term = ? AND expires_ms = ?`,
		claim.Node, claim.Endpoint, term+1, toMillis(claim.Expires), claim.Shard, owner, term, expires)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "somebody else has just claimed it")
	}
	return term + 1, err
}

// RenewShard implements store.Ownership.
func (s *Store) RenewShard(ctx context.Context, l shard.Lease, expires time.Time) (shard.Lease, error) {
	l.Expires = fromMillis(toMillis(expires))
	err := s.transact(ctx, s.leases, func(t txn) error {
		n, err := t.exec("UPDATE jetmon_shards SET expires_ms = ?, writes = writes + 1 WHERE shard = ? AND owner = ? AND term = ?",
			toMillis(expires), l.Shard, l.Node, l.Term)
		if err == nil && (n != 1 || l.Node == "") {
			err = fault.New(fault.Fenced, "%q no longer owns it in term %d", l.Node, l.Term)
		}
		return err
	})
	if err != nil {
		return shard.Lease{}, s.fault(fmt.Sprintf("renew shard %d", l.Shard), err)
	}
	return l, nil
}

// ReleaseShard implements store.Ownership.
func (s *Store) ReleaseShard(ctx context.Context, l shard.Lease) error {
	err := s.transact(ctx, s.leases, func(t txn) error {
		_, err := t.exec("UPDATE jetmon_shards SET owner = '', expires_ms = 0, writes = writes + 1 WHERE shard = ? AND owner = ? AND term = ?",
			l.Shard, l.Node, l.Term)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("release shard %d", l.Shard), err)
	}
	return nil
}

// ListShards implements store.Ownership.
func (s *Store) ListShards(ctx context.Context) ([]shard.Lease, error) {
	leases, err := list(ctx, s.leases, func(rows *sql.Rows) (l shard.Lease, err error) {
		var expires int64
		err = rows.Scan(&l.Shard, &l.Node, &l.Endpoint, &l.Term, &expires)
		l.Expires = fromMillis(expires)
		return l, err
	}, "SELECT shard, owner, endpoint, term, expires_ms FROM jetmon_shards ORDER BY shard")
	if err != nil {
		return nil, s.fault("read the owners of shards", err)
	}
	return leases, nil
}
