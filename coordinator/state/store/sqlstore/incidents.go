package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// maxMembers bounds the members that one transaction writes.
const maxMembers = 1000

// WriteIncident implements store.Incidents.
func (s *Store) WriteIncident(ctx context.Context, f shard.Fence, c incident.Change) error {
	if f.Node == "" || f.Shard != store.IncidentShard {
		return fault.New(fault.Fenced, "%q with shard %d may write no incidents", f.Node, f.Shard)
	}
	members := c.Sites
	for {
		some := members[:min(len(members), maxMembers)]
		members = members[len(some):]
		last := len(members) == 0
		err := s.write(ctx, func(t txn) error { return t.writeIncident(f, c, some, last) })
		if err != nil {
			return s.fault(fmt.Sprintf("write incident %d", c.ID), err)
		}
		if last {
			return nil
		}
	}
}

func (t txn) writeIncident(f shard.Fence, c incident.Change, members []incident.Member, last bool) error {
	if err := fence(t, f); err != nil {
		return err
	}
	examples, err := encode(c.Examples)
	if err != nil {
		return err
	}
	told, toldAt, end := c.Told, toMillis(c.ToldAt), toMillis(c.End)
	if !last {
		// Another process that goes on from here tells of it.
		told, toldAt, end = 0, 0, 0
		if c.Tell != event.IncidentOpened {
			told, toldAt = c.Members, toMillis(c.ToldAt)
		}
	}
	if _, err := t.exec("DELETE FROM jetmon_incidents WHERE id = ?", c.ID); err != nil {
		return err
	}
	if err := t.insertRows("INSERT INTO jetmon_incidents (id, cause, value, start_ms, end_ms, members, down, told, told_ms, examples) VALUES ",
		[][]any{{c.ID, c.Cause, clip(c.Value, 255), toMillis(c.Start), end, c.Members, c.Down, told, toldAt, examples}}); err != nil {
		return err
	}
	if err := t.writeMembers(c.ID, members); err != nil || !last || c.Tell == event.TypeNone {
		return err
	}
	_, err = t.publish(f, []event.Event{c.Event(c.Tell, c.At)})
	return err
}

func (t txn) writeMembers(id int64, members []incident.Member) error {
	if len(members) == 0 {
		return nil
	}
	sites, rows := []any{id}, make([][]any, len(members))
	for i, m := range members {
		down := 0
		if m.Down {
			down = 1
		}
		sites, rows[i] = append(sites, m.Site), []any{id, m.Site, toMillis(m.At), down}
	}
	if _, err := t.exec("DELETE FROM jetmon_incident_members WHERE incident_id = ? AND site_id IN "+marks(len(members)), sites...); err != nil {
		return err
	}
	return t.insertRows("INSERT INTO jetmon_incident_members (incident_id, site_id, at_ms, is_down) VALUES ", rows)
}

const incidentColumns = `SELECT i.id, i.cause, i.value, i.start_ms, i.end_ms, i.members, i.down, i.told, i.told_ms, i.examples
	FROM jetmon_incidents i`

func scanIncident(rows *sql.Rows) (i incident.Incident, err error) {
	var start, end, told int64
	var examples string
	if err := rows.Scan(&i.ID, &i.Cause, &i.Value, &start, &end, &i.Members, &i.Down, &i.Told, &told, &examples); err != nil {
		return i, err
	}
	i.Start, i.End, i.ToldAt = fromMillis(start), fromMillis(end), fromMillis(told)
	i.Examples, err = decode[[]event.Site](examples)
	return i, err
}

func scanMember(rows *sql.Rows) (m incident.Member, err error) {
	var at int64
	err = rows.Scan(&m.Site, &at, &m.Down)
	m.At = fromMillis(at)
	return m, err
}

// RecentIncidents implements store.Incidents. A member that is up in an incident that has ended is of no
// interest.
func (s *Store) RecentIncidents(ctx context.Context, since time.Time) (next int64, all []incident.Written, err error) {
	const doing = "read the incidents that go on"
	found, err := list(ctx, s.writer, scanIncident, incidentColumns+" WHERE i.end_ms = 0 ORDER BY i.id")
	if err != nil {
		return 0, nil, s.fault(doing, err)
	}
	ended, err := list(ctx, s.writer, scanIncident, incidentColumns+" WHERE i.end_ms > ?", toMillis(since))
	if err != nil {
		return 0, nil, s.fault(doing, err)
	}
	found = append(found, ended...)
	slices.SortFunc(found, func(a, b incident.Incident) int { return cmp.Compare(a.ID, b.ID) })
	for _, i := range found {
		w := incident.Written{Incident: i}
		w.Sites, err = list(ctx, s.writer, scanMember,
			"SELECT site_id, at_ms, is_down FROM jetmon_incident_members WHERE incident_id = ? ORDER BY site_id", i.ID)
		if err != nil {
			return 0, nil, s.fault(doing, err)
		}
		all = append(all, w)
	}
	if err := s.writer.QueryRowContext(ctx, "SELECT COALESCE(MAX(id), 0) + 1 FROM jetmon_incidents").Scan(&next); err != nil {
		return 0, nil, s.fault(doing, err)
	}
	return next, all, nil
}

// KeepIncidentPlace implements store.Incidents.
func (s *Store) KeepIncidentPlace(ctx context.Context, f shard.Fence, at event.Positions) error {
	text, err := json.Marshal(at)
	if err != nil {
		return fault.New(fault.Internal, "encode positions: %w", err)
	}
	err = s.write(ctx, func(t txn) error {
		if err := fence(t, f); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM jetmon_incident_place WHERE id = 0"); err != nil {
			return err
		}
		return t.insertRows("INSERT INTO jetmon_incident_place (id, positions) VALUES ", [][]any{{0, string(text)}})
	})
	if err != nil {
		return s.fault("keep the place among the events", err)
	}
	return nil
}

// IncidentPlace implements store.Incidents.
func (s *Store) IncidentPlace(ctx context.Context) (at event.Positions, ok bool, err error) {
	found, err := list(ctx, s.writer, func(rows *sql.Rows) (at event.Positions, err error) {
		var text string
		if err := rows.Scan(&text); err != nil {
			return at, err
		}
		return at, json.Unmarshal([]byte(text), &at)
	}, "SELECT positions FROM jetmon_incident_place WHERE id = 0")
	switch {
	case err != nil:
		return at, false, s.fault("read the place among the events", err)
	case len(found) == 0:
		return at, false, nil
	}
	return found[0], true, nil
}

// Incident implements store.Incidents.
func (s *Store) Incident(ctx context.Context, id int64) (incident.Incident, error) {
	found, err := list(ctx, s.reader, scanIncident, incidentColumns+" WHERE i.id = ?", id)
	if err != nil {
		return incident.Incident{}, s.fault(fmt.Sprintf("read incident %d", id), err)
	}
	if len(found) == 0 {
		return incident.Incident{}, fault.New(fault.NotFound, "there is no incident %d", id)
	}
	return found[0], nil
}

// ListIncidents implements store.Incidents.
func (s *Store) ListIncidents(ctx context.Context, before int64, limit int, openOnly bool) ([]incident.Incident, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, limit)
	}
	where, args := " WHERE i.id > 0", []any{}
	if openOnly {
		where = " WHERE i.end_ms = 0"
	}
	if before > 0 {
		where, args = where+" AND i.id < ?", append(args, before)
	}
	page, err := laxly(ctx, s, scanIncident, incidentColumns+where+" ORDER BY i.id DESC LIMIT ?", append(args, limit)...)
	if err != nil {
		return nil, s.fault("read incidents", err)
	}
	return page, nil
}

// IncidentMembers implements store.Incidents.
func (s *Store) IncidentMembers(ctx context.Context, id int64, after check.SiteID, limit int) ([]incident.Member, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, limit)
	}
	page, err := laxly(ctx, s, scanMember, `SELECT m.site_id, m.at_ms, m.is_down FROM jetmon_incident_members m
	WHERE m.incident_id = ? AND m.site_id > ? ORDER BY m.site_id LIMIT ?`, id, after, limit)
	if err != nil {
		return nil, s.fault(fmt.Sprintf("read the members of incident %d", id), err)
	}
	return page, nil
}

// ExpireIncidents implements store.Incidents. An incident goes when its last member has gone.
func (s *Store) ExpireIncidents(ctx context.Context, before time.Time, limit int) (expired int, err error) {
	if limit < 1 || limit > maxExpire {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxExpire, limit)
	}
	err = s.write(ctx, func(t txn) error {
		expired = 0
		old, err := t.ids("SELECT id FROM jetmon_incidents WHERE end_ms > 0 AND end_ms < ? ORDER BY end_ms, id LIMIT 1", toMillis(before))
		if err != nil || len(old) == 0 {
			return err
		}
		sites, err := t.ids("SELECT site_id FROM jetmon_incident_members WHERE incident_id = ? ORDER BY site_id LIMIT ?", old[0], limit)
		if err != nil {
			return err
		}
		if expired = limit; len(sites) == 0 {
			return t.remove("DELETE FROM jetmon_incidents WHERE id IN ", old)
		}
		_, err = t.exec("DELETE FROM jetmon_incident_members WHERE incident_id = ? AND site_id IN "+marks(len(sites)),
			slices.Concat(old, sites)...)
		return err
	})
	if err != nil {
		return 0, s.fault("expire incidents", err)
	}
	return expired, nil
}
