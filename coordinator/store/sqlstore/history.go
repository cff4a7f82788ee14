package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/Automattic/jetmon/coordinator/quorum"
	"github.com/Automattic/jetmon/coordinator/shard"
	"github.com/Automattic/jetmon/coordinator/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// KeepBallot implements store.History.
func (s *Store) KeepBallot(ctx context.Context, f shard.Fence, b store.Ballot) error {
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
		_, err := keepBallot(t, b, 0, evidence)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("keep a ballot of site %d", b.SiteID), err)
	}
	return nil
}

const ballotInsert = `INSERT INTO jetmon_ballots
	(site_id, bucket, outage_id, verdict, rule_voters, rule_need, rule_regions, round, opened_ms, decided_ms, evidence) VALUES `

func ballotValues(b store.Ballot, outage int64, evidence string) []any {
	return []any{b.SiteID, b.Bucket, outage, b.Verdict, b.Rule.Voters, b.Rule.Need, b.Rule.Regions, b.Round,
		toMillis(b.Opened), toMillis(b.Decided), evidence}
}

func keepBallot(t txn, b store.Ballot, outage int64, evidence string) (int64, error) {
	row := ballotValues(b, outage, evidence)
	return t.insert(ballotInsert+marks(len(row)), row...)
}

const (
	ballotColumns = `b.id, b.site_id, b.bucket, b.outage_id, b.verdict, b.rule_voters, b.rule_need, b.rule_regions,
	b.round, b.opened_ms, b.decided_ms, b.evidence`
	ballotQuery = "SELECT " + ballotColumns + " FROM jetmon_ballots b WHERE b.site_id = ?"
)

// ballotRow is where the columns of a ballot go, which are NULL where a join found none.
type ballotRow struct {
	id, site, bucket, outage, verdict, voters, need, regions, round, opened, decided number
	evidence                                                                         text
}

func (r *ballotRow) dest() []any {
	return []any{&r.id, &r.site, &r.bucket, &r.outage, &r.verdict, &r.voters, &r.need, &r.regions,
		&r.round, &r.opened, &r.decided, &r.evidence}
}

func (r *ballotRow) ballot() (store.Ballot, error) {
	e, err := decode[ballotEvidence](string(r.evidence))
	return store.Ballot{
		ID: int64(r.id), SiteID: check.SiteID(r.site), Bucket: check.BucketID(r.bucket), OutageID: int64(r.outage),
		Verdict: quorum.Verdict(r.verdict), Round: uint8(r.round),
		Rule:   quorum.Rule{Voters: int(r.voters), Need: int(r.need), Regions: int(r.regions)},
		Opened: fromMillis(int64(r.opened)), Decided: fromMillis(int64(r.decided)),
		Votes: e.Votes, Checks: e.Checks,
	}, err
}

// ListBallots implements store.History.
func (s *Store) ListBallots(ctx context.Context, id check.SiteID, limit int) ([]store.Ballot, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, limit)
	}
	ballots, err := list(ctx, s.reader, scanBallot, ballotQuery+" ORDER BY b.id DESC LIMIT ?", id, limit)
	if err != nil {
		return nil, s.fault(fmt.Sprintf("read the ballots of site %d", id), err)
	}
	return ballots, nil
}

func scanBallot(rows *sql.Rows) (store.Ballot, error) {
	var r ballotRow
	if err := rows.Scan(r.dest()...); err != nil {
		return store.Ballot{}, err
	}
	return r.ballot()
}

const outageQuery = `SELECT id, site_id, blog_id, bucket, url, status, start_ms, confirmed_ms, end_ms,
	failure, reason, http_status, rule_voters, rule_need, rule_regions, round, relapses FROM jetmon_outages`

func scanOutage(rows *sql.Rows) (o store.Outage, err error) {
	var start, confirmed, end int64
	err = rows.Scan(&o.ID, &o.SiteID, &o.BlogID, &o.Bucket, &o.URL, &o.Status, &start, &confirmed, &end,
		&o.Failure, &o.Reason, &o.HTTPStatus, &o.Rule.Voters, &o.Rule.Need, &o.Rule.Regions, &o.Round, &o.Relapses)
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
	ballots, err := list(ctx, s.reader, scanBallot, ballotQuery+" AND b.outage_id = ? ORDER BY b.id LIMIT 1", o.SiteID, id)
	if err != nil {
		return store.Outage{}, s.fault(doing, err)
	}
	if len(ballots) == 1 {
		o.Ballot = &ballots[0]
	}
	changes, err := list(ctx, s.reader, scanChange, `SELECT body FROM jetmon_transitions
	WHERE site_id = ? AND outage_id = ? AND to_status = ? ORDER BY id LIMIT 1`, o.SiteID, id, check.StatusDown)
	if err != nil {
		return store.Outage{}, s.fault(doing, err)
	}
	if len(changes) == 1 {
		o.Checks = changes[0].Checks
	}
	return o, nil
}

func scanChange(rows *sql.Rows) (store.Change, error) {
	var body string
	if err := rows.Scan(&body); err != nil {
		return store.Change{}, err
	}
	return decode[store.Change](body)
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
