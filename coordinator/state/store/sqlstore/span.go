package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// digestsQuery computes the two halves of the digests of a span, by shard. In a hashed text,
// a column that can contain a separator comes last, and one that can be NULL, which CONCAT_WS
// leaves out, has a text of its own. Hashes are of bytes: no collation equates two URLs. The
// span is repeated for each table, because one id is signed and the other is not, and no
// engine infers the condition across the join.
const digestsQuery = `SELECT l.bucket_no DIV {size} AS shard, 0, {rows}, COUNT(*) FROM jetpack_monitor_sites l
	WHERE l.jetpack_monitor_site_id BETWEEN ? AND ? AND l.bucket_no DIV {size} IN ({shards}) AND l.monitor_active = 1
	GROUP BY shard
	UNION ALL
	SELECT l.bucket_no DIV {size} AS shard, 1, {settings}, COUNT(*) FROM jetpack_monitor_sites l
	JOIN jetmon_site_settings s ON s.site_id = l.jetpack_monitor_site_id
	WHERE l.jetpack_monitor_site_id BETWEEN ? AND ? AND s.site_id BETWEEN ? AND ?
	AND l.bucket_no DIV {size} IN ({shards}) AND l.monitor_active = 1
	GROUP BY shard`

const (
	digestedRow = `CONCAT_WS('/', l.jetpack_monitor_site_id, l.bucket_no, COALESCE(l.blog_id, ''),
	COALESCE(l.check_interval, ''), COALESCE(l.monitor_url, ''))`
	digestedSettings = "CONCAT_WS('/', s.site_id, s.settings)"
)

// spanDigests returns digestsQuery with fold, an aggregate that makes an int64 of the texts %s
// of many rows: no two texts may cancel out, nor swap values, without a change of the result.
// The caller fills in the shards.
func spanDigests(fold string) string {
	return strings.NewReplacer("{size}", strconv.Itoa(shard.BucketsPer),
		"{rows}", fmt.Sprintf(fold, digestedRow), "{settings}", fmt.Sprintf(fold, digestedSettings)).Replace(digestsQuery)
}

// rowReader runs a query and passes on its rows, as each does.
type rowReader func(ctx context.Context, query string, args []int64, f func([]driver.Value) error) error

// ReadSpan implements store.Sites.
func (s *Store) ReadSpan(ctx context.Context, span record.Span, known map[shard.ID]store.Digest) (store.SpanRead, error) {
	if span.First < 1 || span.First > span.Last || len(known) == 0 {
		return store.SpanRead{}, fault.New(fault.Invalid, "sites %d to %d of %d shards are none", span.First, span.Last, len(known))
	}
	look := s.readEdited
	if s.dsn.dialect.digests == "" {
		look = s.readWhole
	}
	read, err := look(ctx, span, known)
	if err != nil {
		return store.SpanRead{}, s.fault(fmt.Sprintf("read the sites %d to %d", span.First, span.Last), err)
	}
	return read, nil
}

// readWhole is ReadSpan on engines without digests.
func (s *Store) readWhole(ctx context.Context, span record.Span, known map[shard.ID]store.Digest) (read store.SpanRead, err error) {
	read.Digests = make(map[shard.ID]store.Digest, len(known))
	read.Changed = slices.Sorted(maps.Keys(known))
	for _, id := range read.Changed {
		read.Digests[id] = 0
	}
	rows, err := s.readSpan(ctx, s.each, span, read.Changed)
	if err != nil {
		return read, err
	}
	wanted := func(x record.Site) bool { return !x.Paused && slices.Contains(read.Changed, shard.Of(x.Bucket)) }
	err = s.handOver(ctx, rows, wanted, func(part []record.Site) error {
		read.Sites = append(read.Sites, part...)
		return nil
	})
	read.Rows = len(read.Sites)
	return read, err
}

// readEdited is ReadSpan on engines with digests. All rows are from one moment, so none is
// doubtful: another program has called a site down that has no open outage.
func (s *Store) readEdited(ctx context.Context, span record.Span, known map[shard.ID]store.Digest) (read store.SpanRead, err error) {
	err = s.snapshot(ctx, func(each rowReader) (err error) {
		if read, err = s.digest(ctx, each, span, known); err != nil || len(read.Changed) == 0 {
			return err
		}
		rows, err := s.readSpan(ctx, each, span, read.Changed)
		read.Sites = make([]record.Site, len(rows))
		for i := range rows {
			read.Sites[i] = s.site(&rows[i])
		}
		return err
	})
	return read, err
}

// digest reads the digests of a span and compares them with the known ones.
func (s *Store) digest(ctx context.Context, each rowReader, span record.Span, known map[shard.ID]store.Digest) (store.SpanRead, error) {
	shards := slices.Sorted(maps.Keys(known))
	read := store.SpanRead{Digests: make(map[shard.ID]store.Digest, len(known))}
	halves := map[shard.ID][4]int64{} // two folds, each with its number of rows
	first, last := int64(span.First), int64(span.Last)
	query := strings.ReplaceAll(s.dsn.dialect.digests, "{shards}", listOf(shards))
	err := each(ctx, query, []int64{first, last, first, last, first, last}, func(v []driver.Value) error {
		var id, half, folded, count number
		err := errors.Join(id.Scan(v[0]), half.Scan(v[1]), folded.Scan(v[2]), count.Scan(v[3]))
		h := halves[shard.ID(id)]
		h[2*half], h[2*half+1] = int64(folded), int64(count)
		halves[shard.ID(id)] = h
		return err
	})
	for _, id := range shards {
		read.Rows += int(halves[id][1])
		read.Digests[id] = digestOf(halves[id])
		if known[id] != read.Digests[id] {
			read.Changed = append(read.Changed, id)
		}
	}
	return read, err
}

// digestOf combines the halves of a digest. It never returns 0.
func digestOf(halves [4]int64) store.Digest {
	var all []byte
	for _, n := range halves {
		all = binary.BigEndian.AppendUint64(all, uint64(n))
	}
	sum := sha256.Sum256(all)
	return store.Digest(binary.BigEndian.Uint64(sum[:]) | 1)
}

func listOf(shards []shard.ID) string {
	var list []string
	for _, s := range shards {
		list = append(list, strconv.Itoa(int(s)))
	}
	return strings.Join(list, ", ")
}

// readSpan reads the active rows of some shards in a span.
func (s *Store) readSpan(ctx context.Context, each rowReader, span record.Span, shards []shard.ID) ([]siteRow, error) {
	const size = shard.BucketsPer
	after, last := int64(span.First)-1, int64(span.Last)
	rows, err := s.readRows(ctx, each, nil, pageRows, after, last,
		int64(slices.Min(shards))*size, int64(slices.Max(shards))*size+size-1, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r siteRow) bool {
		return !slices.Contains(shards, shard.Of(check.BucketID(r.bucket)))
	})
	if len(rows) == 0 {
		return nil, nil
	}
	extras, err := s.readExtras(ctx, each, pageExtras, int64(rows[0].id), int64(rows[len(rows)-1].id))
	s.join(rows, extras)
	return rows, err
}

// snapshot calls f with a rowReader that sees the database as of one moment.
func (s *Store) snapshot(ctx context.Context, f func(rowReader) error) error {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tx, err := s.beginSnapshot(ctx, conn)
	if err != nil {
		return err
	}
	err = f(func(ctx context.Context, query string, args []int64, f func([]driver.Value) error) error {
		return each(ctx, conn, query, args, f)
	})
	if end := tx.Rollback(); err == nil {
		err = end
	}
	return err
}

// beginSnapshot begins a read transaction, declared read-only where the server accepts that,
// which saves it some work.
func (s *Store) beginSnapshot(ctx context.Context, conn *sql.Conn) (*sql.Tx, error) {
	o := sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: !s.notReadOnly.Load()}
	tx, err := conn.BeginTx(ctx, &o)
	if err != nil && o.ReadOnly && s.dsn.dialect.classify(err) == foreign {
		if !s.notReadOnly.Swap(true) {
			s.log.Info("the database has no read-only transactions; it is read in others", "error", err)
		}
		o.ReadOnly = false
		tx, err = conn.BeginTx(ctx, &o)
	}
	return tx, err
}

// SpanEnd implements store.Sites.
func (s *Store) SpanEnd(ctx context.Context, after check.SiteID, n int) (id check.SiteID, ok bool, err error) {
	const query = `SELECT l.jetpack_monitor_site_id FROM jetpack_monitor_sites l WHERE l.jetpack_monitor_site_id > ?
	ORDER BY l.jetpack_monitor_site_id LIMIT 1 OFFSET ?`
	var end number
	err = s.each(ctx, query, []int64{int64(after), int64(n) - 1}, func(v []driver.Value) error { return end.Scan(v[0]) })
	if err != nil {
		return 0, false, s.fault(fmt.Sprintf("find the end of %d sites after %d", n, after), err)
	}
	return check.SiteID(end), end != 0, nil // no id that we take is beyond int64
}
