package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Commit implements store.History.
//
// It does not look first whether the key is there: a change that was committed meets a
// status that has moved on, a fence that is lost, or its own key, so that looking
// afterwards is enough. That also answers a caller whose first attempt is still under
// way, or whose answer was lost together with the shard.
func (s *Store) Commit(ctx context.Context, f store.Fence, c store.Change) (store.Committed, error) {
	if err := checkChange(f, c); err != nil {
		return store.Committed{}, err
	}
	e, err := encodeChange(c)
	if err != nil {
		return store.Committed{}, err
	}
	var done store.Committed
	err = s.write(ctx, func(t txn) error {
		done, err = s.commit(t, f, c, e)
		return err
	})
	if err == nil {
		return done, nil
	}
	doing := fmt.Sprintf("commit status %d of site %d", c.To, c.SiteID)
	if s.isDuplicate(err) || fault.Is(err, fault.Conflict) || fault.Is(err, fault.Fenced) {
		prior, found, lookErr := s.committed(ctx, c)
		switch {
		case lookErr != nil:
			return store.Committed{}, s.fault(doing, lookErr)
		case found:
			return prior, nil
		case s.isDuplicate(err):
			err = fault.New(fault.AlreadyExists, "key %q belongs to another change", c.Key)
		}
	}
	return store.Committed{}, s.fault(doing, err)
}

// checkChange refuses what no state of the database would take.
func checkChange(f store.Fence, c store.Change) error {
	if len(c.Key) < 1 || len(c.Key) > 64 {
		return fault.New(fault.Invalid, "the key of a change must have from 1 to 64 bytes, has %d", len(c.Key))
	}
	for i := range len(c.Key) {
		if c.Key[i] <= ' ' || c.Key[i] > '~' {
			return fault.New(fault.Invalid, "the key of a change must be printable ASCII, is %q", c.Key)
		}
	}
	if c.SiteID <= 0 {
		return fault.New(fault.Invalid, "a change needs a site")
	}
	up, down, confirmed := check.StatusRunning, check.StatusDown, check.StatusConfirmedDown
	switch [2]check.Status{c.From, c.To} {
	case [2]check.Status{up, down}, [2]check.Status{down, confirmed}, [2]check.Status{down, up}, [2]check.Status{confirmed, up}:
	default:
		return fault.New(fault.Invalid, "a site does not go from status %d to %d", c.From, c.To)
	}
	return checkFence(f, c.Bucket)
}

// checkFence refuses a fence that cannot be that of the bucket.
func checkFence(f store.Fence, bucket check.BucketID) error {
	if f.Node == "" || f.Shard != store.ShardOf(bucket) {
		return fault.New(fault.Fenced, "%q with shard %d does not own bucket %d", f.Node, f.Shard, bucket)
	}
	return nil
}

// fence proves that the caller owns the shard, and locks its row until the end of the
// transaction.
func fence(t txn, f store.Fence) error {
	n, err := t.exec("UPDATE jetmon_shards SET term = term WHERE shard = ? AND owner = ? AND term = ?",
		f.Shard, f.Node, f.Term)
	if err != nil {
		return err
	}
	if n != 1 {
		return fault.New(fault.Fenced, "%q no longer owns shard %d in term %d", f.Node, f.Shard, f.Term)
	}
	return nil
}

// commit is the transaction. All of them lock in this order: shard, legacy row, outage.
func (s *Store) commit(t txn, f store.Fence, c store.Change, e encoded) (done store.Committed, err error) {
	if err := fence(t, f); err != nil {
		return done, err
	}
	open, err := openOutage(t, c.SiteID)
	if err != nil {
		return done, err
	}
	if err := s.takeLegacy(t, c, open); err != nil {
		return done, err
	}
	if c.To == check.StatusDown {
		done.OutageID, err = s.openNew(t, c)
	} else {
		done.OutageID, err = open.id, moveOn(t, c, open)
	}
	if err != nil {
		return done, err
	}
	var ballot int64
	if c.Ballot != nil {
		if ballot, err = keepBallot(t, *c.Ballot, done.OutageID, e.ballot); err != nil {
			return done, err
		}
	}
	done.NoticeID, err = record(t, c, done.OutageID, ballot, e.body)
	return done, err
}

// outageRef is the open outage of a site; its id is 0 when there is none.
type outageRef struct {
	id     int64
	status check.Status
}

func openOutage(t txn, site check.SiteID) (open outageRef, err error) {
	_, err = t.find([]any{&open.id, &open.status}, "SELECT id, status FROM jetmon_outages WHERE open_site = ?", site)
	return open, err
}

// takeLegacy compares the site with what the caller expects, and writes the legacy row
// if that is ours to write. The status of a site is its open outage's, if it has one.
func (s *Store) takeLegacy(t txn, c store.Change, open outageRef) error {
	if open.id != 0 && open.status != c.From {
		return fault.New(fault.Conflict, "its open outage has status %d, not %d", open.status, c.From)
	}
	if !s.legacyWrites {
		if open.id == 0 && c.From != check.StatusRunning {
			return fault.New(fault.Conflict, "it has no open outage")
		}
		var one int
		found, err := t.find([]any{&one}, `SELECT 1 FROM jetpack_monitor_sites
	WHERE jetpack_monitor_site_id = ? AND bucket_no = ? AND monitor_active = 1`, c.SiteID, c.Bucket)
		if err == nil && !found {
			err = fault.New(fault.Conflict, "there is no such active row in bucket %d", c.Bucket)
		}
		return err
	}
	query := `UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ?
	WHERE jetpack_monitor_site_id = ? AND bucket_no = ? AND monitor_active = 1`
	args := []any{c.To, c.At.UTC().Format(legacyTime), c.SiteID, c.Bucket}
	switch {
	case open.id != 0:
	case c.From == check.StatusRunning: // which a status is that v1 does not have, too
		query += " AND site_status NOT IN (?, ?)"
		args = append(args, check.StatusDown, check.StatusConfirmedDown)
	default:
		query += " AND site_status = ?"
		args = append(args, c.From)
	}
	n, err := t.exec(query, args...)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "there is no such active row in bucket %d with status %d", c.Bucket, c.From)
	}
	return err
}

// openNew opens the outage.
func (s *Store) openNew(t txn, c store.Change) (int64, error) {
	var ballot store.Ballot
	if c.Ballot != nil {
		ballot = *c.Ballot
	}
	id, err := t.insert(`INSERT INTO jetmon_outages
	(site_id, open_site, blog_id, bucket, url, status, status_ms, start_ms, confirmed_ms, end_ms,
	 failure, reason, http_status, rule_voters, rule_need, rule_regions, round, relapses)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, 0)`,
		c.SiteID, c.SiteID, c.BlogID, c.Bucket, clip(c.URL, 1024), c.To, toMillis(c.At), toMillis(c.Start), toMillis(c.At),
		c.Cause.Failure, clip(c.Cause.Reason, 255), c.Cause.HTTPStatus,
		ballot.Rule.Voters, ballot.Rule.Need, ballot.Rule.Regions, ballot.Round)
	if err != nil && s.isDuplicate(err) {
		return 0, fault.New(fault.Conflict, "it has an open outage")
	}
	return id, err
}

// moveOn confirms or closes the open outage, if there is one: a site that somebody else
// called down has none.
func moveOn(t txn, c store.Change, open outageRef) error {
	if open.id == 0 {
		return nil
	}
	set, args := "status = ?, status_ms = ?, relapses = ?", []any{c.To, toMillis(c.At), c.Relapses}
	if c.To == check.StatusRunning {
		set, args = set+", end_ms = ?, open_site = NULL", append(args, toMillis(c.At))
	}
	n, err := t.exec("UPDATE jetmon_outages SET "+set+" WHERE id = ? AND open_site = ? AND status = ?",
		append(args, open.id, c.SiteID, c.From)...)
	if err == nil && n != 1 {
		err = fault.New(fault.Conflict, "its open outage is no longer in status %d", c.From)
	}
	return err
}

// record writes the transition and the notice, which have one id.
func record(t txn, c store.Change, outage, ballot int64, body string) (int64, error) {
	at := toMillis(c.At)
	id, err := t.insert(`INSERT INTO jetmon_transitions
	(change_key, site_id, blog_id, bucket, outage_id, ballot_id, from_status, to_status,
	 start_ms, at_ms, last_check_ms, delivered_ms, body)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
		c.Key, c.SiteID, c.BlogID, c.Bucket, outage, ballot, c.From, c.To,
		toMillis(c.Start), at, toMillis(c.LastCheck), body)
	if err != nil {
		return 0, err
	}
	_, err = t.exec(`INSERT INTO jetmon_outbox
	(id, change_key, site_id, bucket, attempts, next_ms, created_ms, last_error)
	VALUES (?, ?, ?, ?, 0, ?, ?, '')`, id, c.Key, c.SiteID, c.Bucket, at, at)
	return id, err
}

// committed finds what an earlier commit of the change wrote.
func (s *Store) committed(ctx context.Context, c store.Change) (prior store.Committed, found bool, err error) {
	err = s.reader.QueryRowContext(ctx,
		"SELECT outage_id, id FROM jetmon_transitions WHERE change_key = ? AND site_id = ?", c.Key, c.SiteID).
		Scan(&prior.OutageID, &prior.NoticeID)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Committed{}, false, nil
	}
	return prior, err == nil, err
}
