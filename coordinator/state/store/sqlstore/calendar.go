package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
)

// almanac keeps the calendar of maintenances in memory, and makes a new one when the table has
// been edited or the calendar is old.
type almanac struct {
	mu sync.Mutex
	// edits is the count of edits of which calendar is; calendar is nil at first.
	edits    int64
	calendar *maintenance.Calendar
	// plans are those of calendar, by id.
	plans map[int64]*maintenance.Plan
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Calendar implements store.Maintenances.
func (s *Store) Calendar(ctx context.Context, now time.Time) (*maintenance.Calendar, error) {
	c, err := s.calendar(ctx, s.reader, now)
	if err != nil {
		return nil, s.fault("read the maintenances", err)
	}
	return c, nil
}

// calendar returns the calendar as the querier sees the table.
func (s *Store) calendar(ctx context.Context, q querier, now time.Time) (*maintenance.Calendar, error) {
	edits, err := maintenanceEdits(ctx, q)
	if err != nil {
		return nil, err
	}
	a := &s.almanac
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calendar != nil && a.edits == edits && now.Sub(a.calendar.Made).Abs() < maintenance.Fresh {
		return a.calendar, nil
	}
	plans := a.plans
	if a.calendar == nil || a.edits != edits {
		if plans, err = s.readPlans(ctx, q, a.plans); err != nil {
			return nil, err
		}
	}
	all := make([]*maintenance.Plan, 0, len(plans))
	for _, p := range plans {
		all = append(all, p)
	}
	c := a.calendar
	if c == nil || now.Sub(c.Made).Abs() >= maintenance.Fresh {
		c = maintenance.NewCalendar(now, all)
	} else {
		c = c.With(all)
	}
	if a.calendar == nil || edits >= a.edits { // a transaction may see an older state
		a.edits, a.plans, a.calendar = edits, plans, c
	}
	return c, nil
}

// readPlans reads all maintenances, of which some are known.
func (s *Store) readPlans(ctx context.Context, q querier, known map[int64]*maintenance.Plan) (map[int64]*maintenance.Plan, error) {
	rows, err := q.QueryContext(ctx, maintenanceQuery)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	plans := map[int64]*maintenance.Plan{}
	for rows.Next() {
		m, err := scanMaintenance(rows)
		if err != nil {
			return nil, err
		}
		if p := known[m.ID]; p != nil && p.Revision == m.Revision {
			plans[m.ID] = p
			continue
		}
		p, err := maintenance.NewPlan(m)
		if err != nil {
			s.log.Error("maintenance unreadable, failures are told", "maintenance_id", m.ID, "error", err)
			continue
		}
		plans[m.ID] = p
	}
	return plans, rows.Err()
}

const maintenanceEditsQuery = "SELECT edits FROM jetmon_maintenance_edits WHERE id = 1"

// maintenanceEdits returns how often the table of maintenances was edited.
func maintenanceEdits(ctx context.Context, q querier) (edits int64, err error) {
	err = q.QueryRowContext(ctx, maintenanceEditsQuery).Scan(&edits)
	if err == sql.ErrNoRows { //nolint:errorlint // Scan returns it as it is
		return 0, nil
	}
	return edits, err
}

// countEdit counts an edit of the table of maintenances. It comes first in a transaction: edits
// come one after the other, and each sees those before it.
func (s *Store) countEdit(t txn) error {
	var edits int64
	found, err := t.find([]any{&edits}, maintenanceEditsQuery)
	if err != nil {
		return err
	}
	if found {
		return t.update(1, "UPDATE jetmon_maintenance_edits SET edits = edits + 1 WHERE id = 1 AND edits = ?", edits)
	}
	_, err = t.exec("INSERT INTO jetmon_maintenance_edits (id, edits) VALUES (1, 1)")
	if err != nil && s.isDuplicate(err) {
		return fmt.Errorf("another has edited the maintenances first: %w", errMoved)
	}
	return err
}

// spansText writes spans as jetmon_outages has them.
func spansText(spans []uptime.Span) string {
	parts := make([]string, len(spans))
	for i, s := range spans {
		parts[i] = strconv.FormatInt(toMillis(s.Start), 10) + "-" + strconv.FormatInt(toMillis(s.End), 10)
	}
	return strings.Join(parts, ",")
}

// parseSpans reads them again. It leaves out what it cannot read.
func parseSpans(text string) (spans []uptime.Span) {
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, _ := strings.Cut(part, "-")
		start, end := int64(parseNumber(from)), int64(parseNumber(to))
		if start > 0 && end > start {
			spans = append(spans, uptime.Span{Start: fromMillis(start), End: fromMillis(end)})
		}
	}
	return spans
}
