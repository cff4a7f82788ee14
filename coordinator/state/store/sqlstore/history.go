package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// KeepBallot implements store.History.
func (s *Store) KeepBallot(ctx context.Context, f shard.Fence, b record.Ballot) error {
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

func ballotValues(b record.Ballot, outage int64, evidence string) []any {
	return []any{b.SiteID, b.Bucket, outage, b.Verdict, b.Rule.Voters, b.Rule.Need, b.Rule.Regions, b.Round,
		toMillis(b.Opened), toMillis(b.Decided), evidence}
}

func keepBallot(t txn, b record.Ballot, outage int64, evidence string) (int64, error) {
	row := ballotValues(b, outage, evidence)
	return t.insert(ballotInsert+marks(len(row)), row...)
}

const (
	ballotColumns = `b.id, b.site_id, b.bucket, b.outage_id, b.verdict, b.rule_voters, b.rule_need, b.rule_regions,
	b.round, b.opened_ms, b.decided_ms, b.evidence`
	ballotQuery = "SELECT " + ballotColumns + " FROM jetmon_ballots b WHERE b.site_id = ?"
)

// ballotRow holds the columns of a ballot, which are NULL where a join found none.
type ballotRow struct {
	id, site, bucket, outage, verdict, voters, need, regions, round, opened, decided number
	evidence                                                                         text
}

func (r *ballotRow) dest() []any {
	return []any{&r.id, &r.site, &r.bucket, &r.outage, &r.verdict, &r.voters, &r.need, &r.regions,
		&r.round, &r.opened, &r.decided, &r.evidence}
}

func (r *ballotRow) ballot() (record.Ballot, error) {
	e, err := decode[ballotEvidence](string(r.evidence))
	return record.Ballot{
		ID: int64(r.id), SiteID: check.SiteID(r.site), Bucket: check.BucketID(r.bucket), OutageID: int64(r.outage),
		Verdict: quorum.Verdict(r.verdict), Round: uint8(r.round),
		Rule:   quorum.Rule{Voters: int(r.voters), Need: int(r.need), Regions: int(r.regions)},
		Opened: fromMillis(int64(r.opened)), Decided: fromMillis(int64(r.decided)),
		Votes: e.Votes, Checks: e.Checks,
	}, err
}

// ListBallots implements store.History.
func (s *Store) ListBallots(ctx context.Context, id check.SiteID, limit int) ([]record.Ballot, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, limit)
	}
	ballots, err := laxly(ctx, s, scanBallot, ballotQuery+" ORDER BY b.decided_ms DESC, b.id DESC LIMIT ?", id, limit)
	if err != nil {
		return nil, s.fault(fmt.Sprintf("read the ballots of site %d", id), err)
	}
	return ballots, nil
}

func scanBallot(rows *sql.Rows) (record.Ballot, error) {
	var r ballotRow
	if err := rows.Scan(r.dest()...); err != nil {
		return record.Ballot{}, err
	}
	return r.ballot()
}

// outageColumns are those of outages o. An outage that a version without reasons ended has recovered
// (1) if it has a transition to running; otherwise its site was deleted (2). The CASE looks
// up transitions for such outages only.
const outageColumns = `SELECT o.id, o.site_id, o.blog_id, o.bucket, o.url, o.status, o.start_ms, o.confirmed_ms, o.end_ms,
	CASE WHEN o.end_ms = 0 OR o.end_reason <> 0 THEN o.end_reason
	WHEN EXISTS (SELECT 1 FROM jetmon_transitions t WHERE t.site_id = o.site_id AND t.outage_id = o.id AND t.to_status = 1)
	THEN 1 ELSE 2 END,
	o.failure, o.reason, o.http_status, o.rule_voters, o.rule_need, o.rule_regions, o.round, o.relapses, o.suspended_ms, o.paused_ms,
	o.maintenance_id, o.maintenance_spans, o.seen_regions`

func scanOutage(rows *sql.Rows) (o record.Outage, err error) {
	var start, confirmed, end, suspended, paused int64
	var spans, regions text
	err = rows.Scan(&o.ID, &o.SiteID, &o.BlogID, &o.Bucket, &o.URL, &o.Status, &start, &confirmed, &end, &o.EndReason,
		&o.Failure, &o.Reason, &o.HTTPStatus, &o.Rule.Voters, &o.Rule.Need, &o.Rule.Regions, &o.Round, &o.Relapses, &suspended, &paused,
		&o.MaintenanceID, &spans, &regions)
	o.Maintenance, o.Regions = parseSpans(string(spans)), parseRegions(string(regions))
	o.Suspended, o.PausedFor = fromMillis(suspended), time.Duration(paused)*time.Millisecond
	o.Start, o.Confirmed, o.End = fromMillis(start), fromMillis(confirmed), fromMillis(end)
	return o, err
}

// Outage implements store.History.
func (s *Store) Outage(ctx context.Context, id int64) (record.Outage, error) {
	doing := fmt.Sprintf("read outage %d", id)
	found, err := list(ctx, s.reader, scanOutage, outageColumns+" FROM jetmon_outages o WHERE o.id = ?", id)
	if err != nil {
		return record.Outage{}, s.fault(doing, err)
	}
	if len(found) == 0 {
		return record.Outage{}, fault.New(fault.NotFound, "there is no outage %d", id)
	}
	if err := s.fillSpans(ctx, openOutages(found)); err != nil {
		return record.Outage{}, s.fault(doing, err)
	}
	// Its only change to this status opened it, or one that kept an inherited status; later
	// changes can have ballots, too. An outage never loses evidence, so separate reads agree.
	changes, err := list(ctx, s.reader, scanOpening, "SELECT t.body, "+ballotColumns+` FROM jetmon_transitions t
	LEFT JOIN jetmon_ballots b ON b.id = t.ballot_id
	WHERE t.site_id = ? AND t.outage_id = ? AND (t.to_status = ? OR t.from_status = t.to_status)`, found[0].SiteID, id, check.StatusDown)
	if err != nil {
		return record.Outage{}, s.fault(doing, err)
	}
	if len(changes) > 0 {
		found[0].Ballot, found[0].Checks = changes[0].Ballot, changes[0].Checks
	}
	return found[0], nil
}

func scanOpening(rows *sql.Rows) (record.Change, error) {
	var body string
	var ballot ballotRow
	if err := rows.Scan(append([]any{&body}, ballot.dest()...)...); err != nil {
		return record.Change{}, err
	}
	return reported(body, ballot)
}

// ListOutages implements store.History.
func (s *Store) ListOutages(ctx context.Context, q store.OutageQuery) ([]record.Outage, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, q.Limit)
	}
	var where []string
	var args []any
	order := " ORDER BY o.confirmed_ms DESC, o.id DESC LIMIT ?"
	if q.SiteID != 0 || q.OpenOnly || len(q.Blogs) > 0 {
		// Adding 0 keeps the engine from walking the whole table in that order, to avoid a
		// sort, when another index leads to few rows.
		order = " ORDER BY o.confirmed_ms + 0 DESC, o.id DESC LIMIT ?"
	}
	if q.Before.ID != 0 {
		ctx = s.onward(ctx, q.Before.Confirmed)
		confirmed := toMillis(q.Before.Confirmed)
		where = append(where, "o.confirmed_ms <= ? AND (o.confirmed_ms < ? OR o.id < ?)")
		args = append(args, confirmed, confirmed, q.Before.ID)
	}
	if q.SiteID != 0 {
		where, args = append(where, "o.site_id = ?"), append(args, q.SiteID)
	}
	if q.OpenOnly {
		where = append(where, "o.end_ms = 0")
	}
	if len(q.Blogs) > 0 {
		where = append(where, "o.blog_id IN "+marks(len(q.Blogs)))
		for _, b := range q.Blogs {
			args = append(args, b)
		}
	}
	ids := "SELECT o.id FROM jetmon_outages o"
	if len(where) > 0 {
		ids += " WHERE " + strings.Join(where, " AND ")
	}
	// The ids come first, from an index alone: of the rows of a page an engine might rather sort all.
	outages, err := laxly(ctx, s, scanOutage, outageColumns+" FROM ("+ids+order+") p JOIN jetmon_outages o ON o.id = p.id"+
		" ORDER BY o.confirmed_ms DESC, o.id DESC", append(args, q.Limit)...)
	if err != nil {
		return nil, s.fault("read outages", err)
	}
	if err := s.fillSpans(ctx, openOutages(outages)); err != nil {
		return nil, s.fault("read outages", err)
	}
	return outages, nil
}

// openOutages lists those that are open.
func openOutages(outages []record.Outage) (open []openOutage) {
	for i := range outages {
		if o := &outages[i]; o.End.IsZero() {
			open = append(open, openOutage{o.SiteID, o.URL, o.Start, &o.Maintenance})
		}
	}
	return open
}
