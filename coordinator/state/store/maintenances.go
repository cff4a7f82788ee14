package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// MaxMaintenances is how many maintenances may be planned at a time, those that are over included.
const MaxMaintenances = 10_000

// Maintenances keeps the plans to work on sites, and knows which sites are in maintenance.
type Maintenances interface {
	// CreateMaintenance adds a plan and the record that tell makes of it; it ignores ID, Revision
	// and Cut. Under a key that made one already, which is still there, it adds nothing and returns
	// that, as it is by now; Invalid when that call asked for something else. Under no key it
	// always adds one. FailedPrecondition when there are MaxMaintenances.
	CreateMaintenance(ctx context.Context, key MaintenanceKey, m record.Maintenance, tell func(record.Maintenance) record.Audit) (record.Maintenance, error)
	// Maintenance reads one plan.
	Maintenance(ctx context.Context, id int64) (record.Maintenance, error)
	// ListMaintenances reads a page by rising id. Fewer than asked for are the end.
	ListMaintenances(ctx context.Context, q MaintenanceQuery) ([]record.Maintenance, error)
	// UpdateMaintenance applies edit to a plan, and returns it as stored then. It adds the record
	// that tell makes, unless nothing changed. It may call both several times, and returns edit's
	// error unchanged.
	UpdateMaintenance(ctx context.Context, id int64, edit func(record.Maintenance) (record.Maintenance, error),
		tell func(before, after record.Maintenance) record.Audit) (record.Maintenance, error)
	// DeleteMaintenance removes a plan and adds the record that tell makes of it. It asks allow
	// first, if that is not nil, perhaps several times, and returns its error unchanged.
	DeleteMaintenance(ctx context.Context, id int64, allow func(record.Maintenance) error, tell func(record.Maintenance) record.Audit) error
	// Calendar returns what is planned for all sites, as the database has it, made for a moment
	// that is close to now. It costs one small read while nothing changes.
	Calendar(ctx context.Context, now time.Time) (*maintenance.Calendar, error)
}

// MaintenanceKey is an idempotency key; zero for none.
type MaintenanceKey struct {
	// Hash is of the caller and of the key, Request of what is asked for.
	Hash, Request [32]byte
}

// MaintenanceQuery selects a page of maintenances. Zero fields do not restrict; of SiteID, Tag and
// Host one fits is enough.
type MaintenanceQuery struct {
	// After is the last id of the previous page.
	After int64
	// Limit is the page's size, 1..10000.
	Limit  int
	SiteID check.SiteID
	Tags   []string
	// Host is a host whatever the port.
	Host string
	// Blogs, when not empty, are those of whose sites each plan must be; plans of tags and hosts
	// are left out.
	Blogs []check.BlogID
}
