package sqlstore

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxRequestID bounds the id of a request.
const maxRequestID = 128

const insertAudit = "INSERT INTO jetmon_audit (at_ms, caller, method, resource, before_json, after_json, request_id) VALUES "

// keepAudit adds a record to the audit trail, in the transaction of what it is about.
func keepAudit(t txn, a record.Audit) error { return t.insertRows(insertAudit, [][]any{auditRow(a)}) }

// auditRow returns the columns of insertAudit.
func auditRow(a record.Audit) []any {
	return []any{toMillis(a.At), clip(a.Caller, maxName), clip(a.Method, maxName), a.Resource, a.Before, a.After, clip(a.RequestID, maxRequestID)}
}

// testify keeps what the witness of the context says of an edit, if there is one.
func (t txn) testify(before, after *record.Site) error {
	if w := store.WitnessOf(t.ctx); w != nil {
		return keepAudit(t, w(before, after))
	}
	return nil
}

// ListAudit implements store.Access.
func (s *Store) ListAudit(ctx context.Context, q store.AuditQuery) ([]record.Audit, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, q.Limit)
	}
	where, args := []string{"1 = 1"}, []any(nil)
	if q.Before.ID != 0 {
		at := toMillis(q.Before.At)
		where, args = append(where, "at_ms <= ? AND (at_ms < ? OR id < ?)"), append(args, at, at, q.Before.ID)
	}
	if q.Resource != "" {
		where, args = append(where, "resource = ?"), append(args, q.Resource)
	}
	// The ids come first, from an index alone: of the rows of a page an engine might rather sort all.
	found, err := list(ctx, s.reader, scanAudit, `SELECT a.id, a.at_ms, a.caller, a.method, a.resource, a.before_json, a.after_json, a.request_id
	FROM (SELECT id FROM jetmon_audit WHERE `+strings.Join(where, " AND ")+` ORDER BY at_ms DESC, id DESC LIMIT ?) p
	JOIN jetmon_audit a ON a.id = p.id ORDER BY a.at_ms DESC, a.id DESC`, append(args, q.Limit)...)
	if err != nil {
		return nil, s.fault("read the audit trail", err)
	}
	return found, nil
}

func scanAudit(rows *sql.Rows) (a record.Audit, err error) {
	var at int64
	err = rows.Scan(&a.ID, &at, &a.Caller, &a.Method, &a.Resource, &a.Before, &a.After, &a.RequestID)
	a.At = fromMillis(at)
	return a, err
}

// ExpireAudit implements store.Access.
func (s *Store) ExpireAudit(ctx context.Context, before time.Time, limit int) (n int, err error) {
	if limit < 1 || limit > maxExpire {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxExpire, limit)
	}
	err = s.write(ctx, func(t txn) error {
		ids, err := t.ids("SELECT id FROM jetmon_audit WHERE at_ms < ? ORDER BY at_ms, id LIMIT ?", toMillis(before), limit)
		if err != nil {
			return err
		}
		n = len(ids)
		return t.remove("DELETE FROM jetmon_audit WHERE id IN ", ids)
	})
	if err != nil {
		return 0, s.fault("expire the audit trail", err)
	}
	return n, nil
}
