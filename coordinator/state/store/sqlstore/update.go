package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

// UpdateSite implements store.Sites.
//
// The updates of a site wait for one another at the row of its slot, which each updates
// before it reads. An engine may show a transaction the database as of the transaction's
// start (TiDB; MySQL after a first read). Then settings that others have written since differ
// from those that it read: its write matches no row, and it starts again. WordPress.com does
// not take that lock: its writes are safe because the statement names changed columns only.
func (s *Store) UpdateSite(ctx context.Context, id check.SiteID, at time.Time, edit func(record.Site) (record.Site, error)) (record.Site, error) {
	u := update{Store: s, id: id, at: at, edit: edit}
	switch err := s.edit(ctx, u.run); {
	case u.refused != nil:
		return record.Site{}, u.refused
	case err != nil:
		return record.Site{}, s.fault("update a site", err)
	}
	return u.after, nil
}

// update is one call of UpdateSite.
type update struct {
	*Store
	id   check.SiteID
	at   time.Time
	edit func(record.Site) (record.Site, error)
	// blog is the blog whose URLs the next run locks, if locks is set. Only the edit shows
	// whether the update gives a blog a URL, and then it is too late to lock in the same run.
	blog  check.BlogID
	locks bool
	// after is the site as it was written; refused is the error of edit.
	after   record.Site
	refused error
}

// run is the transaction.
func (u *update) run(t txn) error {
	u.refused = nil
	if err := u.lockSite(t, u.id); err != nil {
		return err
	}
	if u.locks {
		if err := u.lockBlog(t, u.blog); err != nil {
			return err
		}
	}
	row, err := t.site(u.id)
	if err != nil {
		return err
	}
	before := u.site(&row)
	edited, err := u.edit(before)
	if err != nil {
		u.refused = err
		return err
	}
	u.after = before
	u.after.BlogID, u.after.URL, u.after.Interval = edited.BlogID, edited.URL, edited.Interval
	u.after.Paused, u.after.Settings, u.after.PublicBadges = edited.Paused, edited.Settings, edited.PublicBadges
	if u.after.Tags, err = checkTags(edited.Tags); err != nil {
		return err
	}
	if err := u.writeRow(t, before); err != nil {
		return err
	}
	if u.after.URL != before.URL {
		if err := u.setHost(t, u.id, u.after.URL); err != nil {
			return err
		}
		if err := u.endOutage(t, &row); err != nil {
			return err
		}
	}
	if u.after.Paused != before.Paused {
		if err := u.notePause(t, row.outage != 0); err != nil {
			return err
		}
	}
	settings, err := u.writeSettings(t, before, string(row.settings))
	if err != nil {
		return err
	}
	tags := !slices.Equal(before.Tags, u.after.Tags)
	if err := u.saveTags(t, u.id, before.Tags, u.after.Tags); err != nil {
		return err
	}
	if !settings && !tags && !rowDiffers(before, u.after) {
		return nil
	}
	return t.testify(&before, &u.after)
}

// rowDiffers reports whether an edit has changed a column of the legacy row.
func rowDiffers(before, after record.Site) bool {
	return after.BlogID != before.BlogID || after.URL != before.URL || after.Paused != before.Paused || after.Interval != before.Interval
}

// notePause notes that a site was paused or resumed, for its past; it suspends the site's open
// outage if there is one, or ends that.
func (u *update) notePause(t txn, isOpen bool) error {
	note, watch := t.resume, t.startWatch
	if u.after.Paused {
		note, watch = t.suspend, t.endWatch
	}
	if err := watch(u.id, u.at); err != nil || !isOpen {
		return err
	}
	_, err := note(u.at, "open_site = ?", u.id)
	return err
}

// writeRow writes the columns of the legacy row that differ from before.
func (u *update) writeRow(t txn, before record.Site) error {
	var set []string
	var args []any
	var bad error
	change := func(differs bool, column string, value any, err error) {
		if differs {
			set, args, bad = append(set, column+" = ?"), append(args, value), cmp.Or(bad, err)
		}
	}
	after := u.after
	change(after.BlogID != before.BlogID, "blog_id", after.BlogID, checkBlog(after.BlogID))
	change(after.URL != before.URL, "monitor_url", after.URL, checkURL(after.URL))
	change(after.Paused != before.Paused, "monitor_active", active(after), nil)
	change(after.Interval != before.Interval, "check_interval", minutes(after), checkInterval(after.Interval))
	if bad != nil || len(set) == 0 {
		return bad
	}
	if err := u.mayEdit(t, before.Bucket); err != nil {
		return err
	}
	// WordPress.com has blogs with the same URL twice: they must stay editable.
	if after.BlogID != before.BlogID || after.URL != before.URL {
		if !u.locks || u.blog != after.BlogID {
			u.locks, u.blog = true, after.BlogID
			return errMoved
		}
		if err := noOther(t, u.id, after); err != nil {
			return err
		}
	}
	n, err := t.exec("UPDATE jetpack_monitor_sites SET "+strings.Join(set, ", ")+" WHERE jetpack_monitor_site_id = ?", append(args, u.id)...)
	if err == nil && n == 0 {
		err = noSite(u.id)
	}
	return err
}

// endOutage ends the open outage of a site that got another URL.
func (u *update) endOutage(t txn, row *siteRow) error {
	if row.outage == 0 {
		return nil
	}
	u.after.OutageID, u.after.Inherited = 0, true
	if _, err := t.endOutages(record.EndChanged, u.at, "open_site = ?", u.id); err != nil {
		return err
	}
	_, err := t.exec("UPDATE jetmon_site_status SET outage_id = 0, blog_id = ? WHERE site_id = ? AND blog_id = ?",
		u.after.BlogID, u.id, int64(row.blog))
	return err
}

// writeSettings writes the settings if they differ from before, which was stored as text, and
// reports whether they do.
func (u *update) writeSettings(t txn, before record.Site, text string) (differ bool, err error) {
	old, err := encodeSettings(before)
	if err != nil {
		return false, err
	}
	settings, err := encodeSettings(u.after)
	if err != nil || settings == old {
		return false, err
	}
	err = saveSettings(t, u.id, text, settings)
	if u.isDuplicate(err) {
		err = errMoved
	}
	return true, err
}

// saveSettings replaces the text of settings that was read by another; "" means none.
func saveSettings(t txn, id check.SiteID, old, settings string) error {
	switch {
	case old == "" && settings == "":
		return nil
	case old == "":
		_, err := t.exec("INSERT INTO jetmon_site_settings (site_id, settings) VALUES (?, ?)", id, settings)
		return err
	case settings == "":
		return t.update(1, "DELETE FROM jetmon_site_settings WHERE site_id = ? AND settings = ?", id, old)
	default:
		return t.update(1, "UPDATE jetmon_site_settings SET settings = ? WHERE site_id = ? AND settings = ?", settings, id, old)
	}
}
