package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// kin is what no two sites share.
type kin struct {
	blog check.BlogID
	url  string
}

func kinOf(site record.Site) kin { return kin{site.BlogID, site.URL} }

// AddSites implements store.Import.
func (s *Store) AddSites(ctx context.Context, sites []record.Site) ([]store.Added, error) {
	if len(sites) > store.MaxAdded {
		return nil, fault.InvalidField("sites", "must be at most %d, are %d", store.MaxAdded, len(sites))
	}
	out := make([]store.Added, len(sites))
	sites = slices.Clone(sites)
	first := map[kin]int{} // the place of the first site of each kin
	for i, site := range sites {
		out[i].Err = checkNew(&sites[i])
		if _, again := first[kinOf(site)]; out[i].Err == nil && !again {
			first[kinOf(site)] = i
		}
	}
	if len(first) == 0 {
		return out, nil
	}
	var stored map[kin]store.Added
	err := s.edit(ctx, func(t txn) (err error) {
		stored, err = s.add(t, sites, slices.Sorted(maps.Values(first)))
		return err
	})
	switch {
	case s.dsn.dialect.classify(err) == unfit && len(sites) > 1:
		return s.addHalves(ctx, sites)
	case s.dsn.dialect.classify(err) == unfit:
		out[0].Err = s.fault("add a site", err)
		return out, nil
	case err != nil:
		return nil, s.fault("add sites", err)
	}
	for i, site := range sites {
		if out[i].Err == nil {
			out[i] = stored[kinOf(site)]
			out[i].Existed = out[i].Existed || out[i].Err == nil && first[kinOf(site)] != i
		}
	}
	return out, nil
}

// addHalves adds sites after one of them had a value that does not fit its column: the engine
// reports that for the statement, not for a row.
func (s *Store) addHalves(ctx context.Context, sites []record.Site) ([]store.Added, error) {
	half := len(sites) / 2
	out, err := s.AddSites(ctx, sites[:half])
	if err != nil {
		return nil, err
	}
	rest, err := s.AddSites(ctx, sites[half:])
	return append(out, rest...), err
}

// checkNew refuses a site that cannot be added, and sorts its tags.
func checkNew(site *record.Site) (err error) {
	if err := checkSite(*site); err != nil {
		return err
	}
	if site.Tags, err = checkTags(site.Tags); err != nil {
		return err
	}
	if site.Bucket >= check.Buckets {
		return fault.InvalidField("bucket", "must be below %d, is %d", check.Buckets, site.Bucket)
	}
	return nil
}

// add adds the sites at some places, those that are not there yet, and returns all of them.
func (s *Store) add(t txn, sites []record.Site, places []int) (map[kin]store.Added, error) {
	var all []kin
	blogs := map[int64]bool{}
	for _, i := range places {
		all = append(all, kinOf(sites[i]))
		blogs[int64(sites[i].BlogID%slots)] = true
	}
	if err := s.lockAll(t, slices.Sorted(maps.Keys(blogs))); err != nil {
		return nil, err
	}
	there, err := t.kinIDs(all)
	if err != nil {
		return nil, err
	}
	out, err := s.existing(t, slices.Collect(maps.Values(there)))
	if err != nil {
		return nil, err
	}
	var missing []record.Site
	refused := map[check.BucketID]error{} // by bucket, nil where it takes sites
	for _, i := range places {
		site := sites[i]
		if _, ok := there[kinOf(site)]; ok {
			continue
		}
		err, asked := refused[site.Bucket]
		if !asked {
			if err = s.mayEdit(t, site.Bucket); err != nil && (s.noEdits || !fault.Is(err, fault.Fenced)) {
				return nil, err
			}
			refused[site.Bucket] = err
		}
		if err != nil {
			out[kinOf(site)] = store.Added{Err: err}
			continue
		}
		missing = append(missing, site)
	}
	if err := s.insertSites(t, missing); err != nil {
		return nil, err
	}
	for _, site := range missing {
		out[kinOf(site)] = store.Added{Site: site}
	}
	return out, nil
}

// existing reads sites by id.
func (s *Store) existing(t txn, ids []check.SiteID) (map[kin]store.Added, error) {
	out := map[kin]store.Added{}
	if len(ids) == 0 {
		return out, nil
	}
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	rows, err := t.tx.QueryContext(t.ctx, wholeColumns+siteTables+" WHERE l.jetpack_monitor_site_id IN "+marks(len(args)), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var row siteRow
	for rows.Next() {
		if err := rows.Scan(row.whole()...); err != nil {
			return nil, err
		}
		site := s.site(&row)
		out[kinOf(site)] = store.Added{Site: site, Existed: true}
	}
	return out, rows.Err()
}

// insertSites adds rows, and gives the sites their ids.
func (s *Store) insertSites(t txn, sites []record.Site) error {
	if len(sites) == 0 {
		return nil
	}
	rows, all := make([][]any, len(sites)), make([]kin, len(sites))
	for i := range sites {
		site := &sites[i]
		site.Status, site.StatusSince, site.OutageID, site.Inherited, site.Ours, site.Untold = check.StatusRunning, time.Time{}, 0, false, nil, nil
		rows[i] = []any{site.BlogID, site.Bucket, site.URL, active(*site), check.StatusRunning, nil, minutes(*site)}
		all[i] = kinOf(*site)
	}
	err := t.insertRows(`INSERT INTO jetpack_monitor_sites
	(blog_id, bucket_no, monitor_url, monitor_active, site_status, last_status_change, check_interval) VALUES `, rows)
	if err != nil {
		return err
	}
	ids, err := t.kinIDs(all)
	if err != nil {
		return err
	}
	for i := range sites {
		if sites[i].ID = ids[all[i]]; sites[i].ID == 0 {
			return fault.New(fault.Internal, "the site %s is not there right after it was added", sites[i].URL)
		}
	}
	return s.insertOurs(t, sites)
}

// insertOurs adds what we keep about new sites, in place of what was kept of earlier rows with
// their ids, which WordPress.com has deleted.
func (s *Store) insertOurs(t txn, sites []record.Site) error {
	var ids []any
	var hosts, settings, tags, audit, watches [][]any
	now := toMillis(time.Now())
	for i := range sites {
		site := &sites[i]
		ids = append(ids, site.ID)
		hosts = append(hosts, place{id: site.ID, url: site.URL, standing: freshRow()}.entry())
		text, err := encodeSettings(*site)
		if err != nil {
			return err
		}
		if text != "" {
			settings = append(settings, []any{site.ID, text})
		}
		for _, tag := range site.Tags {
			tags = append(tags, []any{site.ID, tag})
		}
		if !site.Paused {
			watches = append(watches, []any{site.ID, now, 0})
		}
		if w := store.WitnessOf(t.ctx); w != nil {
			audit = append(audit, auditRow(w(nil, site)))
		}
	}
	for _, table := range []string{"jetmon_site_settings", "jetmon_site_tags", "jetmon_site_status", "jetmon_site_hosts", "jetmon_site_watches"} {
		if err := t.forget(table, ids); err != nil {
			return err
		}
	}
	err := t.insertRows(insertHost, hosts)
	if s.isDuplicate(err) {
		return fmt.Errorf("another has indexed a new site first: %w", errMoved)
	}
	if err != nil {
		return err
	}
	if err := t.insertRows("INSERT INTO jetmon_site_settings (site_id, settings) VALUES ", settings); err != nil {
		return err
	}
	if err := t.insertRows("INSERT INTO jetmon_site_tags (site_id, tag) VALUES ", tags); err != nil {
		return err
	}
	if err := t.insertRows(insertWatch, watches); err != nil {
		return err
	}
	return t.insertRows(insertAudit, audit)
}

// forget deletes the rows of some sites from a table. It looks for them first: to delete rows
// that are not there would lock the end of the table against others who add some.
func (t txn) forget(table string, ids []any) error {
	found, err := t.ids("SELECT site_id FROM "+table+" WHERE site_id IN "+marks(len(ids)), ids...)
	if err != nil || len(found) == 0 {
		return err
	}
	return t.remove("DELETE FROM "+table+" WHERE site_id IN ", found)
}

// kinTogether is how many sites are looked for with one statement.
const kinTogether = 100

// kinIDs returns the ids of the sites with some blogs and URLs, of several the last one.
// Collations treat some different URLs as equal, so it compares bytes.
func (t txn) kinIDs(all []kin) (map[kin]check.SiteID, error) {
	ids := make(map[kin]check.SiteID, len(all))
	for _, k := range all {
		ids[k] = 0
	}
	defer maps.DeleteFunc(ids, func(_ kin, id check.SiteID) bool { return id == 0 })
	for part := range slices.Chunk(all, kinTogether) {
		var args []any
		for _, k := range part {
			args = append(args, k.blog, k.url)
		}
		where := "blog_id = ? AND monitor_url = ?" + strings.Repeat(" OR blog_id = ? AND monitor_url = ?", len(part)-1)
		rows, err := t.tx.QueryContext(t.ctx, "SELECT jetpack_monitor_site_id, blog_id, monitor_url FROM jetpack_monitor_sites WHERE "+where, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id, blog number
			var url text
			if err := rows.Scan(&id, &blog, &url); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			k := kin{check.BlogID(blog), string(url)}
			if last, wanted := ids[k]; wanted {
				ids[k] = max(last, check.SiteID(id))
			}
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// lockAll takes slots as lock does, all with one statement.
func (s *Store) lockAll(t txn, all []int64) error {
	args := make([]any, len(all))
	for i, slot := range all {
		args[i] = slot
	}
	uses := map[int64]int64{}
	rows, err := t.tx.QueryContext(t.ctx, "SELECT slot, uses FROM jetmon_site_locks WHERE slot IN "+marks(len(args)), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var slot, n int64
		if err := rows.Scan(&slot, &n); err != nil {
			return err
		}
		uses[slot] = n
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var known, cases []any
	for _, slot := range all {
		n, ok := uses[slot]
		if !ok {
			if err := s.lock(t, slot); err != nil {
				return err
			}
			continue
		}
		known, cases = append(known, slot), append(cases, slot, n)
	}
	if len(known) == 0 {
		return nil
	}
	return t.update(len(known), "UPDATE jetmon_site_locks SET uses = uses + 1 WHERE slot IN "+marks(len(known))+
		" AND uses = CASE slot"+strings.Repeat(" WHEN ? THEN ?", len(known))+" END", append(known, cases...)...)
}
