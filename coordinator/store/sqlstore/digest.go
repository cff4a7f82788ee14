package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/Automattic/jetmon/internal/check"
)

// The two halves of a digest. In a text, what can hold a separator comes last, and what
// could be NULL, which CONCAT_WS leaves out, is a text of its own. Hashes are of bytes:
// no collation takes one URL for another.
const digestQuery = `SELECT COUNT(*), {rows} FROM jetpack_monitor_sites l
	WHERE l.bucket_no = ? AND l.monitor_active = 1
	UNION ALL
	SELECT COUNT(*), {settings} FROM jetpack_monitor_sites l
	JOIN jetmon_site_settings s ON s.site_id = l.jetpack_monitor_site_id WHERE l.bucket_no = ? AND l.monitor_active = 1`

const (
	digestedRow      = "CONCAT_WS('/', 0, l.jetpack_monitor_site_id, COALESCE(l.blog_id, ''), COALESCE(l.check_interval, ''), COALESCE(l.monitor_url, ''))"
	digestedSettings = "CONCAT_WS('/', 1, s.site_id, s.settings)"
)

// BucketDigest implements store.Sites. Both halves come from one statement, hence from
// one moment.
func (s *Store) BucketDigest(ctx context.Context, bucket check.BucketID) (digest uint64, ok bool, err error) {
	fold := s.dsn.dialect.digest
	if fold == "" {
		return 0, false, nil
	}
	query := strings.NewReplacer("{rows}", fmt.Sprintf(fold, digestedRow), "{settings}", fmt.Sprintf(fold, digestedSettings)).
		Replace(digestQuery)
	rows, err := s.reader.QueryContext(ctx, query, bucket, bucket)
	if err != nil {
		return 0, false, s.fault(fmt.Sprintf("digest bucket %d", bucket), err)
	}
	defer rows.Close()
	var parts []byte
	for rows.Next() {
		var count, folded uint64
		if err := rows.Scan(&count, &folded); err != nil {
			return 0, false, s.fault(fmt.Sprintf("digest bucket %d", bucket), err)
		}
		parts = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(parts, count), folded)
	}
	if err := rows.Err(); err != nil {
		return 0, false, s.fault(fmt.Sprintf("digest bucket %d", bucket), err)
	}
	sum := sha256.Sum256(parts)
	return binary.BigEndian.Uint64(sum[:]), true, nil
}
