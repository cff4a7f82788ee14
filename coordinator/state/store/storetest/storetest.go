package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/Automattic/jetmon/coordinator/rules/delivery"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Database is one fresh database of an implementation.
type Database struct {
	// Open opens it once more, as another process would. It is closed with the test.
	Open func(t testing.TB, legacyWrites bool) store.Store
	// Exec runs a statement behind the store's back, with ? for arguments, and again when
	// it is a deadlock's victim.
	Exec func(t testing.TB, query string, args ...any)
	// Int reads one integer behind its back.
	Int func(t testing.TB, query string, args ...any) int64
}

// test is one sentence about a store.
type test struct {
	name string
	run  func(*testing.T, Database)
}

// Run runs the tests that are not random, or only some groups of them; fresh returns an
// empty database with its schema.
func Run(t *testing.T, fresh func(t testing.TB) Database, only ...string) {
	for group, tests := range map[string][]test{
		"sites": siteTests(), "updates": updateTests(), "hosts": hostTests(), "tags": tagTests(), "remarks": remarkTests(), "incidents": incidentTests(), "keys": keyTests(), "import": importTests(),
		"scan": scanTests(), "span": spanTests(), "legacy": legacyTests(), "commit": commitTests(), "groups": groupTests(), "history": historyTests(), "orphans": orphanTests(), "changed": changedTests(),
		"suspend": suspendTests(), "outbox": outboxTests(), "order": orderTests(), "fences": fenceTests(), "expire": expireTests(), "ownership": ownershipTests(), "members": memberTests(), "access": accessTests(),
		"blogs": blogTests(), "snapshots": snapshotTests(), "takeover": takeoverTests(), "events": eventTests(), "muted": mutedTests(), "trial": trialTests(), "races": raceTests(), "maintenances": maintenanceTests(),
		"deliveries": deliveryTests(), "checks": checkTests(), "alerts": aliveTests(), "subscriptions": subscriptionTests(),
	} {
		if len(only) > 0 && !slices.Contains(only, group) {
			continue
		}
		for _, one := range tests {
			t.Run(group+"/"+one.name, func(t *testing.T) {
				t.Parallel()
				one.run(t, fresh(t))
			})
		}
	}
}

// RunRandom runs the tests that are random, as the seed has it; fresh is as in Run.
func RunRandom(t *testing.T, seed uint64, fresh func(t testing.TB) Database) {
	for _, one := range slices.Concat(randomTests(), randomUpdateTests(), randomHostTests(), randomWalkTests()) {
		one.start(t, seed, fresh)
	}
}

// random is one sentence about a store, tried at random.
type random struct {
	name string
	run  func(*testing.T, Database, *rand.Rand)
}

// start runs it on a fresh database, as a parallel subtest.
func (r random) start(t *testing.T, seed uint64, fresh func(t testing.TB) Database) {
	t.Run(r.name, func(t *testing.T) {
		t.Parallel()
		r.run(t, fresh(t), rand.New(rand.NewPCG(seed, 0)))
	})
}

func randomTests() []random {
	return []random{
		{"any sequence of calls does what a model in memory does", func(t *testing.T, db Database, r *rand.Rand) { walk(t, db.Open(t, true), r) }},
		{"a scan under commits without legacy writes does so too", func(t *testing.T, db Database, r *rand.Rand) { walk(t, db.Open(t, false), r) }},
		{"any sequence of groups does what a model in memory does", func(t *testing.T, db Database, r *rand.Rand) { walkGroups(t, db.Open(t, true), r) }},
		{"and so do groups without legacy writes", func(t *testing.T, db Database, r *rand.Rand) { walkGroups(t, db.Open(t, false), r) }},
		{"whoever follows events sees each once, those of a shard in order", followEvents},
		{"every edit changes the digest of a shard, and undoing it changes it back", digestEdits},
		{"whatever is committed and told at once, nothing is left over and the counts are right", randomDeliveries},
		{"whatever is muted, lost and restarted, WordPress.com ends up knowing what is true", mutedLives},
	}
}

// noon is when stories begin.
func noon() time.Time { return time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC) }

func after(d time.Duration) time.Time { return noon().Add(d) }

// wantKind checks an error's kind.
func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("error %v, want one of kind %q", err, kind)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func get[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// wantEqual compares; an empty list and none are the same.
func wantEqual(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("not as it was written (-want +got):\n%s", diff)
	}
}

// aSite is a site to create, in bucket 7.
func aSite(url string) record.Site {
	return record.Site{BlogID: 42, Bucket: 7, URL: url, Interval: 5 * time.Minute}
}

// Commit commits one change as a group of its own.
func Commit(ctx context.Context, s store.History, f shard.Fence, c record.Change) (record.Committed, error) {
	results, err := s.CommitAll(ctx, f, []record.Change{c})
	if err != nil {
		return record.Committed{}, err
	}
	return results[0].Committed, results[0].Err
}

func create(t testing.TB, s store.Store, site record.Site) record.Site {
	t.Helper()
	created, err := s.CreateSite(t.Context(), site)
	must(t, err)
	return created
}

// own claims the shard of a bucket for a node.
func own(t testing.TB, s store.Store, node string, bucket check.BucketID) shard.Fence {
	t.Helper()
	l, err := s.ClaimShard(t.Context(), shard.Of(bucket), shard.Owner{Node: node, TTL: 15 * time.Second}, noon())
	must(t, err)
	return l.Fence()
}

// change is a change of a site that failed at noon and was called down a minute later.
func change(site record.Site, from, to check.Status, key string) record.Change {
	at := map[check.Status]time.Duration{
		check.StatusDown: time.Minute, check.StatusConfirmedDown: time.Hour, check.StatusRunning: 2 * time.Hour}[to]
	return record.Change{
		Key: key, SiteID: site.ID, BlogID: site.BlogID, Bucket: site.Bucket, URL: site.URL,
		From: from, To: to, Since: after(-72 * time.Hour), Start: noon(), At: after(at), LastCheck: after(at - 123*time.Millisecond),
	}
}

func opening(site record.Site, key string) record.Change {
	c := change(site, check.StatusRunning, check.StatusDown, key)
	c.Cause = anObservation()
	c.Checks = []record.LocalCheck{
		{Node: "checker-a", Region: "eu \"1\"", At: noon(), Observation: anObservation()},
		{Node: "checker-b", At: after(20 * time.Second), Observation: anObservation()},
	}
	ballot := aBallot(site)
	ballot.Verdict = quorum.Confirmed
	ballot.Checks = c.Checks
	c.Ballot = &ballot
	return c
}

func confirming(site record.Site, key string) record.Change {
	return change(site, check.StatusDown, check.StatusConfirmedDown, key)
}

func closing(site record.Site, from check.Status, key string) record.Change {
	return change(site, from, check.StatusRunning, key)
}

// anObservation has a value in every field.
func anObservation() check.Observation {
	return check.Observation{
		Outcome: check.OutcomeDown, Failure: check.FailureServer, Reason: "overloaded", HTTPStatus: 503,
		Advisories: []check.Advisory{check.AdvisorySlow},
		Timing: check.Timing{DNS: 1, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond,
			FirstByte: 4 * time.Second, Total: 5 * time.Second},
		Phase: check.PhaseDone, Method: check.MethodGet, ResolvedAddress: "192.0.2.1:443", Protocol: "HTTP/1.1",
		Hops:              []check.Hop{{Status: 301, URL: "https://example.com/ü?a=%26"}},
		CertificateExpire: noon().AddDate(0, 1, 0), Headers: map[string]string{"server": "nginx"},
		Detail: "said \"no\" — 🙁 \\ '); DROP TABLE x",
	}
}

// aBallot has a vote of every value.
func aBallot(site record.Site) record.Ballot {
	down := anObservation()
	up := check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 200}
	return record.Ballot{
		SiteID: site.ID, Bucket: site.Bucket, Verdict: quorum.Rejected,
		Rule: quorum.Rule{Voters: 3, Need: 2, Regions: 2}, Round: 2, Opened: after(30 * time.Second), Decided: after(41 * time.Second),
		Votes: []record.Vote{
			{Veriflier: "v1", Region: "eu", Value: quorum.Down, At: after(40 * time.Second), Observation: &down,
				SelfCheck: &check.SelfCheck{Healthy: true, Anchors: 3, Age: 4 * time.Second, Detail: "ok"}},
			{Veriflier: "v2", Region: "us", Value: quorum.Up, At: after(41 * time.Second), Observation: &up},
			{Veriflier: "v3", Region: "ap", Value: quorum.Unknown, UnknownReason: "no answer", At: after(42 * time.Second)},
		},
		Checks: []record.LocalCheck{{Node: "v1", Veriflier: true, At: after(5 * time.Second), Observation: down}},
	}
}

// notificationOf finds the notification of a change, by its key.
func notificationOf(t testing.TB, s store.Store, key string) delivery.Due {
	t.Helper()
	found := get[[]delivery.Delivery](t)(s.ListDeliveries(t.Context(), store.DeliveryQuery{Key: key, Limit: 2}))
	if len(found) != 1 {
		t.Fatalf("%d notifications of %s", len(found), key)
	}
	return delivery.Due{Delivery: found[0]}
}

// due reads the due notifications of all shards.
func due(t testing.TB, s store.Store, now time.Time, limit int) []delivery.Due {
	t.Helper()
	notifications, err := Due(t.Context(), s, allShards(), now, limit)
	must(t, err)
	return notifications
}

func allShards() []shard.ID {
	shards := make([]shard.ID, shard.Count)
	for i := range shards {
		shards[i] = shard.ID(i)
	}
	return shards
}

// keysOf returns the keys of notifications, separated by blanks.
func keysOf(notifications []delivery.Due) string {
	keys := make([]string, len(notifications))
	for i, n := range notifications {
		keys[i] = n.Key
	}
	return strings.Join(keys, " ")
}

func url(n int) string { return fmt.Sprintf("https://site-%d.example.com/", n) }
