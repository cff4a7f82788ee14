package roster

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/schedule"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

var start = time.Unix(1_700_000_000, 0)

func newTable() *Table { return New(start, NewHosts(maphash.MakeSeed())) }

func row(id check.SiteID) record.Site {
	return record.Site{
		ID: id, BlogID: check.BlogID(id + 7), Bucket: check.BucketID(id % 5), URL: fmt.Sprintf("http://site-%d.example/", id),
		Interval: 5 * time.Minute, Status: check.StatusRunning, StatusSince: start.Add(-time.Duration(id) * time.Second),
	}
}

// some makes a site that an entry can hold.
func some(rng *rand.Rand, id check.SiteID) Site {
	s := Site{Row: row(id)}
	s.Row.Bucket = check.BucketID(rng.IntN(5))
	s.Row.Interval = time.Duration(1+rng.IntN(255)) * time.Minute
	s.Row.URL = fmt.Sprintf("http://site-%d.example/%d", id, rng.IntN(3))
	if rng.IntN(3) == 0 {
		s.Row.Settings = check.Settings{Method: check.MethodGet, RequiredTexts: []string{fmt.Sprint(rng.IntN(4))}}
	}
	s.Host, s.Sequence, s.Urgent, s.HeadHostile = 1+rng.Uint32N(1000), rng.Uint64N(1<<32), rng.IntN(2) == 0, rng.IntN(2) == 0
	s.State = lifecycle.State{Stage: lifecycle.NeverChecked, Status: check.StatusRunning, StatusSince: s.Row.StatusSince}
	if rng.IntN(4) > 0 {
		s.State.Stage, s.State.Node = lifecycle.Up, fmt.Sprintf("node-%d", rng.IntN(3))
		s.LastNode = s.State.Node // the newest check of a compact site that is up could tell
		s.LastCheck = start.Add(time.Duration(rng.IntN(1000)) * grain)
		s.State.Observed = s.LastCheck
		s.Last = &check.Observation{
			Outcome: check.OutcomeUp, HTTPStatus: 200 + rng.IntN(200), Phase: check.PhaseDone, Method: check.MethodHead + check.Method(rng.IntN(2)),
			Timing: check.Timing{Total: time.Duration(rng.IntN(30_000)) * time.Millisecond},
		}
		if s.Last.Method != check.MethodHead {
			s.Last.Method = check.MethodGet
		}
		for a := check.AdvisoryTLSExpiring + 1; a <= check.AdvisoryHeadUnsupported; a++ {
			if rng.IntN(4) == 0 {
				s.Last.Advisories = append(s.Last.Advisories, a)
			}
		}
	}
	return s
}

// The table against a map of sites, over random additions, changes and removals.
func TestATableHoldsWhatWasSaved(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3}, func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		table := newTable()
		want := map[check.SiteID]Site{}
		for step := range 20_000 {
			id := check.SiteID(1 + rng.IntN(300))
			slot, known := table.Find(id)
			if _, is := want[id]; known != is {
				t.Fatalf("step %d: site %d is there: %t", step, id, known)
			}
			switch {
			case !known:
				r := row(id)
				slot = table.Add(&r)
				if got := table.Load(slot); got.Row.URL != r.URL || got.State.Stage != lifecycle.NeverChecked || got.Host != table.hosts.Of(r.URL) || !took(table, &r, slot, Same) {
					t.Fatalf("step %d: added %+v", step, got)
				}
				fallthrough
			case rng.IntN(3) > 0:
				s := some(rng, id)
				table.Save(slot, &s)
				want[id] = s
			default:
				table.Free(slot)
				delete(want, id)
			}
			if step%1000 == 0 {
				table.Tidy()
			}
		}
		whole(t, table, want)
	})
}

// whole compares a table with its expected sites, by id and by bucket.
func whole(t *testing.T, table *Table, want map[check.SiteID]Site) {
	t.Helper()
	if table.Len() != len(want) || table.Slots() > 300 || table.Top() > 300 {
		t.Errorf("%d sites in %d slots up to %d, want %d", table.Len(), table.Slots(), table.Top(), len(want))
	}
	buckets := map[check.BucketID]int{}
	for id, s := range want {
		slot, _ := table.Find(id)
		if got := table.Load(slot); !reflect.DeepEqual(got, s) {
			t.Fatalf("site %d is %+v, want %+v", id, got, s)
		}
		if r := table.Entry(slot); r.ID() != id || r.Sequence() != s.Sequence || r.Host() != s.Host || r.Urgent() != s.Urgent || table.URL(slot) != s.Row.URL {
			t.Fatalf("the entry of site %d is %+v", id, r)
		}
		buckets[s.Row.Bucket]++
	}
	for bucket := range check.BucketID(check.Buckets) {
		n := 0
		for slot, ok := table.First(bucket); ok; slot, ok = table.First(bucket) {
			if id := table.Entry(slot).ID(); want[id].Row.Bucket != bucket {
				t.Fatalf("site %d is in bucket %d", id, bucket)
			}
			table.Free(slot)
			n++
		}
		if n != buckets[bucket] {
			t.Errorf("bucket %d has %d sites, want %d", bucket, n, buckets[bucket])
		}
	}
	if table.Len() != 0 {
		t.Errorf("%d sites are left", table.Len())
	}
}

func TestARecordAbsorbsAGoodCheckOnlyWhenNothingElseChanges(t *testing.T) {
	t.Parallel()
	up := Site{Row: row(1), State: lifecycle.State{Stage: lifecycle.Up, Node: "a"}, LastCheck: start.Add(time.Minute), Host: 9, Last: &check.Observation{Outcome: check.OutcomeUp}}
	good := check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 204, Method: check.MethodGet, ResolvedAddress: "192.0.2.7:443", Timing: check.Timing{Total: 80 * time.Millisecond}}
	for name, tt := range map[string]struct {
		site func(*Site)
		saw  func(*check.Observation)
		want bool
	}{
		"a good check of a site that is up": {want: true},
		"a slow one":                        {saw: func(o *check.Observation) { o.Advisories = []check.Advisory{check.AdvisorySlow} }, want: true},
		"one with a certificate that ends":  {saw: func(o *check.Observation) { o.Advisories = []check.Advisory{check.AdvisoryTLSExpiring} }},
		"one that HEAD was no good for":     {saw: func(o *check.Observation) { o.Advisories = []check.Advisory{check.AdvisoryHeadUnsupported} }},
		"a failure":                         {saw: func(o *check.Observation) { o.Outcome = check.OutcomeDown }},
		"one that could not tell":           {saw: func(o *check.Observation) { o.Outcome = check.OutcomeUnknown }},
		"the first of a site":               {site: func(s *Site) { s.State.Stage = lifecycle.NeverChecked }},
		"one of a site hostile to HEAD":     {site: func(s *Site) { s.HeadHostile = true }},
		"one of a site that is paused":      {site: func(s *Site) { s.State.Stage = lifecycle.Paused }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, r, s, o := newTable(), row(1), up, good
			slot := table.Add(&r)
			if tt.site != nil {
				tt.site(&s)
			}
			if tt.saw != nil {
				tt.saw(&o)
			}
			table.Save(slot, &s)
			before := *table.Entry(slot)
			url, ok := table.Good(slot, "b", start.Add(2*time.Minute), &o)
			if ok != tt.want || ok && url != r.URL {
				t.Fatalf("taken in: %t, of %q", ok, url)
			}
			got := table.Load(slot)
			switch {
			case !ok && *table.Entry(slot) != before:
				t.Error("it left a trace")
			case ok && (got.State.Node != "b" || !got.LastCheck.Equal(start.Add(2*time.Minute)) || got.Last.HTTPStatus != 204 || got.Host != table.hosts.At(o.ResolvedAddress, 0)):
				t.Errorf("remembered %+v, %+v", got, got.Last)
			}
		})
	}
}

func TestAnOlderCheckIsAcceptedAndChangesNothing(t *testing.T) {
	t.Parallel()
	table, r := newTable(), row(1)
	slot := table.Add(&r)
	table.Save(slot, &Site{Row: r, State: lifecycle.State{Stage: lifecycle.Up, Node: "a"}, LastCheck: start.Add(time.Minute), Last: &check.Observation{Outcome: check.OutcomeUp}})
	before := *table.Entry(slot)
	if _, ok := table.Good(slot, "b", start.Add(time.Second), &check.Observation{Outcome: check.OutcomeUp, HTTPStatus: 204}); !ok || *table.Entry(slot) != before {
		t.Errorf("taken in: %t, %+v", ok, table.Load(slot))
	}
}

// took checks how a row relates to the table.
func took(table *Table, r *record.Site, slot schedule.Slot, want Taking) bool {
	got, is := table.Take(r, true)
	return got == slot && is == want
}

func TestHowARowRelatesToTheTable(t *testing.T) {
	t.Parallel()
	table, r := newTable(), row(1)
	if _, is := table.Take(&r, false); is != Unknown || table.Len() != 0 {
		t.Fatalf("a row that no entry can stand for is %v", is)
	}
	slot, is := table.Take(&r, true)
	if is != Added || table.Entry(slot).ID() != 1 || !took(table, &r, slot, Same) {
		t.Fatalf("a new row is %v", is)
	}
	for name, tt := range map[string]struct {
		edit func(*record.Site)
		want Taking
	}{
		"URL":                            {func(s *record.Site) { s.URL += "x" }, Edited},
		"blog":                           {func(s *record.Site) { s.BlogID++ }, Edited},
		"bucket":                         {func(s *record.Site) { s.Bucket++ }, Edited},
		"shard":                          {func(s *record.Site) { s.Bucket += shard.BucketsPer }, Moved},
		"interval":                       {func(s *record.Site) { s.Interval += time.Minute }, Edited},
		"pause":                          {func(s *record.Site) { s.Paused = true }, Edited},
		"settings":                       {func(s *record.Site) { s.Settings.ForbiddenTexts = []string{"x"} }, Edited},
		"nothing but what commits write": {func(s *record.Site) { s.Status, s.StatusSince, s.OutageID = check.StatusDown, start, 7 }, Same},
	} {
		edited, before := r, *table.Entry(slot)
		tt.edit(&edited)
		if !took(table, &edited, slot, tt.want) || *table.Entry(slot) != before {
			_, is := table.Take(&edited, true)
			t.Errorf("an edit of the %s is %v, want %v; the entry is as it was: %t", name, is, tt.want, *table.Entry(slot) == before)
		}
	}
}

func TestNamesBeyondTheLimitShareTheEmptyName(t *testing.T) {
	t.Parallel()
	n := newNames()
	for i := range 1<<16 + 100 {
		if id := n.add(fmt.Sprint(i)); i < 1<<16-1 && n.list[id] != fmt.Sprint(i) || i >= 1<<16-1 && id != 0 {
			t.Fatalf("name %d has number %d", i, id)
		}
	}
	if id := n.add("7"); n.list[id] != "7" {
		t.Error("a name that fitted is lost")
	}
}

func TestTidyFreesTheMemoryOfChangedURLs(t *testing.T) {
	t.Parallel()
	table, r := newTable(), row(1)
	slot := table.Add(&r)
	var old string
	for i := range 200_000 {
		s := table.Load(slot)
		s.Row.URL = fmt.Sprintf("http://example.com/%d", i)
		table.Save(slot, &s)
		if i == 1000 {
			old = table.URL(slot)
		}
		table.Tidy()
	}
	if table.URLBytes() > 3<<20 || table.URL(slot) != "http://example.com/199999" || old != "http://example.com/1000" {
		t.Errorf("%d bytes, the URL is %s and was %s", table.URLBytes(), table.URL(slot), old)
	}
}

func TestAbsorbingAGoodCheckAllocatesNothing(t *testing.T) {
	table := newTable()
	var slots []schedule.Slot
	for id := range check.SiteID(100) {
		r := row(id + 1)
		slot := table.Add(&r)
		table.Save(slot, &Site{Row: r, State: lifecycle.State{Stage: lifecycle.Up, Node: "a"}, Last: &check.Observation{Outcome: check.OutcomeUp}})
		slots = append(slots, slot)
	}
	o := &check.Observation{Outcome: check.OutcomeUp, ResolvedAddress: "192.0.2.7:443"}
	if n := testing.AllocsPerRun(1000, func() {
		for _, slot := range slots {
			table.Good(slot, "a", start.Add(time.Minute), o)
		}
	}); n > 0 {
		t.Errorf("%.1f allocations a hundred checks", n)
	}
}
