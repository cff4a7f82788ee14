package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// CreateSite implements store.Sites.
func (s *Store) CreateSite(ctx context.Context, site record.Site) (record.Site, error) {
	c, err := s.newCreation(site)
	if err != nil {
		return record.Site{}, err
	}
	if err := s.edit(ctx, c.run); err != nil {
		return record.Site{}, s.fault("create a site", err)
	}
	return c.site, nil
}

// creation adds a site.
type creation struct {
	*Store
	site     record.Site
	settings string
}

// newCreation refuses a site that cannot be kept.
func (s *Store) newCreation(site record.Site) (*creation, error) {
	if err := checkSite(site); err != nil {
		return nil, err
	}
	if site.Bucket >= check.Buckets {
		return nil, fault.InvalidField("bucket", "must be below %d, is %d", check.Buckets, site.Bucket)
	}
	settings, err := encodeSettings(site)
	if err != nil {
		return nil, err
	}
	if site.Tags, err = checkTags(site.Tags); err != nil {
		return nil, err
	}
	site.Status, site.StatusSince, site.OutageID = check.StatusRunning, time.Time{}, 0
	return &creation{Store: s, site: site, settings: settings}, nil
}

// run is the transaction.
func (c *creation) run(t txn) error {
	if err := c.lockBlog(t, c.site.BlogID); err != nil {
		return err
	}
	return c.add(t)
}

// add is the part of run that has the lock of the site's blog.
func (c *creation) add(t txn) error {
	if err := c.mayEdit(t, c.site.Bucket); err != nil {
		return err
	}
	if err := noOther(t, 0, c.site); err != nil {
		return err
	}
	id, err := t.insert(`INSERT INTO jetpack_monitor_sites
	(blog_id, bucket_no, monitor_url, monitor_active, site_status, last_status_change, check_interval)
	VALUES (?, ?, ?, ?, ?, NULL, ?)`,
		c.site.BlogID, c.site.Bucket, c.site.URL, active(c.site), check.StatusRunning, minutes(c.site))
	if err != nil {
		return err
	}
	c.site.ID = check.SiteID(id)
	if err := c.keepOurs(t, c.site, c.settings); err != nil {
		return err
	}
	if err := t.resetWatch(c.site, time.Now()); err != nil {
		return err
	}
	return t.testify(nil, &c.site)
}

// keepOurs writes what we keep about a new site, in place of what is left of an earlier row with
// its id, which WordPress.com has deleted.
func (s *Store) keepOurs(t txn, site record.Site, settings string) error {
	if err := forgetSettings(t, site.ID); err != nil {
		return err
	}
	if err := forgetStatus(t, site.ID); err != nil {
		return err
	}
	if err := s.setHost(t, site.ID, site.URL); err != nil {
		return err
	}
	if err := saveSettings(t, site.ID, "", settings); err != nil {
		return err
	}
	return s.saveTags(t, site.ID, nil, site.Tags)
}

// DeleteSite implements store.Sites.
func (s *Store) DeleteSite(ctx context.Context, id check.SiteID, at time.Time, allow func(record.Site) error) error {
	var refused error
	err := s.edit(ctx, func(t txn) error {
		refused = nil
		if err := s.lockSite(t, id); err != nil {
			return err
		}
		row, err := t.site(id)
		if err != nil {
			return err
		}
		before := s.site(&row)
		if allow != nil {
			if refused = allow(before); refused != nil {
				return refused
			}
		}
		if err := s.mayEdit(t, check.BucketID(row.bucket)); err != nil {
			return err
		}
		n, err := t.exec("DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id = ?", id)
		if err != nil {
			return err
		}
		if n == 0 {
			return noSite(id)
		}
		if err := forgetSettings(t, id); err != nil {
			return err
		}
		for _, table := range []string{"jetmon_site_hosts", "jetmon_site_watches"} {
			if _, err := t.exec("DELETE FROM "+table+" WHERE site_id = ?", id); err != nil {
				return err
			}
		}
		if err := s.forgetMaintenances(t, id); err != nil {
			return err
		}
		if err := forgetStatus(t, id); err != nil {
			return err
		}
		if _, err = t.endOutages(record.EndDeleted, at, "open_site = ?", id); err != nil {
			return err
		}
		if err := t.noMoreOf(id); err != nil {
			return err
		}
		if err := t.forgetBlog(before.BlogID); err != nil {
			return err
		}
		return t.testify(&before, nil)
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return s.fault("delete a site", err)
	}
	return nil
}

// site reads the row of a site.
func (t txn) site(id check.SiteID) (row siteRow, err error) {
	found, err := t.find(row.whole(), wholeColumns+siteTables+" WHERE l.jetpack_monitor_site_id = ?", id)
	if err == nil && !found {
		err = noSite(id)
	}
	return row, err
}

// edit runs the transaction of an edit through the API, and again while f returns errMoved.
func (s *Store) edit(ctx context.Context, f func(txn) error) error {
	return insist(ctx, func() error { return s.transact(ctx, s.editor, f) },
		func(err error) bool { return errors.Is(err, errMoved) })
}

// checkSite refuses values that the legacy table cannot hold.
func checkSite(site record.Site) error {
	return cmp.Or(checkBlog(site.BlogID), checkURL(site.URL), checkInterval(site.Interval))
}

func checkBlog(blog check.BlogID) error {
	if blog < 0 {
		return fault.InvalidField("blog_id", "must not be negative")
	}
	return nil
}

func checkURL(url string) error {
	switch {
	case url == "":
		return fault.InvalidField("url", "must not be empty")
	case len(url) > check.MaxURLBytes:
		return fault.InvalidField("url", "must be at most %d bytes, has %d", check.MaxURLBytes, len(url))
	}
	return nil
}

func checkInterval(d time.Duration) error {
	if d%time.Minute != 0 || d < time.Minute || d > 255*time.Minute {
		return fault.InvalidField("check_interval", "must be whole minutes from 1 to 255, is %v", d)
	}
	return nil
}

// slots is the number of slots of each kind in jetmon_site_locks: those of blogs come first,
// then those of sites.
const slots = 64

// lockBlog prevents other transactions from giving the blog a URL until this one ends, and
// proves that its later reads include all URLs given before.
func (s *Store) lockBlog(t txn, blog check.BlogID) error { return s.lock(t, int64(blog%slots)) }

// lockSite prevents other edits of the site through this store until the transaction ends.
// It comes before lockBlog, so that no two transactions wait for each other.
func (s *Store) lockSite(t txn, id check.SiteID) error {
	return s.lock(t, slots+int64(uint64(id)%slots))
}

// lock takes a slot until the transaction ends, and proves that the transaction sees the
// writes of earlier users of the slot.
//
// A transaction may see the database as of its start, or of its first read, which is before
// it gets a lock that it has to wait for. So lock increments the use count of the slot from
// the value that the transaction sees. If another transaction has used the slot since, the
// row has another value, and this transaction has to start again.
func (s *Store) lock(t txn, slot int64) error {
	var uses int64
	found, err := t.find([]any{&uses}, "SELECT uses FROM jetmon_site_locks WHERE slot = ?", slot)
	if err != nil {
		return err
	}
	if found {
		return t.update(1, "UPDATE jetmon_site_locks SET uses = uses + 1 WHERE slot = ? AND uses = ?", slot, uses)
	}
	_, err = t.exec("INSERT INTO jetmon_site_locks (slot, uses) VALUES (?, 1)", slot)
	if err != nil && s.isDuplicate(err) {
		return fmt.Errorf("another has used slot %d first: %w", slot, errMoved)
	}
	return err
}

// noOther returns AlreadyExists when a row other than id has the blog and URL of site.
// Collations treat some different URLs as equal, so it compares bytes.
func noOther(t txn, id check.SiteID, site record.Site) error {
	rows, err := t.tx.QueryContext(t.ctx, `SELECT jetpack_monitor_site_id, monitor_url FROM jetpack_monitor_sites
	WHERE blog_id = ? AND monitor_url = ? AND jetpack_monitor_site_id <> ?`, site.BlogID, site.URL, id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var other number
		var url text
		if err := rows.Scan(&other, &url); err != nil {
			return err
		}
		if string(url) == site.URL {
			return fault.New(fault.AlreadyExists, "blog %d has that URL already, as site %d", site.BlogID, other)
		}
	}
	return rows.Err()
}

// encodeSettings returns "" for the default.
func encodeSettings(site record.Site) (string, error) {
	b, err := json.Marshal(settings{site.Settings, site.PublicBadges})
	if err != nil {
		return "", fault.New(fault.Internal, "write settings as JSON: %w", err)
	}
	if string(b) == "{}" {
		return "", nil
	}
	return string(b), nil
}

func active(site record.Site) int {
	if site.Paused {
		return 0
	}
	return 1
}

func minutes(site record.Site) int64 { return int64(site.Interval / time.Minute) }
