package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/uptime"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const (
	// maxGroup bounds one transaction of CommitAll, which holds the lock of its shard.
	maxGroup = 200
	// maxRuns bounds the attempts at a group that conflicts with other writers.
	maxRuns = 5
)

// errMoved means that a row has changed since the transaction read it.
var errMoved = errors.New("a row has changed since it was read")

// CommitAll implements store.History.
//
// It does not look for existing keys first: a change that was already committed meets a
// later status, a lost fence or its own key, so that looking afterwards is enough. That also
// serves a caller whose first attempt is still under way, or whose answer was lost together
// with the shard.
func (s *Store) CommitAll(ctx context.Context, f shard.Fence, cs []record.Change) ([]store.CommitResult, error) {
	results := make([]store.CommitResult, len(cs))
	group, err := prepare(f, cs, results)
	if err != nil {
		return nil, err
	}
	doing := fmt.Sprintf("commit %d changes of shard %d", len(cs), f.Shard)
	for run := 1; len(group) > 0; run++ {
		err := s.write(ctx, func(t txn) error { return s.commit(t, f, group) })
		switch {
		case err == nil:
			if _, err := s.settle(ctx, refused(group)); err != nil {
				return nil, s.fault(doing, err)
			}
			return results, nil
		case fault.Is(err, fault.Fenced):
			unknown, lookErr := s.settle(ctx, group)
			if lookErr != nil || len(unknown) > 0 {
				return nil, s.fault(doing, errors.Join(lookErr, err))
			}
			return results, nil
		case s.dsn.dialect.classify(err) == unfit && len(group) > 1:
			if err := s.commitEach(ctx, f, group); err != nil {
				return nil, err
			}
			return results, nil
		case run == maxRuns || !s.isDuplicate(err) && !errors.Is(err, errMoved):
			return nil, s.fault(doing, err)
		}
		// The other writer has committed: its keys are there, and the next run reads its rows.
		if group, err = s.settle(ctx, group); err != nil {
			return nil, s.fault(doing, err)
		}
	}
	return results, nil
}

// commitEach commits changes one by one after one of them had a value that does not fit its
// column: the engine reports that for the statement, not for a row.
func (s *Store) commitEach(ctx context.Context, f shard.Fence, group []*entry) error {
	for _, e := range group {
		one, err := s.CommitAll(ctx, f, []record.Change{e.Change})
		switch {
		case err == nil:
			*e.result = one[0]
		case fault.Is(err, fault.Invalid):
			e.refuse(err)
		default:
			return err
		}
	}
	return nil
}

// entry is one change of a group in progress.
type entry struct {
	record.Change
	text   encoded
	result *store.CommitResult
	// row is the site's row, zero if there is none or it is not active. was is the status
	// that the change must start from.
	row siteRow
	was standing
	// silent means that the change gets no notification, withdrawn that earlier notifications
	// of the site were withdrawn.
	silent, withdrawn bool
	// outdated is the site's open outage if that is of another URL; 0 otherwise.
	outdated int64
	// open is the site's open outage of this URL. opened means that this transaction opened it. ballot
	// is the ballot that this transaction wrote.
	open   outageRef
	opened bool
	ballot int64
	// window is the maintenance in which the change happens, hushed the one because of which nobody
	// is told; 0 for none. began is that during which the open outage began, and spans are
	// when the site was in maintenance during an outage that ends.
	window, hushed, began int64
	spans                 []uptime.Span
	// tags are those of the site.
	tags []string
	// place is the change's place in the order of its site's changes.
	place placing
	// event is what others may be told of the change.
	event event.Event
}

// outageRef is the open outage of a site; its id is 0 when there is none.
type outageRef struct {
	id     int64
	status check.Status
}

// adopts reports whether the change opens an outage of an inherited status.
func (e *entry) adopts() bool { return e.From == e.To }

// statusSince is when the status of the change began, in milliseconds.
func (e *entry) statusSince() int64 {
	if e.adopts() && !e.Since.IsZero() {
		return toMillis(e.Since)
	}
	return toMillis(e.At)
}

// refuse sets the error of a change.
func (e *entry) refuse(err error) {
	*e.result = store.CommitResult{Err: fmt.Errorf("commit status %d of site %d: %w", e.To, e.SiteID, err)}
}

func (e *entry) conflict(format string, args ...any) {
	e.refuse(fault.New(fault.Conflict, format, args...))
}

// refused returns the entries that got an error.
func refused(group []*entry) (out []*entry) {
	for _, e := range group {
		if e.result.Err != nil {
			out = append(out, e)
		}
	}
	return out
}

// prepare returns entries for the valid changes, and sets the errors of the others.
func prepare(f shard.Fence, cs []record.Change, results []store.CommitResult) ([]*entry, error) {
	if len(cs) > maxGroup {
		return nil, fault.New(fault.Invalid, "a group has at most %d changes, not %d", maxGroup, len(cs))
	}
	group := make([]*entry, 0, len(cs))
	sites, keys := make(map[check.SiteID]bool, len(cs)), make(map[string]bool, len(cs))
	for i, c := range cs {
		if shard.Of(c.Bucket) != shard.Of(cs[0].Bucket) {
			return nil, fault.New(fault.Invalid, "buckets %d and %d are not in one shard", cs[0].Bucket, c.Bucket)
		}
		if sites[c.SiteID] || keys[c.Key] {
			return nil, fault.New(fault.Invalid, "site %d or key %q is in the group twice", c.SiteID, c.Key)
		}
		sites[c.SiteID], keys[c.Key] = true, true
		e := &entry{Change: c, result: &results[i]}
		err := checkChange(c)
		if err == nil {
			if err := checkFence(f, c.Bucket); err != nil {
				return nil, err
			}
			e.text, err = encodeChange(c)
		}
		if err != nil {
			e.refuse(err)
			continue
		}
		group = append(group, e)
	}
	return group, nil
}

// checkChange refuses changes that are invalid in every state of the database.
func checkChange(c record.Change) error {
	if len(c.Key) < 1 || len(c.Key) > 64 {
		return fault.New(fault.Invalid, "the key of a change must have from 1 to 64 bytes, has %d", len(c.Key))
	}
	for i := range len(c.Key) {
		if c.Key[i] <= ' ' || c.Key[i] > '~' {
			return fault.New(fault.Invalid, "the key of a change must be printable ASCII, is %q", c.Key)
		}
	}
	if c.SiteID <= 0 {
		return fault.New(fault.Invalid, "a change needs a site")
	}
	up, down, confirmed := check.StatusRunning, check.StatusDown, check.StatusConfirmedDown
	switch [2]check.Status{c.From, c.To} {
	case [2]check.Status{up, down}, [2]check.Status{down, confirmed}, [2]check.Status{down, up}, [2]check.Status{confirmed, up},
		[2]check.Status{down, down}, [2]check.Status{confirmed, confirmed}:
		return nil
	default:
		return fault.New(fault.Invalid, "a site does not go from status %d to %d", c.From, c.To)
	}
}

// checkFence refuses a fence that cannot be the bucket's.
func checkFence(f shard.Fence, bucket check.BucketID) error {
	if f.Node == "" || f.Shard != shard.Of(bucket) {
		return fault.New(fault.Fenced, "%q with shard %d does not own bucket %d", f.Node, f.Shard, bucket)
	}
	return nil
}

// settle sets the results of changes whose key exists: the first result, or AlreadyExists
// when the key belongs to another site. It returns the rest.
func (s *Store) settle(ctx context.Context, group []*entry) (rest []*entry, err error) {
	if len(group) == 0 {
		return nil, nil
	}
	type prior struct {
		key  string
		site check.SiteID
		done record.Committed
	}
	keys := make([]any, len(group))
	for i, e := range group {
		keys[i] = e.Key
	}
	found, err := list(ctx, s.writer, func(rows *sql.Rows) (p prior, err error) {
		err = rows.Scan(&p.key, &p.site, &p.done.OutageID, &p.done.TransitionID, &p.done.Maintenance)
		return p, err
	}, "SELECT change_key, site_id, outage_id, id, maintenance_id FROM jetmon_transitions WHERE change_key IN "+marks(len(keys)), keys...)
	if err != nil {
		return nil, err
	}
	there := make(map[string]prior, len(found))
	for _, p := range found {
		there[p.key] = p
	}
	for _, e := range group {
		switch p, found := there[e.Key]; {
		case !found:
			rest = append(rest, e)
		case p.site == e.SiteID:
			*e.result = store.CommitResult{Committed: p.done}
		default:
			e.refuse(fault.New(fault.AlreadyExists, "key %q belongs to another change", e.Key))
		}
	}
	return rest, nil
}
