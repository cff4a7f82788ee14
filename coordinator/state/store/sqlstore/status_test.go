package sqlstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
)

// A database of a version without jetmon_site_status has only transitions to tell what
// WordPress.com was told.
func TestMigratingFindsWhatAnOlderVersionReported(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, dsn string) {
		db := database(t, dsn)
		off := open(t, dsn, Options{})
		lease, err := off.ClaimShard(t.Context(), 0, shard.Owner{Node: "a", TTL: time.Minute}, time.Unix(1e9, 0))
		if err != nil {
			t.Fatal(err)
		}
		// Each site goes through some statuses; its row lags and has another one.
		var sites []record.Site
		for i, life := range []struct {
			row   check.Status
			steps []check.Status
		}{
			{check.StatusRunning, nil},
			{check.StatusDown, nil},
			{check.StatusRunning, []check.Status{0, 1}},
			{check.StatusDown, []check.Status{1}},
			{check.StatusDown, []check.Status{2}},
			{check.StatusDown, []check.Status{2, 1, 0, 2}},
		} {
			site, err := off.CreateSite(t.Context(), record.Site{BlogID: 1, URL: fmt.Sprint("https://example.com/", i), Interval: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			db.Exec(t, "UPDATE jetpack_monitor_sites SET site_status = ? WHERE jetpack_monitor_site_id = ?", int(life.row), site.ID)
			from := life.row
			for n, to := range life.steps {
				c := record.Change{
					Key: fmt.Sprint(i, "-", n), SiteID: site.ID, BlogID: 1, URL: site.URL, From: from, To: to,
					At: time.Unix(1e9+int64(n), 0).UTC(),
				}
				if _, err := storetest.Commit(t.Context(), off, lease.Fence(), c); err != nil {
					t.Fatal(err)
				}
				from = to
			}
			sites = append(sites, site)
		}
		read := func() (all []record.Site) {
			for _, site := range sites {
				now, err := off.Site(t.Context(), site.ID)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, now)
			}
			return all
		}
		before := read()
		db.Exec(t, "DROP TABLE jetmon_site_status")
		db.Exec(t, "DELETE FROM jetmon_schema WHERE version_id > 19")
		if _, err := Migrate(t.Context(), dsn); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, read()); diff != "" {
			t.Errorf("after migrating (-want +got):\n%s", diff)
		}
	})
}
