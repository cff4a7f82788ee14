package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// KeepBallot implements store.History.
func (s *Store) KeepBallot(ctx context.Context, f store.Fence, b store.Ballot) error {
	if err := checkFence(f, b.Bucket); err != nil {
		return err
	}
	evidence, err := encodeBallot(b)
	if err != nil {
		return err
	}
	err = s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		return keepBallot(t, b, 0, evidence)
	})
	if err != nil {
		return s.fault(fmt.Sprintf("keep a ballot of site %d", b.SiteID), err)
	}
	return nil
}

func keepBallot(t txn, b store.Ballot, outage int64, evidence string) error {
	_, err := t.exec(`INSERT INTO jetmon_ballots
	(site_id, bucket, outage_id, verdict, rule_voters, rule_need, rule_regions, round, opened_ms, decided_ms, evidence)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		b.SiteID, b.Bucket, outage, b.Verdict, b.Rule.Voters, b.Rule.Need, b.Rule.Regions, b.Round,
		toMillis(b.Opened), toMillis(b.Decided), evidence)
	return err
}

const ballotQuery = `SELECT id, site_id, bucket, outage_id, verdict, rule_voters, rule_need, rule_regions, round,
	opened_ms, decided_ms, evidence FROM jetmon_ballots WHERE site_id = ?`

// ListBallots implements store.History.
func (s *Store) ListBallots(ctx context.Context, id check.SiteID, limit int) ([]store.Ballot, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, limit)
	}
	ballots, err := list(ctx, s.reader, scanBallot, ballotQuery+" ORDER BY id DESC LIMIT ?", id, limit)
	if err != nil {
		return nil, s.fault(fmt.Sprintf("read the ballots of site %d", id), err)
	}
	return ballots, nil
}

func scanBallot(rows *sql.Rows) (b store.Ballot, err error) {
	var opened, decided int64
	var evidence string
	if err := rows.Scan(&b.ID, &b.SiteID, &b.Bucket, &b.OutageID, &b.Verdict, &b.Rule.Voters, &b.Rule.Need,
		&b.Rule.Regions, &b.Round, &opened, &decided, &evidence); err != nil {
		return b, err
	}
	e, err := decode[ballotEvidence](evidence)
	b.Opened, b.Decided = fromMillis(opened), fromMillis(decided)
	b.Votes, b.Checks = e.Votes, e.Checks
	return b, err
}

const outageQuery = `SELECT id, site_id, blog_id, bucket, url, status, start_ms, confirmed_ms, end_ms,
	failure, reason, http_status, rule_voters, rule_need, rule_regions, round FROM jetmon_outages`

func scanOutage(rows *sql.Rows) (o store.Outage, err error) {
	var start, confirmed, end int64
	err = rows.Scan(&o.ID, &o.SiteID, &o.BlogID, &o.Bucket, &o.URL, &o.Status, &start, &confirmed, &end,
		&o.Failure, &o.Reason, &o.HTTPStatus, &o.Rule.Voters, &o.Rule.Need, &o.Rule.Regions, &o.Round)
	o.Start, o.Confirmed, o.End = fromMillis(start), fromMillis(confirmed), fromMillis(end)
	return o, err
}

// Outage implements store.History.
func (s *Store) Outage(ctx context.Context, id int64) (store.Outage, error) {
	doing := fmt.Sprintf("read outage %d", id)
	found, err := list(ctx, s.reader, scanOutage, outageQuery+" WHERE id = ?", id)
	if err != nil {
		return store.Outage{}, s.fault(doing, err)
	}
	if len(found) == 0 {
		return store.Outage{}, fault.New(fault.NotFound, "there is no outage %d", id)
	}
	o := found[0]
	// What opened it came first; an outage never loses evidence, so that separate reads agree.
	ballots, err := list(ctx, s.reader, scanBallot, ballotQuery+" AND outage_id = ? ORDER BY id LIMIT 1", o.SiteID, id)
	if err != nil {
		return store.Outage{}, s.fault(doing, err)
	}
	if len(ballots) == 1 {
		o.Ballot = &ballots[0]
	}
	checks, err := list(ctx, s.reader, scanChecks, `SELECT checks FROM jetmon_transitions
	WHERE site_id = ? AND outage_id = ? AND to_status = ? ORDER BY id LIMIT 1`, o.SiteID, id, check.StatusDown)
	if err != nil {
		return store.Outage{}, s.fault(doing, err)
	}
	if len(checks) == 1 {
		o.Checks = checks[0]
	}
	return o, nil
}

func scanChecks(rows *sql.Rows) ([]store.LocalCheck, error) {
	var checks string
	if err := rows.Scan(&checks); err != nil {
		return nil, err
	}
	return decode[[]store.LocalCheck](checks)
}

// ListOutages implements store.History.
func (s *Store) ListOutages(ctx context.Context, q store.OutageQuery) ([]store.Outage, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, q.Limit)
	}
	var where []string
	var args []any
	if q.Before != 0 {
		where, args = append(where, "id < ?"), append(args, q.Before)
	}
	if q.SiteID != 0 {
		where, args = append(where, "site_id = ?"), append(args, q.SiteID)
	}
	if q.OpenOnly {
		where = append(where, "end_ms = 0")
	}
	query := outageQuery
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	outages, err := list(ctx, s.reader, scanOutage, query+" ORDER BY id DESC LIMIT ?", append(args, q.Limit)...)
	if err != nil {
		return nil, s.fault("read outages", err)
	}
	return outages, nil
}
