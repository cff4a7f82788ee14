package sqlstore

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// mayEdit refuses a caller's edit that would write the legacy row of a site in a bucket, where
// that row is not ours to write.
func (s *Store) mayEdit(t txn, bucket check.BucketID) error {
	if s.noEdits {
		return leave("this coordinator only reads jetpack_monitor_sites: start it with --db-updates, or with --db-edits, to have callers edit it")
	}
	if !s.trial {
		return nil
	}
	var taken int64
	id := shard.Of(bucket % check.Buckets)
	if _, err := t.find([]any{&taken}, "SELECT taken_ms FROM jetmon_shards WHERE shard = ?", id); err != nil || taken != 0 {
		return err
	}
	return leave("bucket %d is on trial (--trial), which leaves jetpack_monitor_sites alone until jetmon handover has taken the bucket over", bucket)
}

// leave is the refusal to write the legacy table.
func leave(format string, args ...any) error {
	return fault.New(fault.Fenced, format, args...).With(&errdetails.ErrorInfo{Domain: "jetmon.coordinator", Reason: "SITES_READ_ONLY"})
}
