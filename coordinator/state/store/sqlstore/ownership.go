package sqlstore

import (
	"context"
	"database/sql"
	"errors"
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
		claim, err = s.claim(t, claim, o.Trial, now)
		return err
	})
	if err != nil {
		return shard.Lease{}, s.fault(fmt.Sprintf("claim shard %d", id), err)
	}
	return claim, nil
}

// claim claims a shard, on trial with a sample or, if that is 0, for good. It returns the
// lease as it is stored then.
func (s *Store) claim(t txn, claim shard.Lease, sample int, now time.Time) (shard.Lease, error) {
	old, found, err := t.lease(claim.Shard)
	if err != nil {
		return claim, err
	}
	claim.Term, claim.Taken = old.Term+1, old.Taken
	claim.Trial = trialAfter(old, sample, now, claim.Expires)
	trial := []any{toMillis(claim.Trial.Since), toMillis(claim.Trial.Until), claim.Trial.Sample}
	if !found {
		_, err := t.exec(`INSERT INTO jetmon_shards
	(shard, owner, endpoint, term, expires_ms, trial_ms, trial_until_ms, trial_sample) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			append([]any{claim.Shard, claim.Node, claim.Endpoint, claim.Term, toMillis(claim.Expires)}, trial...)...)
		if err != nil && s.isDuplicate(err) {
			err = fault.New(fault.Conflict, "somebody else has just claimed it")
		}
		return claim, err
	}
	if old.Node != "" && old.Node != claim.Node && old.Expires.After(now) {
		return claim, fault.New(fault.Conflict, "%q holds it", old.Node)
	}
	// Compare the whole row: its owner may have renewed it at the last moment.
	args := append([]any{claim.Node, claim.Endpoint, claim.Term, toMillis(claim.Expires)}, trial...)
	n, err := t.exec(`UPDATE jetmon_shards SET owner = ?, endpoint = ?, term = ?, expires_ms = ?, trial_ms = ?, trial_until_ms = ?,
	trial_sample = ? WHERE shard = ? AND owner = ? AND term = ? AND expires_ms = ? AND taken_ms = ?`,
		append(args, claim.Shard, old.Node, old.Term, toMillis(old.Expires), toMillis(old.Taken))...)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "somebody else has just claimed it")
	}
	return claim, err
}

// trialAfter returns the trial of a shard that is claimed after an old lease.
func trialAfter(old shard.Lease, sample int, now, until time.Time) shard.Trial {
	if sample == 0 || !old.Taken.IsZero() {
		return shard.Trial{}
	}
	next := shard.Trial{Since: fromMillis(toMillis(now)), Until: until, Sample: sample}
	if old.Trial.Sample == sample && now.Sub(old.Trial.Until) <= shard.TrialGap {
		next.Since = old.Trial.Since
	}
	return next
}

// RenewShard implements store.Ownership.
func (s *Store) RenewShard(ctx context.Context, l shard.Lease, expires time.Time) (shard.Lease, error) {
	l.Expires = fromMillis(toMillis(expires))
	if l.Trial.Sample != 0 {
		l.Trial.Until = l.Expires
	}
	err := s.transact(ctx, s.leases, func(t txn) error {
		n, err := t.exec(`UPDATE jetmon_shards SET expires_ms = ?, trial_until_ms = ?, writes = writes + 1
	WHERE shard = ? AND owner = ? AND term = ?`, toMillis(expires), toMillis(l.Trial.Until), l.Shard, l.Node, l.Term)
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
		_, err := t.exec("UPDATE jetmon_shards SET owner = '', expires_ms = ?, writes = writes + 1 WHERE shard = ? AND owner = ? AND term = ?",
			toMillis(l.Expires), l.Shard, l.Node, l.Term)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("release shard %d", l.Shard), err)
	}
	return nil
}

// ListShards implements store.Ownership.
func (s *Store) ListShards(ctx context.Context) ([]shard.Lease, error) {
	leases, err := list(ctx, s.leases, func(rows *sql.Rows) (shard.Lease, error) { return scanLease(rows.Scan) },
		selectLease+" ORDER BY shard")
	if err != nil {
		return nil, s.fault("read the owners of shards", err)
	}
	return leases, nil
}

// selectLease selects what scanLease reads.
const selectLease = `SELECT shard, owner, endpoint, term, expires_ms, taken_ms, trial_ms, trial_until_ms, trial_sample FROM jetmon_shards`

func scanLease(scan func(...any) error) (l shard.Lease, err error) {
	var expires, taken, since, until int64
	err = scan(&l.Shard, &l.Node, &l.Endpoint, &l.Term, &expires, &taken, &since, &until, &l.Trial.Sample)
	l.Expires, l.Taken = fromMillis(expires), fromMillis(taken)
	l.Trial.Since, l.Trial.Until = fromMillis(since), fromMillis(until)
	return l, err
}

// lease reads the row of a shard, if there is one.
func (t txn) lease(id shard.ID) (l shard.Lease, found bool, err error) {
	l, err = scanLease(t.tx.QueryRowContext(t.ctx, selectLease+" WHERE shard = ?", id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return shard.Lease{Shard: id}, false, nil
	}
	return l, err == nil, err
}
