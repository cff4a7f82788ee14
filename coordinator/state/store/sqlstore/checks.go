package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// AddChecks implements store.Checks.
func (s *Store) AddChecks(ctx context.Context, f shard.Fence, rows []store.CheckRow) error {
	if err := checkBlobs(f, store.CheckFold{Rows: rows}); err != nil || len(rows) == 0 {
		return err
	}
	err := s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		return s.putChecks(t, rows)
	})
	if err != nil {
		return s.fault(fmt.Sprintf("add %d rows to the journal of shard %d", len(rows), f.Shard), err)
	}
	return nil
}

// FoldChecks implements store.Checks.
func (s *Store) FoldChecks(ctx context.Context, f shard.Fence, x store.CheckFold) error {
	if err := checkBlobs(f, x); err != nil {
		return err
	}
	err := s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		if err := t.takeChecks(x.Replaces); err != nil {
			return err
		}
		if err := s.putChecks(t, x.Rows); err != nil {
			return err
		}
		if err := t.putDays(store.DayChecks, x.Days); err != nil {
			return err
		}
		if err := t.putDays(store.DaySummaries, x.Summaries); err != nil || x.Fleet == nil {
			return err
		}
		if _, err := t.exec("DELETE FROM jetmon_check_fleet WHERE shard = ? AND day_no = ?", x.Fleet.Shard, x.Fleet.Day); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO jetmon_check_fleet (shard, day_no, checks) VALUES (?, ?, ?)", x.Fleet.Shard, x.Fleet.Day, x.Fleet.Blob)
		return err
	})
	if err != nil {
		return s.fault(fmt.Sprintf("fold the journal of shard %d", f.Shard), err)
	}
	return nil
}

// takeChecks deletes rows of the journal, a statement an hour.
func (t txn) takeChecks(rows []store.CheckRow) error {
	for len(rows) > 0 {
		key, args := rows[0].CheckKey, []any{rows[0].Bucket, rows[0].Hour}
		for len(rows) > 0 && rows[0].CheckKey == key && len(args) < maxRows {
			args = append(args, rows[0].N)
			rows = rows[1:]
		}
		n, err := t.exec("DELETE FROM jetmon_check_hours WHERE bucket = ? AND hour_no = ? AND n IN "+marks(len(args)-2), args...)
		if err != nil {
			return err
		}
		if n != int64(len(args)-2) {
			return fault.New(fault.Conflict, "%d rows of bucket %d, hour %d are not there", int64(len(args)-2)-n, key.Bucket, key.Hour)
		}
	}
	return nil
}

// checkBlobs refuses what is invalid in every state of the database, and what is not the fence's.
func checkBlobs(f shard.Fence, x store.CheckFold) error {
	if n := len(x.Replaces) + len(x.Rows) + len(x.Days) + len(x.Summaries); n > store.MaxCheckRows {
		return fault.New(fault.Invalid, "%d rows are more than %d", n, store.MaxCheckRows)
	}
	if f.Node == "" || x.Fleet != nil && x.Fleet.Shard != f.Shard {
		return fault.New(fault.Fenced, "%q does not own shard %d", f.Node, f.Shard)
	}
	for _, r := range x.Replaces {
		if err := checkFence(f, r.Bucket); err != nil {
			return err
		}
	}
	for _, r := range x.Rows {
		if err := checkBlob(f, r.Bucket, r.Blob); err != nil {
			return err
		}
	}
	for _, days := range [][]store.DayRow{x.Days, x.Summaries} {
		for _, d := range days {
			if err := checkBlob(f, d.Bucket, d.Blob); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkBlob(f shard.Fence, b check.BucketID, blob []byte) error {
	if len(blob) == 0 || len(blob) > store.MaxCheckBlob {
		return fault.New(fault.Invalid, "a blob of %d bytes is none, or longer than %d", len(blob), store.MaxCheckBlob)
	}
	return checkFence(f, b)
}

// putChecks writes rows of the journal instead of those of the same keys. There are such rows only
// where an answer was lost.
func (s *Store) putChecks(t txn, rows []store.CheckRow) error {
	values := make([][]any, len(rows))
	for i, r := range rows {
		values[i] = []any{r.Bucket, r.Hour, r.N, r.Blob}
	}
	const insert = "INSERT INTO jetmon_check_hours (bucket, hour_no, n, checks) VALUES "
	err := t.insertRows(insert, values)
	if err == nil || !s.isDuplicate(err) {
		return err
	}
	for _, r := range rows {
		if _, err := t.exec("DELETE FROM jetmon_check_hours WHERE bucket = ? AND hour_no = ? AND n = ?", r.Bucket, r.Hour, r.N); err != nil {
			return err
		}
	}
	return t.insertRows(insert, values)
}

// putDays writes rows by day instead of those of the same keys.
func (t txn) putDays(of store.DayKind, days []store.DayRow) error {
	values := make([][]any, len(days))
	for i, d := range days {
		values[i] = []any{d.Bucket, int64(d.Part), d.Day, d.Blob}
	}
	for len(days) > 0 {
		n, args := 0, []any{days[0].Bucket, days[0].Day}
		for n < min(len(days), maxRows) && days[n].Bucket == days[0].Bucket && days[n].Day == days[0].Day {
			args = append(args, int64(days[n].Part))
			n++
		}
		if _, err := t.exec("DELETE FROM "+dayTable(of)+" WHERE bucket = ? AND day_no = ? AND part IN "+marks(n), args...); err != nil {
			return err
		}
		days = days[n:]
	}
	return t.insertRows("INSERT INTO "+dayTable(of)+" (bucket, part, day_no, checks) VALUES ", values)
}

func dayTable(of store.DayKind) string {
	if of == store.DaySummaries {
		return "jetmon_check_summaries"
	}
	return "jetmon_check_days"
}

// Checks implements store.Checks.
func (s *Store) Checks(ctx context.Context, buckets []check.BucketID, first, end history.Hour, f func(store.CheckRow) error) error {
	for _, b := range buckets {
		err := s.eachRow(ctx, fmt.Sprintf("read the journal of bucket %d", b), func(rows *sql.Rows) (func() error, error) {
			r := store.CheckRow{CheckKey: store.CheckKey{Bucket: b}}
			err := rows.Scan(&r.Hour, &r.N, (*sql.RawBytes)(&r.Blob))
			return func() error { return f(r) }, err
		}, `SELECT hour_no, n, checks FROM jetmon_check_hours WHERE bucket = ? AND hour_no >= ? AND hour_no < ?
	ORDER BY hour_no, n`, b, first, end)
		if err != nil {
			return err
		}
	}
	return nil
}

// ListChecks implements store.Checks.
func (s *Store) ListChecks(ctx context.Context, id shard.ID, end history.Hour) ([]store.CheckRow, error) {
	all, err := list(ctx, s.reader, func(rows *sql.Rows) (r store.CheckRow, err error) {
		return r, rows.Scan(&r.Bucket, &r.Hour, &r.N)
	}, `SELECT bucket, hour_no, n FROM jetmon_check_hours WHERE bucket >= ? AND bucket < ? AND hour_no < ?
	ORDER BY bucket, hour_no, n`, int(id)*shard.BucketsPer, (int(id)+1)*shard.BucketsPer, end)
	if err != nil {
		return nil, s.fault(fmt.Sprintf("list the journal of shard %d", id), err)
	}
	return all, nil
}

// partsPerRead bounds the parts of one statement.
const partsPerRead = 64

// CheckDays implements store.Checks.
func (s *Store) CheckDays(ctx context.Context, of store.DaySpan, parts []store.PartKey, f func(store.DayRow) error) error {
	const one = "bucket = ? AND part = ? AND day_no >= ? AND day_no < ?"
	for len(parts) > 0 {
		n := min(len(parts), partsPerRead)
		args := make([]any, 0, 4*n)
		for _, p := range parts[:n] {
			args = append(args, p.Bucket, int64(p.Part), of.First, of.End)
		}
		err := s.days(ctx, of.Kind, f, one+strings.Repeat(" OR "+one, n-1)+" ORDER BY bucket, part, day_no", args...)
		if err != nil {
			return err
		}
		parts = parts[n:]
	}
	return nil
}

// BucketDays implements store.Checks.
func (s *Store) BucketDays(ctx context.Context, of store.DaySpan, bucket check.BucketID, f func(store.DayRow) error) error {
	for day := of.First; day < of.End; day++ {
		if err := s.days(ctx, of.Kind, f, "bucket = ? AND day_no = ? ORDER BY part", bucket, day); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) days(ctx context.Context, of store.DayKind, f func(store.DayRow) error, where string, args ...any) error {
	return s.eachRow(ctx, "read days of checks", func(rows *sql.Rows) (func() error, error) {
		var r store.DayRow
		err := rows.Scan(&r.Bucket, (*int64)(&r.Part), &r.Day, (*sql.RawBytes)(&r.Blob))
		return func() error { return f(r) }, err
	}, "SELECT bucket, part, day_no, checks FROM "+dayTable(of)+" WHERE "+where, args...)
}

// FleetDays implements store.Checks.
func (s *Store) FleetDays(ctx context.Context, first, end history.Day) ([]store.FleetRow, error) {
	args := make([]any, 0, shard.Count+2)
	for id := range shard.Count {
		args = append(args, id)
	}
	all, err := list(ctx, s.reader, func(rows *sql.Rows) (r store.FleetRow, err error) {
		return r, rows.Scan(&r.Shard, &r.Day, &r.Blob)
	}, "SELECT shard, day_no, checks FROM jetmon_check_fleet WHERE shard IN "+marks(shard.Count)+
		" AND day_no >= ? AND day_no < ? ORDER BY shard, day_no", append(args, first, end)...)
	if err != nil {
		return nil, s.fault("read the fleet's days", err)
	}
	return all, nil
}

// eachRow runs a query outside a transaction and calls scan, and then the function that it
// returned, with every row. It returns an error of that function unchanged.
func (s *Store) eachRow(ctx context.Context, doing string, scan func(*sql.Rows) (func() error, error), query string, args ...any) error {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return s.fault(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		pass, err := scan(rows)
		if err != nil {
			return s.fault(doing, err)
		}
		if err := pass(); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return s.fault(doing, err)
	}
	return nil
}
