package scenario

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// seen is the time within which an edit by WordPress.com must take effect.
const seen = 60 * time.Second

// edits lists what WordPress.com does to its table, each to some sites of its own.
type edits struct {
	inserted, renamed, deactivated, moved, deleted []row
	// old are the URLs that the renamed had before.
	old []string
}

// WordPress.com writes into jetpack_monitor_sites while thousands of sites are checked. Each
// edit takes effect within a minute, and nothing else changes.
func TestEditsOfTheTableTakeEffectWithinAMinuteUnderLoad(t *testing.T) {
	t.Parallel()
	const of = 20 // of each kind
	g := lay(t, plan{coordinators: 2, sites: 2000, interval: 4 * time.Second})
	g.balanced(t)
	g.checked(t, time.Now(), patience)
	e := g.choose(of)
	untouched := urls(g.rows[4*of:])
	edited := time.Now()
	g.server.Query(t, e.sql())
	g.farm.awaitAll(t, "new sites and new URLs are checked", slices.Concat(urls(e.inserted), urls(e.renamed)), edited, seen+busy)
	came := time.Since(edited)
	g.watch(t, edited.Add(seen+2*g.plan.interval))
	over := time.Now()

	var gone time.Duration
	for _, url := range slices.Concat(e.old, urls(e.deactivated), urls(e.deleted)) {
		asked := g.farm.asked(url)
		last := asked[len(asked)-1].Sub(edited)
		gone = max(gone, last)
		if last > seen {
			t.Errorf("%s was still checked %s after the edit that took it away", url, last)
		}
	}
	t.Logf("of 5 x %d edits: the last new URL was first checked after %s, the last old one last checked after %s; %d checks, %.0f a second",
		of, came.Round(time.Millisecond), gone.Round(time.Millisecond), g.farm.checks(), float64(len(g.rows))/g.plan.interval.Seconds())

	// Who was moved is checked on, and after a minute by one owner only.
	gap, url, _ := g.farm.gap(urls(e.moved), edited, over)
	t.Logf("a site that was moved to another bucket was without a check for %s at most", gap.Round(time.Millisecond))
	if gap > g.plan.interval+seen {
		t.Errorf("%s was moved to another bucket and not checked for %s", url, gap)
	}
	for _, r := range e.moved {
		n := 0
		for _, at := range g.farm.asked(r.url) {
			if at.After(over.Add(-2 * g.plan.interval)) {
				n++
			}
		}
		if n < 1 || n > 3 {
			t.Errorf("%s was moved and then checked %d times in two intervals", r.url, n)
		}
	}
	g.awaitSites(t, len(g.rows)+len(e.inserted)-len(e.deactivated)-len(e.deleted))
	if gap, url, _ := g.farm.gap(untouched, edited, over); gap > g.plan.interval+busy {
		t.Errorf("%s was not edited, and not checked for %s", url, gap)
	}
	if told := g.inbox.all(); len(told) != 0 {
		t.Errorf("WordPress.com was told of sites that work: %+v", told)
	}
	g.findable(t, e)
}

// findable wants every site to be found by the URL that it has now, and by no other, through
// each coordinator and by the index: the table is not searched any more.
func (g *grid) findable(t *testing.T, e edits) {
	t.Helper()
	await(t, "the hosts of all shards are indexed", patience, func() bool {
		return strings.TrimSpace(g.server.Query(t, "SELECT COUNT(*) FROM jetmon_shards WHERE hosts_ms > 0")) == "32"
	})
	want := map[string]int{}
	for _, r := range slices.Concat(e.inserted, e.renamed, e.deactivated, e.moved) {
		want[r.url] = r.id
	}
	for _, url := range slices.Concat(e.old, urls(e.deleted)) {
		want[url] = 0
	}
	for _, n := range g.coordinators {
		sites := monitorv1.NewSiteServiceClient(dial(t, g.addresses[n]))
		for url, id := range want {
			resp, err := sites.ListSites(t.Context(), &monitorv1.ListSitesRequest{Url: url})
			if err != nil {
				t.Fatal(err)
			}
			if found := resp.GetSites(); id == 0 && len(found) > 0 || id != 0 && (len(found) != 1 || found[0].GetSiteId() != int64(id)) {
				t.Errorf("through %s, %s is found as %v, want site %d", n, url, found, id)
			}
		}
	}
}

// choose picks n sites for each kind of edit, and sows new ones.
func (g *grid) choose(n int) edits {
	e := edits{
		renamed: slices.Clone(g.rows[:n]), deactivated: g.rows[n : 2*n],
		moved: slices.Clone(g.rows[2*n : 3*n]), deleted: g.rows[3*n : 4*n],
	}
	for i := range n {
		number := len(g.rows) + i
		e.inserted = append(e.inserted, row{id: number + 1, blog: number + 1, bucket: i * 37 % 512, url: g.farm.sow(number)})
		e.old = append(e.old, e.renamed[i].url)
		e.renamed[i].url = g.farm.sow(len(g.rows) + n + i)
		e.moved[i].bucket = (e.moved[i].bucket + 256) % 512 // half of them have another owner, or all
	}
	return e
}

// sql returns the edits as WordPress.com writes them.
func (e edits) sql() string {
	var b strings.Builder
	b.WriteString(insert(e.inserted))
	for _, r := range e.renamed {
		fmt.Fprintf(&b, "UPDATE jetpack_monitor_sites SET monitor_url='%s' WHERE jetpack_monitor_site_id=%d;\n", r.url, r.id)
	}
	for _, r := range e.deactivated {
		fmt.Fprintf(&b, "UPDATE jetpack_monitor_sites SET monitor_active=0 WHERE jetpack_monitor_site_id=%d;\n", r.id)
	}
	for _, r := range e.moved {
		fmt.Fprintf(&b, "UPDATE jetpack_monitor_sites SET bucket_no=%d WHERE jetpack_monitor_site_id=%d;\n", r.bucket, r.id)
	}
	for _, r := range e.deleted {
		fmt.Fprintf(&b, "DELETE FROM jetpack_monitor_sites WHERE jetpack_monitor_site_id=%d;\n", r.id)
	}
	return b.String()
}

// watch lets the grid run until the given time.
func (g *grid) watch(t *testing.T, until time.Time) {
	t.Helper()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}
