package sqlstore

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine/snapshot"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/internal/check"
)

// ofF54795a is what a coordinator of version f54795a left when it was killed, with checkers
// and a veriflier at work, WordPress.com refusing notifications in the end. That version had
// the first 13 migrations.
//
//go:embed testdata/f54795a.sql
var ofF54795a string

const schemaOfF54795a = 13

// The sites of that database.
const (
	siteHealthy check.SiteID = iota + 1
	siteDown                 // was down before, confirmed down now, which is not delivered
	siteConfirmed
	siteRecovered
	sitePending // down, which is not delivered
	siteSuspect
	sitePaused
	siteV1Down // called down by v1, and confirmed down since, without an outage
)

// A database that an older version made and filled goes on where it was.
func TestADatabaseOfAnOlderVersionGoesOn(t *testing.T) {
	t.Parallel()
	for name, fresh := range engines() {
		for mode, writes := range map[string]bool{"with legacy writes": true, "without": false} {
			t.Run(name+", "+mode, func(t *testing.T) {
				t.Parallel()
				dsn := fresh(t)
				fillOld(t, dsn)
				if n, err := Migrate(t.Context(), dsn); err != nil || n == 0 {
					t.Fatalf("%d migrations applied, %v", n, err)
				}
				s := open(t, dsn, Options{LegacyWrites: writes})
				goesOn(t, s)
				delivers(t, s)
				changes(t, s)
			})
		}
	}
}

// fillOld makes the old schema and fills it.
func fillOld(t *testing.T, dsn string) {
	t.Helper()
	d, err := ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	old, err := connect(t.Context(), d, Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if _, err := old.migrate(t.Context(), schemaOfF54795a); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(ofF54795a) {
		if strings.HasPrefix(line, "--") {
			continue
		}
		if _, err := old.writer.ExecContext(t.Context(), line); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
	}
}

// goesOn checks what is read.
func goesOn(t *testing.T, s *Store) {
	t.Helper()
	sites, err := s.ListSites(t.Context(), store.SiteQuery{Limit: 100})
	if err != nil || len(sites) != 8 {
		t.Fatalf("%d sites, %v", len(sites), err)
	}
	for i, want := range []struct {
		status check.Status
		outage bool
	}{
		{check.StatusRunning, false}, {check.StatusConfirmedDown, true}, {check.StatusConfirmedDown, true}, {check.StatusRunning, false},
		{check.StatusDown, true}, {check.StatusRunning, false}, {check.StatusRunning, false}, {check.StatusConfirmedDown, false},
	} {
		if x := sites[i]; x.Status != want.status || (x.OutageID != 0) != want.outage || x.Untold != nil || x.Paused != (x.ID == sitePaused) {
			t.Errorf("site %d is %+v", x.ID, x)
		}
	}
	outages, err := s.ListOutages(t.Context(), store.OutageQuery{Limit: 100})
	if err != nil || len(outages) != 5 {
		t.Errorf("%d outages, %v", len(outages), err)
	}
	for _, o := range outages {
		full, err := s.Outage(t.Context(), o.ID)
		if err != nil || full.Ballot == nil || len(full.Ballot.Votes) != 1 || len(full.Checks) < 3 {
			t.Errorf("outage %d: %+v, %v", o.ID, full, err)
		}
	}
	for site, bucket := range map[check.SiteID]check.BucketID{siteRecovered: 7 + 40*3, siteSuspect: 7 + 40*5, siteDown: 7 + 40} {
		kept, err := s.ListSnapshots(t.Context(), shard.Of(bucket))
		if err != nil || len(kept) != 1 || kept[0].SiteID != site {
			t.Fatalf("snapshots of site %d: %+v, %v", site, kept, err)
		}
		j := snapshot.NewJournal()
		j.Left(kept[0])
		row := sites[site-1]
		got, err := j.Recall(kept[0].At.Add(time.Second), &row)
		if err != nil || got == nil || !got.Fresh || site == siteSuspect && (got.State.Failures != 1 || len(got.Checks) != 1) {
			t.Errorf("the snapshot of site %d: %+v, %v", site, got, err)
		}
	}
	leases, err := s.ListShards(t.Context())
	if err != nil || len(leases) != shard.Count || leases[0].Node != "one" || !leases[0].Taken.IsZero() || leases[0].Trial.Sample != 0 {
		t.Errorf("%d leases, first %+v, %v", len(leases), leases[0], err)
	}
}

// delivers delivers what waited, in order.
func delivers(t *testing.T, s *Store) {
	t.Helper()
	var all []shard.ID
	for id := range shard.ID(shard.Count) {
		all = append(all, id)
	}
	for _, id := range all {
		l, err := s.ClaimShard(t.Context(), id, shard.Owner{Node: "two", TTL: time.Minute}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.AdoptOutbox(t.Context(), l.Fence(), 100); err != nil {
			t.Fatal(err)
		}
	}
	due, err := storetest.Due(t.Context(), s, all, time.Now().AddDate(1, 0, 0), 100)
	if err != nil || len(due) != 2 {
		t.Fatalf("%d notifications, %v", len(due), err)
	}
	for _, n := range due {
		want := map[check.SiteID]check.Status{siteDown: check.StatusConfirmedDown, sitePending: check.StatusDown}[n.Change.SiteID]
		if n.Change.To != want || n.Change.URL == "" || len(n.Change.Checks) == 0 {
			t.Errorf("notification %+v", n)
		}
		if err := storetest.Accept(t.Context(), s, n, time.Now()); err != nil {
			t.Error(err)
		}
	}
}

// changes commits the next change of each site that can have one.
func changes(t *testing.T, s *Store) {
	t.Helper()
	for site, step := range map[check.SiteID][2]check.Status{
		siteHealthy: {check.StatusRunning, check.StatusDown}, siteDown: {check.StatusConfirmedDown, check.StatusRunning},
		siteConfirmed: {check.StatusConfirmedDown, check.StatusRunning}, siteRecovered: {check.StatusRunning, check.StatusDown},
		sitePending: {check.StatusDown, check.StatusConfirmedDown}, siteSuspect: {check.StatusRunning, check.StatusDown},
		siteV1Down: {check.StatusConfirmedDown, check.StatusRunning},
	} {
		row, err := s.Site(t.Context(), site)
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.ClaimShard(t.Context(), shard.Of(row.Bucket), shard.Owner{Node: "two", TTL: time.Minute}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		c := record.Change{
			Key: row.URL, SiteID: site, BlogID: row.BlogID, Bucket: row.Bucket, URL: row.URL, From: step[0], To: step[1],
			Since: row.StatusSince, Start: now, At: now, LastCheck: now, Cause: check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer},
		}
		if _, err := storetest.Commit(t.Context(), s, l.Fence(), c); err != nil {
			t.Errorf("site %d from %d to %d: %v", site, step[0], step[1], err)
		}
		if after, err := s.Site(t.Context(), site); err != nil || after.Status != step[1] {
			t.Errorf("site %d is %+v, %v", site, after, err)
		}
	}
	open, err := s.ListOutages(t.Context(), store.OutageQuery{Limit: 100, OpenOnly: true})
	if err != nil || len(open) != 4 {
		t.Errorf("%d open outages, %v", len(open), err)
	}
}
