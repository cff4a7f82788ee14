package sqlstore

import (
	"fmt"
	"slices"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// fence proves that the caller owns the shard, and locks its row until the end of the
// transaction. It changes the row: where several servers write, each reads its own copy, and
// only changed rows are compared with the writes of the others.
func fence(t txn, f shard.Fence) error {
	n, err := t.exec("UPDATE jetmon_shards SET writes = writes + 1 WHERE shard = ? AND owner = ? AND term = ?",
		f.Shard, f.Node, f.Term)
	if err != nil {
		return err
	}
	if n != 1 {
		return fault.New(fault.Fenced, "%q no longer owns shard %d in term %d", f.Node, f.Shard, f.Term)
	}
	return nil
}

// commit is the transaction of a group. All commits lock in this order: shard, legacy rows,
// outages, statuses, places. It sets the result of every change; refused changes leave no
// trace.
func (s *Store) commit(t txn, f shard.Fence, group []*entry) error {
	if err := fence(t, f); err != nil {
		return err
	}
	if err := s.examine(t, group); err != nil {
		return err
	}
	s.refuseMoved(group)
	fit := make([]*entry, 0, len(group))
	for _, e := range group {
		if e.result.Err == nil {
			fit = append(fit, e)
		}
	}
	for _, step := range []func(txn, []*entry) error{adoptThese(f), s.writeLegacy, endOutdated, moveOn, keepSpans, openNew, withdraw, s.keepStatus, keepBallots, takePlaces, writeTransitions} {
		if err := step(t, fit); err != nil {
			return err
		}
	}
	return writeEvents(t, f, fit)
}

// examine reads the sites, and works out from what status each change must start.
func (s *Store) examine(t txn, group []*entry) error {
	if err := readRows(t, group); err != nil {
		return err
	}
	if err := t.readTags(group); err != nil {
		return err
	}
	if err := s.hush(t, group); err != nil {
		return err
	}
	for _, e := range group {
		if e.row.id != 0 {
			s.begin(e)
		}
	}
	return nil
}

// readRows reads the sites that are there.
func readRows(t txn, group []*entry) error {
	byID := make(map[int64]*entry, len(group))
	ids := make([]any, len(group))
	for i, e := range group {
		// Reset the entry: a transaction can run again.
		*e.result, *e = store.CommitResult{}, entry{Change: e.Change, text: e.text, result: e.result}
		byID[int64(e.SiteID)], ids[i] = e, e.SiteID
	}
	rows, err := t.tx.QueryContext(t.ctx, siteColumns+", "+newestPlace+siteTables+placeTable+
		" WHERE l.jetpack_monitor_site_id IN "+marks(len(ids)), ids...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r siteRow
		var lastSeq, highestID number
		if err := rows.Scan(append(r.columns(), &lastSeq, &highestID)...); err != nil {
			return err
		}
		if e := byID[int64(r.id)]; check.BucketID(r.bucket) == e.Bucket && r.active == 1 {
			e.row, e.place = r, placingAfter(lastSeq, highestID)
			if r.outdated() {
				e.outdated = int64(r.outage)
			} else {
				e.open = outageRef{int64(r.outage), check.Status(r.outageStatus)}
			}
		}
	}
	return rows.Err()
}

// refuseMoved refuses changes that do not start from the status of their site.
func (s *Store) refuseMoved(group []*entry) {
	for _, e := range group {
		switch {
		case e.row.id == 0:
			e.conflict("there is no such active row in bucket %d", e.Bucket)
		case string(e.row.url) != e.URL:
			e.conflict("it has the URL %q, not %q", e.row.url, e.URL)
		case e.adopts() && e.open.id != 0:
			e.conflict("its open outage is of this URL")
		case e.was.status == e.From:
		case e.open.id != 0:
			e.conflict("its open outage has status %d, not %d", e.was.status, e.From)
		default:
			e.conflict("it has status %d, not %d", e.was.status, e.From)
		}
	}
}

// writeLegacy writes the legacy rows, if we write them at all, grouped by value. It compares
// the status again, since WordPress.com may have written after our read.
func (s *Store) writeLegacy(t txn, group []*entry) error {
	if !s.legacyWrites {
		return nil
	}
	type write struct {
		from, to check.Status
		at       string
		byRow    bool
	}
	group = slices.DeleteFunc(slices.Clone(group), func(e *entry) bool { return e.adopts() || !s.writesRow(e) }) // the row stays
	return grouped(group, func(e *entry) write {
		return write{e.From, e.To, e.At.UTC().Format(legacyTime), e.was.byRow}
	}, func(w write, same []*entry) error {
		sh := int(shard.Of(same[0].Bucket))
		query := `UPDATE jetpack_monitor_sites SET site_status = ?, last_status_change = ?
	WHERE bucket_no BETWEEN ? AND ? AND monitor_active = 1 AND `
		args := []any{w.to, w.at, sh * shard.BucketsPer, (sh+1)*shard.BucketsPer - 1}
		switch {
		case !w.byRow:
		case w.from == check.StatusRunning: // a status that v1 does not have also means running
			query += "site_status NOT IN (?, ?) AND "
			args = append(args, check.StatusDown, check.StatusConfirmedDown)
		default:
			query += "site_status = ? AND "
			args = append(args, w.from)
		}
		for _, e := range same {
			args = append(args, e.SiteID)
		}
		return t.update(len(same), query+"jetpack_monitor_site_id IN "+marks(len(same)), args...)
	})
}

// update runs a statement that must match n rows, else errMoved.
func (t txn) update(n int, query string, args ...any) error {
	matched, err := t.exec(query, args...)
	if err == nil && matched != int64(n) {
		err = fmt.Errorf("%d rows of %d: %w", matched, n, errMoved)
	}
	return err
}

// grouped calls f for each set of entries with the same key, in the order of their first.
func grouped[K comparable](group []*entry, key func(*entry) K, f func(K, []*entry) error) error {
	var order []K
	same := make(map[K][]*entry)
	for _, e := range group {
		k := key(e)
		if same[k] == nil {
			order = append(order, k)
		}
		same[k] = append(same[k], e)
	}
	for _, k := range order {
		if err := f(k, same[k]); err != nil {
			return err
		}
	}
	return nil
}

// moveOn gives open outages their new status, and closes those of sites that recover. A
// site that another program called down has no outage.
func moveOn(t txn, group []*entry) error {
	var open []*entry
	for _, e := range group {
		if e.open.id != 0 {
			open = append(open, e)
		}
	}
	return grouped(open, func(e *entry) [2]check.Status { return [2]check.Status{e.open.status, e.To} },
		func(step [2]check.Status, same []*entry) error {
			var ids, at, relapses []any
			for _, e := range same {
				ids = append(ids, e.open.id)
				at = append(at, e.open.id, toMillis(e.At))
				relapses = append(relapses, e.open.id, e.Relapses)
			}
			each := caseOf("id", len(same))
			set := "status = ?, status_ms = " + each + ", relapses = " + each
			args := slices.Concat([]any{step[1]}, at, relapses)
			if step[1] == check.StatusRunning {
				// A pause whose end nobody has noted ends here at the latest.
				set += ", " + addPause(each) + ", suspended_ms = 0, open_site = NULL, end_reason = ?, end_ms = " + each
				args = slices.Concat(args, at, at, []any{record.EndRecovered}, at)
			}
			return t.update(len(same), "UPDATE jetmon_outages SET "+set+
				" WHERE open_site IS NOT NULL AND status = ? AND id IN "+marks(len(ids)),
				append(append(args, step[0]), ids...)...)
		})
}

// outageURL returns a URL as an outage keeps it.
func outageURL(url string) string { return clip(url, 1024) }

const outageInsert = `INSERT INTO jetmon_outages
	(site_id, open_site, blog_id, bucket, url, status, status_ms, start_ms, confirmed_ms, end_ms,
	 failure, reason, http_status, rule_voters, rule_need, rule_regions, round, relapses, maintenance_id, seen_regions) VALUES `

// openNew opens outages for the sites that go down and have none.
func openNew(t txn, group []*entry) error {
	var down []*entry
	var rows [][]any
	var sites []int64
	for _, e := range group {
		if e.To != check.StatusDown && !e.adopts() || e.open.id != 0 {
			continue
		}
		var ballot record.Ballot
		if e.Ballot != nil {
			ballot = *e.Ballot
		}
		down, sites = append(down, e), append(sites, int64(e.SiteID))
		rows = append(rows, []any{e.SiteID, e.SiteID, e.BlogID, e.Bucket, outageURL(e.URL), e.To,
			e.statusSince(), toMillis(e.Start), toMillis(e.At), 0,
			e.Cause.Failure, clip(e.Cause.Reason, 255), e.Cause.HTTPStatus,
			ballot.Rule.Voters, ballot.Rule.Need, ballot.Rule.Regions, ballot.Round, 0, e.window, regionsText(e.Regions())})
	}
	ids, err := insertAll(t, insertion{outageInsert, "SELECT open_site, id FROM jetmon_outages WHERE open_site IN "}, rows, sites)
	for i, id := range ids {
		down[i].open.id, down[i].opened = id, true
	}
	return err
}

// keepBallots writes the deciding ballots. A new outage has no other ballot, so the ballots
// of new outages can be written in one statement and found by outage.
func keepBallots(t txn, group []*entry) (err error) {
	var opened []*entry
	var rows [][]any
	var outages []int64
	for _, e := range group {
		switch {
		case e.Ballot == nil:
		case e.opened:
			opened, outages = append(opened, e), append(outages, e.open.id)
			rows = append(rows, ballotValues(*e.Ballot, e.open.id, e.text.ballot))
		default:
			if e.ballot, err = keepBallot(t, *e.Ballot, e.open.id, e.text.ballot); err != nil {
				return err
			}
		}
	}
	ids, err := insertAll(t, insertion{ballotInsert, "SELECT outage_id, id FROM jetmon_ballots WHERE outage_id IN "}, rows, outages)
	for i, id := range ids {
		opened[i].ballot = id
	}
	return err
}

// withdraw deletes the waiting notifications of sites with a muted change.
func withdraw(t txn, group []*entry) error {
	muted := map[check.SiteID]*entry{}
	var sites []any
	for _, e := range group {
		if e.Muted {
			muted[e.SiteID], sites = e, append(sites, e.SiteID)
		}
	}
	if len(sites) == 0 {
		return nil
	}
	waiting, err := t.waiting("o.lane IN "+marks(len(sites)), sites...)
	for _, w := range waiting {
		muted[w.site].withdrawn = true
	}
	if err != nil {
		return err
	}
	return takeOff(t, waiting)
}

// writeTransitions writes the transitions.
func writeTransitions(t txn, group []*entry) error {
	rows, keys := make([][]any, len(group)), make([]string, len(group))
	for i, e := range group {
		delivered := 0
		if e.silent {
			delivered = neverDelivered
		}
		keys[i] = e.Key
		rows[i] = []any{e.Key, e.SiteID, e.place.next, e.BlogID, e.Bucket, e.open.id, e.ballot, e.From, e.To,
			toMillis(e.Start), toMillis(e.At), toMillis(e.LastCheck), delivered, e.text.body, e.hushed}
	}
	ids, err := insertAll(t, insertion{`INSERT INTO jetmon_transitions
	(change_key, site_id, site_seq, blog_id, bucket, outage_id, ballot_id, from_status, to_status,
	 start_ms, at_ms, last_check_ms, delivered_ms, body, maintenance_id) VALUES `,
		"SELECT change_key, id FROM jetmon_transitions WHERE change_key IN "}, rows, keys)
	if err != nil {
		return err
	}
	for i, e := range group {
		e.result.Committed = record.Committed{OutageID: e.open.id, TransitionID: ids[i], Maintenance: e.hushed}
	}
	return nil
}
