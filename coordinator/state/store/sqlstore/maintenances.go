package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/fault"
)

const maintenanceQuery = `SELECT m.id, m.name, m.reason, m.site_id, m.tag, m.host, m.port, m.start_ms, m.duration_ms, m.rule, m.zone,
	m.cut_ms, m.creator, m.created_ms, m.updated_ms, m.revision FROM jetmon_maintenances m`

func scanMaintenance(rows *sql.Rows) (m record.Maintenance, err error) {
	var start, length, cut, created, updated int64
	err = rows.Scan(&m.ID, &m.Name, &m.Reason, &m.Covers.SiteID, &m.Covers.Tag, &m.Covers.Host.Host, &m.Covers.Host.Port, &start, &length,
		&m.Rule, &m.Zone, &cut, &m.Creator, &created, &updated, &m.Revision)
	m.Start, m.Duration, m.Cut = fromMillis(start), time.Duration(length)*time.Millisecond, fromMillis(cut)
	m.Created, m.Updated = fromMillis(created), fromMillis(updated)
	return m, err
}

// valuesOf returns what can be edited of a maintenance, in the order of setMaintenance.
func valuesOf(m record.Maintenance) []any {
	return []any{m.Name, m.Reason, m.Covers.SiteID, m.Covers.Tag, m.Covers.Host.Host, m.Covers.Host.Port, toMillis(m.Start),
		m.Duration.Milliseconds(), m.Rule, m.Zone, toMillis(m.Cut)}
}

const setMaintenance = `name = ?, reason = ?, site_id = ?, tag = ?, host = ?, port = ?, start_ms = ?, duration_ms = ?, rule = ?, zone = ?, cut_ms = ?`

func noMaintenance(id int64) error {
	return fault.New(fault.NotFound, "there is no maintenance %d", id)
}

// CreateMaintenance implements store.Maintenances.
func (s *Store) CreateMaintenance(ctx context.Context, key store.MaintenanceKey, m record.Maintenance,
	tell func(record.Maintenance) record.Audit) (made record.Maintenance, err error) {
	var hash any
	if key.Hash != [32]byte{} {
		hash = hex.EncodeToString(key.Hash[:])
	}
	request := hex.EncodeToString(key.Request[:])
	err = s.edit(ctx, func(t txn) error {
		made = m
		if err := s.countEdit(t); err != nil {
			return err
		}
		if hash != nil {
			var id int64
			var asked string
			found, err := t.find([]any{&id, &asked}, "SELECT id, request_hash FROM jetmon_maintenances WHERE key_hash = ?", hash)
			switch {
			case err != nil:
				return err
			case found && asked != request:
				return fault.InvalidField("idempotency_key", "was used for another maintenance, %d", id)
			case found:
				made, err = t.maintenance(id)
				return err
			}
		}
		var count int
		if _, err := t.find([]any{&count}, "SELECT COUNT(*) FROM jetmon_maintenances"); err != nil {
			return err
		}
		if count >= store.MaxMaintenances {
			return fault.New(fault.Fenced, "there are %d maintenances, which is the most; delete some that are over", count)
		}
		made.Revision, made.Creator = 1, clip(m.Creator, maxName)
		values := append(valuesOf(made), made.Creator, toMillis(m.Created), toMillis(m.Created), 1, hash, request)
		id, err := t.insert(`INSERT INTO jetmon_maintenances (name, reason, site_id, tag, host, port, start_ms, duration_ms, rule, zone, cut_ms,
	creator, created_ms, updated_ms, revision, key_hash, request_hash) VALUES `+marks(len(values)), values...)
		if err != nil {
			return err
		}
		made.ID, made.Created, made.Updated = id, fromMillis(toMillis(m.Created)), fromMillis(toMillis(m.Created))
		return keepAudit(t, tell(made))
	})
	if err != nil {
		return record.Maintenance{}, s.fault("create a maintenance", err)
	}
	return made, nil
}

// maintenance reads one in a transaction.
func (t txn) maintenance(id int64) (record.Maintenance, error) {
	rows, err := t.tx.QueryContext(t.ctx, maintenanceQuery+" WHERE m.id = ?", id)
	if err != nil {
		return record.Maintenance{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return record.Maintenance{}, err
		}
		return record.Maintenance{}, noMaintenance(id)
	}
	return scanMaintenance(rows)
}

// Maintenance implements store.Maintenances.
func (s *Store) Maintenance(ctx context.Context, id int64) (record.Maintenance, error) {
	found, err := list(ctx, s.reader, scanMaintenance, maintenanceQuery+" WHERE m.id = ?", id)
	if err != nil {
		return record.Maintenance{}, s.fault(fmt.Sprintf("read maintenance %d", id), err)
	}
	if len(found) == 0 {
		return record.Maintenance{}, noMaintenance(id)
	}
	return found[0], nil
}

// ListMaintenances implements store.Maintenances.
func (s *Store) ListMaintenances(ctx context.Context, q store.MaintenanceQuery) ([]record.Maintenance, error) {
	if q.Limit < 1 || q.Limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, q.Limit)
	}
	where, args := []string{"m.id > ?"}, []any{q.After}
	var fits []string
	if q.SiteID != 0 {
		fits, args = append(fits, "m.site_id = ?"), append(args, q.SiteID)
	}
	if len(q.Tags) > 0 {
		fits = append(fits, "m.tag IN "+marks(len(q.Tags)))
		for _, tag := range q.Tags {
			args = append(args, tag)
		}
	}
	if q.Host != "" {
		fits, args = append(fits, "m.host = ?"), append(args, q.Host)
	}
	if len(fits) > 0 {
		where = append(where, "("+strings.Join(fits, " OR ")+")")
	}
	if len(q.Blogs) > 0 {
		where = append(where, "EXISTS (SELECT 1 FROM jetpack_monitor_sites l WHERE l.jetpack_monitor_site_id = m.site_id AND l.blog_id IN "+marks(len(q.Blogs))+")")
		for _, b := range q.Blogs {
			args = append(args, b)
		}
	}
	found, err := list(ctx, s.reader, scanMaintenance, maintenanceQuery+" WHERE "+strings.Join(where, " AND ")+" ORDER BY m.id LIMIT ?", append(args, q.Limit)...)
	if err != nil {
		return nil, s.fault("read maintenances", err)
	}
	return found, nil
}

// UpdateMaintenance implements store.Maintenances.
func (s *Store) UpdateMaintenance(ctx context.Context, id int64, edit func(record.Maintenance) (record.Maintenance, error),
	tell func(before, after record.Maintenance) record.Audit) (after record.Maintenance, err error) {
	var refused error
	err = s.edit(ctx, func(t txn) error {
		refused = nil
		if err := s.countEdit(t); err != nil {
			return err
		}
		before, err := t.maintenance(id)
		if err != nil {
			return err
		}
		if after, refused = edit(before); refused != nil {
			return refused
		}
		after.ID, after.Revision, after.Creator, after.Created, after.Updated = id, before.Revision, before.Creator, before.Created, before.Updated
		if slices.Equal(valuesOf(after), valuesOf(before)) {
			return nil
		}
		after.Revision++
		after.Updated = fromMillis(toMillis(time.Now()))
		args := append(valuesOf(after), toMillis(after.Updated), after.Revision, id)
		if err := t.update(1, "UPDATE jetmon_maintenances SET "+setMaintenance+", updated_ms = ?, revision = ? WHERE id = ?", args...); err != nil {
			return err
		}
		return keepAudit(t, tell(before, after))
	})
	switch {
	case refused != nil:
		return record.Maintenance{}, refused
	case err != nil:
		return record.Maintenance{}, s.fault(fmt.Sprintf("edit maintenance %d", id), err)
	}
	return after, nil
}

// DeleteMaintenance implements store.Maintenances.
func (s *Store) DeleteMaintenance(ctx context.Context, id int64, allow func(record.Maintenance) error, tell func(record.Maintenance) record.Audit) error {
	var refused error
	err := s.edit(ctx, func(t txn) error {
		refused = nil
		if err := s.countEdit(t); err != nil {
			return err
		}
		m, err := t.maintenance(id)
		if err != nil {
			return err
		}
		if allow != nil {
			if refused = allow(m); refused != nil {
				return refused
			}
		}
		if err := t.update(1, "DELETE FROM jetmon_maintenances WHERE id = ?", id); err != nil {
			return err
		}
		return keepAudit(t, tell(m))
	})
	switch {
	case refused != nil:
		return refused
	case err != nil:
		return s.fault(fmt.Sprintf("delete maintenance %d", id), err)
	}
	return nil
}

// forgetMaintenances deletes the maintenances of sites that are gone.
func (s *Store) forgetMaintenances(t txn, sites ...any) error {
	found, err := t.ids("SELECT id FROM jetmon_maintenances WHERE site_id IN "+marks(len(sites)), sites...)
	if err != nil || len(found) == 0 {
		return err
	}
	if err := s.countEdit(t); err != nil {
		return err
	}
	return t.remove("DELETE FROM jetmon_maintenances WHERE id IN ", found)
}
