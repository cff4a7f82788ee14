package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// jetmon_site_hosts follows the legacy table: an edit through us writes it in its own
// transaction, and IndexHosts what others have written. An entry may be behind its row, so a
// reader compares the row that it leads to.

const (
	insertHost = "INSERT INTO jetmon_site_hosts (site_id, host, page, url, row_status, row_changed) VALUES "
	// misplaced selects the rows without an entry for what they say, for the dialect's form of
	// their URL and of the time of their status, and a condition on buckets. The collation of an entry compares bytes, but for spaces
	// at the end, which lead nowhere else.
	misplaced = `SELECT l.jetpack_monitor_site_id, l.monitor_url, h.site_id, h.url, COALESCE(l.site_status, 1), {changed}
	FROM jetpack_monitor_sites l
	LEFT JOIN jetmon_site_hosts h ON h.site_id = l.jetpack_monitor_site_id
	WHERE l.jetpack_monitor_site_id BETWEEN ? AND ? AND {in}
	AND (h.site_id IS NULL OR h.url <> COALESCE({url}, '') OR h.row_status <> COALESCE(l.site_status, 1) OR h.row_changed <> {changed})
	ORDER BY l.jetpack_monitor_site_id LIMIT ?`
	// gone selects the sites of a table of ours that have no row any more, forget deletes them.
	gone = `SELECT DISTINCT h.site_id FROM {table} h LEFT JOIN jetpack_monitor_sites l ON l.jetpack_monitor_site_id = h.site_id
	WHERE h.site_id BETWEEN ? AND ? AND l.jetpack_monitor_site_id IS NULL ORDER BY h.site_id LIMIT ?`
	forget = `DELETE FROM {table} WHERE NOT EXISTS (SELECT l.jetpack_monitor_site_id FROM jetpack_monitor_sites l
	WHERE l.jetpack_monitor_site_id = {table}.site_id) AND site_id IN `
	// maxURLChars is what the column holds; the legacy table has no longer URLs.
	maxURLChars = 300
)

// place is a row that has no entry for its URL.
type place struct {
	id       check.SiteID
	url      string
	standing rowStanding
	known    bool   // there is an entry,
	knownURL string // for this URL
}

// rowStanding is the status in a row of the legacy table, and since when, as the database has them.
type rowStanding struct{ status, changed int64 }

// freshRow is the standing of a row that we have just made.
func freshRow() rowStanding { return rowStanding{status: int64(check.StatusRunning)} }

// entry returns the columns of the entry.
func (p place) entry() []any {
	l := record.Locate(p.url)
	return []any{p.id, l.Host, pageHash(l.Page), firstRunes(p.url, maxURLChars), p.standing.status, p.standing.changed}
}

// firstRunes returns the first characters of a text, as it is.
func firstRunes(text string, most int) string {
	for i := range text {
		if most--; most < 0 {
			return text[:i]
		}
	}
	return text
}

// pageHash returns the hash by which a page is found; 0 for none.
func pageHash(page string) int64 {
	if page == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(page))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// IndexHosts implements store.Sites.
func (s *Store) IndexHosts(ctx context.Context, span record.Span, shards []shard.ID, sweep bool) error {
	err := s.inBatches(ctx, span, func(rest record.Span) (n int, last check.SiteID, err error) {
		places, err := s.misplaced(ctx, rest, shards)
		if err != nil || len(places) == 0 {
			return 0, 0, err
		}
		return len(places), places[len(places)-1].id, s.index(ctx, places)
	})
	if err == nil && sweep {
		err = s.sweep(ctx, span)
	}
	if err != nil {
		return s.fault(fmt.Sprintf("index the hosts of the sites %d to %d", span.First, span.Last), err)
	}
	return nil
}

// swept are the tables of ours with what a caller has told us of a site, or what we have read of
// its row. WordPress.com deletes rows without telling us.
var swept = [...]string{"jetmon_site_hosts", "jetmon_site_settings", "jetmon_site_tags", "jetmon_site_watches"}

// sweep forgets the sites of a span that have no row any more.
func (s *Store) sweep(ctx context.Context, span record.Span) error {
	for _, table := range swept {
		gone, forget := strings.ReplaceAll(gone, "{table}", table), strings.ReplaceAll(forget, "{table}", table)
		err := s.inBatches(ctx, span, func(rest record.Span) (n int, last check.SiteID, err error) {
			ids, err := list(ctx, s.reader, scanID, gone, rest.First, rest.Last, maxRows)
			if err != nil || len(ids) == 0 {
				return 0, 0, err
			}
			return len(ids), ids[len(ids)-1].(check.SiteID), s.transact(ctx, s.editor, func(t txn) error {
				_, err := t.exec(forget+marks(len(ids)), ids...)
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inBatches calls f with what is left of a span, until it finds fewer than a batch.
func (s *Store) inBatches(ctx context.Context, rest record.Span, f func(rest record.Span) (n int, last check.SiteID, err error)) error {
	for {
		n, last, err := f(rest)
		if err != nil || n < maxRows || last == rest.Last {
			return err
		}
		rest.First = last + 1
	}
}

func scanID(rows *sql.Rows) (any, error) {
	var id number
	err := rows.Scan(&id)
	return check.SiteID(id), err
}

// misplaced reads a batch of rows, with those of buckets that do not exist: no shard has them.
func (s *Store) misplaced(ctx context.Context, span record.Span, shards []shard.ID) ([]place, error) {
	// Adding 0 keeps the engine from the index on buckets.
	in, buckets := inShards("l.bucket_no + 0", shards)
	if in == "" {
		return nil, nil
	}
	in = fmt.Sprintf("(%s OR l.bucket_no + 0 NOT BETWEEN 0 AND %d)", in, check.Buckets-1)
	args := append(append([]any{span.First, span.Last}, buckets...), maxRows)
	return list(ctx, s.reader, func(rows *sql.Rows) (p place, err error) {
		var id, known, status, changed number
		var url, knownURL text
		err = rows.Scan(&id, &url, &known, &knownURL, &status, &changed)
		return place{check.SiteID(id), string(url), rowStanding{int64(status), int64(changed)}, known != 0, string(knownURL)}, err
	}, strings.NewReplacer("{in}", in, "{url}", s.dsn.dialect.rowURL, "{changed}", s.dsn.dialect.rowChanged).Replace(misplaced), args...)
}

// index writes entries. It leaves one alone that another has made or changed since its row was
// read: that one is of a newer URL, or the next IndexHosts finds that it is not. A transaction
// that meets one that another has made is divided: to read again and begin anew might never end
// while edits through us come fast.
func (s *Store) index(ctx context.Context, places []place) error {
	err := s.transact(ctx, s.editor, func(t txn) error { return t.index(places) })
	switch {
	case err == nil || !s.isDuplicate(err):
		return err
	case len(places) == 1:
		return nil
	}
	half := len(places) / 2
	if err := s.index(ctx, places[:half]); err != nil {
		return err
	}
	return s.index(ctx, places[half:])
}

// index writes entries, all or none.
func (t txn) index(places []place) error {
	var missing [][]any
	for _, p := range places {
		e := p.entry()
		if !p.known {
			missing = append(missing, e)
			continue
		}
		const change = "UPDATE jetmon_site_hosts SET host = ?, page = ?, url = ?, row_status = ?, row_changed = ? WHERE site_id = ? AND url = ?"
		if _, err := t.exec(change, append(e[1:], p.id, p.knownURL)...); err != nil {
			return err
		}
	}
	return t.insertRows(insertHost, missing)
}

// setHost writes the entry of a site with the edit that gives it a URL.
func (s *Store) setHost(t txn, id check.SiteID, url string) error {
	e := place{id: id, url: url, standing: freshRow()}.entry()
	n, err := t.exec("UPDATE jetmon_site_hosts SET host = ?, page = ?, url = ? WHERE site_id = ?", e[1], e[2], e[3], id)
	if err != nil || n > 0 {
		return err
	}
	if err = t.insertRows(insertHost, [][]any{e}); s.isDuplicate(err) {
		return fmt.Errorf("another has indexed site %d first: %w", id, errMoved)
	}
	return err
}

// HostsIndexed implements store.Sites.
func (s *Store) HostsIndexed(ctx context.Context, shards []shard.ID, at time.Time) error {
	ids := make([]any, len(shards))
	for i, id := range shards {
		ids[i] = id
	}
	err := inParts(ids, func(part []any) error {
		return s.write(ctx, func(t txn) error {
			_, err := t.exec("UPDATE jetmon_shards SET hosts_ms = ? WHERE hosts_ms = 0 AND shard IN "+marks(len(part)), append([]any{toMillis(at)}, part...)...)
			return err
		})
	})
	if err != nil {
		return s.fault("note that hosts are indexed", err)
	}
	return nil
}

// unindexed lists the shards that IndexHosts has not been through. Once it has been through
// all, it never asks again.
func (s *Store) unindexed(ctx context.Context) (missing []shard.ID, err error) {
	if s.allIndexed.Load() {
		return nil, nil
	}
	done, err := list(ctx, s.reader, scanID, "SELECT shard FROM jetmon_shards WHERE hosts_ms > 0")
	if err != nil {
		return nil, s.fault("read which hosts are indexed", err)
	}
	var has [shard.Count]bool
	for _, id := range done {
		if i := id.(check.SiteID); i >= 0 && i < shard.Count {
			has[i] = true
		}
	}
	for id := range shard.ID(shard.Count) {
		if !has[id] {
			missing = append(missing, id)
		}
	}
	s.allIndexed.Store(len(missing) == 0)
	return missing, nil
}

// turns lets few callers at once do what costs the database much.
type turns chan struct{}

var errNoTurn = errors.New("the database is busy with other searches")

func (t turns) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.New(fault.Exhausted, "%w", errNoTurn)
	}
}

func (t turns) free() { <-t }
