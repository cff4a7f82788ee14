package alarm

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

var noon = time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return noon.Add(d) }

// only returns the one condition of a kind, or none; it fails on more.
func only(t *testing.T, kind Kind, all []Condition) (Condition, bool) {
	t.Helper()
	var found []Condition
	for _, c := range all {
		if c.Kind == kind {
			found = append(found, c)
		}
	}
	if len(found) > 1 {
		t.Fatalf("%d conditions of kind %s: %v", len(found), kind, found)
	}
	if len(found) == 0 {
		return Condition{}, false
	}
	return found[0], true
}

func TestNothingIsWrongWithACoordinatorThatHasACheckerAndSaysNothingElse(t *testing.T) {
	t.Parallel()
	f := Facts{Started: noon, Checkers: []Checker{{Node: "a"}}, Schedule: Schedule{Stretch: 1, Coverage: 1, Known: true}}
	if got := Evaluate(f, at(time.Hour)); len(got) != 0 {
		t.Errorf("wrong is %v", got)
	}
}

func TestWhatIsWrongWithCheckers(t *testing.T) {
	t.Parallel()
	healthy, unhealthy := Checker{Node: "a"}, Checker{Node: "b", UnhealthySince: noon}
	outlier, both := Checker{Node: "c", QuarantinedSince: noon}, Checker{Node: "d", UnhealthySince: noon, QuarantinedSince: noon}
	for name, tt := range map[string]struct {
		checkers []Checker
		want     []Kind
	}{
		"all are healthy":                         {[]Checker{healthy, healthy}, nil},
		"each quarantine is a condition":          {[]Checker{healthy, outlier, outlier}, []Kind{KindQuarantine, KindQuarantine}},
		"those that miss their anchors are one":   {[]Checker{healthy, unhealthy, unhealthy}, []Kind{KindConnectivity}},
		"a sick network explains a quarantine":    {[]Checker{both, both}, []Kind{KindConnectivity}},
		"another process wants a name":            {[]Checker{{Node: "e", Rival: Rival{Instance: "2", Since: noon}}}, []Kind{KindNameTaken}},
		"different trouble gives two conditions":  {[]Checker{outlier, unhealthy}, []Kind{KindQuarantine, KindConnectivity}},
		"without checkers nothing is wrong there": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []Kind
			for _, c := range Evaluate(Facts{Checkers: tt.checkers}, at(time.Minute)) {
				got = append(got, c.Kind)
				if !c.Since.Equal(noon) {
					t.Errorf("it began at %v", c.Since)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSuspectsAreNoNewsOfTheirOwnWhileTheWholeNetworkIsSick(t *testing.T) {
	t.Parallel()
	held := make([]Undecided, 100)
	f := Facts{Checkers: []Checker{{Node: "a", UnhealthySince: noon}}, Undecided: held, UndecidedCount: 4321}
	got := Evaluate(f, at(time.Minute))
	const want = "1 of 1 checkers do not reach their own anchors, their failures do not count: a (); 4321 suspects are undecided"
	if len(got) != 1 || got[0].Message != want || Unlisted(f) != 0 {
		t.Errorf("wrong is %v, and %d more", got, Unlisted(f))
	}
	f.Checkers = append(f.Checkers, Checker{Node: "b"})
	if got := Evaluate(f, at(time.Minute)); len(got) != 101 || Unlisted(f) != 4221 {
		t.Errorf("wrong are %d, and %d more", len(got), Unlisted(f))
	}
}

func TestWhatIsWrongWithTheStore(t *testing.T) {
	t.Parallel()
	failing := at(-time.Hour)
	waits := func(n int, oldest time.Duration) Store { return Store{Uncommitted: n, OldestSince: at(oldest)} }
	uncertain := func(s Store, d time.Duration) Store {
		s.Uncertain, s.UncertainSince = 16, at(d)
		return s
	}
	for name, tt := range map[string]struct {
		store Store
		want  string
		since time.Time
	}{
		"changes that wait for 10 s are not": {waits(7, -10*time.Second), "", time.Time{}},
		"too many changes are": {Store{Uncommitted: 70, Full: true},
			"the database accepts status changes too slowly (70 wait); judging waits until it catches up", time.Time{}},
		"a database that refuses is": {Store{Uncommitted: 7, FailingSince: failing, Err: "away"},
			"the database does not accept status changes (7 wait): away", failing},
		"a database that has refused for long is": {Store{Uncommitted: 70, Full: true, FailingSince: failing, Err: "away"},
			"the database does not accept status changes (70 wait): away; judging waits until it catches up", failing},
		"one change that waits for 11 s is": {waits(1, -11*time.Second),
			"the database accepts status changes too slowly (1 waits, for 11 s)", at(-11 * time.Second)},
		"the oldest of several is": {waits(2, -time.Minute),
			"the database accepts status changes too slowly (2 wait, the oldest for 60 s)", at(-time.Minute)},
		"leases that cannot be renewed are, though nothing waits": {uncertain(Store{}, -12*time.Second),
			"the leases of 16 shards have not been renewed for 12 s: while the database cannot be reached, nothing is written for their sites (0 changes wait)", at(-12 * time.Second)},
		"and when something waits": {uncertain(waits(3, -time.Minute), -72*time.Second),
			"the leases of 16 shards have not been renewed for 72 s: while the database cannot be reached, nothing is written for their sites (3 changes wait)", at(-72 * time.Second)},
		"the older of two signs says since when": {uncertain(Store{Uncommitted: 3, FailingSince: at(-time.Minute), Err: "away"}, -72*time.Second),
			"the database does not accept status changes (3 wait): away; the leases of 16 shards have not been renewed for 72 s", at(-72 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, wrong := only(t, KindStore, Evaluate(Facts{Store: tt.store}, noon))
			if wrong != (tt.want != "") || got.Message != tt.want || !got.Since.Equal(tt.since) {
				t.Errorf("got %q since %v, want %q since %v", got.Message, got.Since, tt.want, tt.since)
			}
		})
	}
}

func TestWhenCheckersDoNotKeepUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		after    time.Duration
		schedule Schedule
		none     bool
		want     string
	}{
		"the first five minutes say nothing": {5*time.Minute - 1, Schedule{1.5, 0.5, true}, false, ""},
		"a stretch of 5 % is none":           {5 * time.Minute, Schedule{Stretch: 1.05}, false, ""},
		"without checkers another alarm is":  {5 * time.Minute, Schedule{9, 0, true}, true, ""},
		"more stretch":                       {6 * time.Minute, Schedule{Stretch: 1.5}, false, "checkers do not keep up: intervals are stretched by 1.50"},
		"stretch and late checks":            {7 * time.Minute, Schedule{1.2, 0.985, true}, false, "checkers do not keep up: intervals are stretched by 1.20, 98.5 % of the checks were made on time"},
		"99 % on time is enough":             {8 * time.Minute, Schedule{1, 0.99, true}, false, ""},
		"late checks alone":                  {9 * time.Minute, Schedule{1, 0.1, true}, false, "checkers do not keep up: 10.0 % of the checks were made on time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := Facts{Started: noon, Schedule: tt.schedule}
			if tt.none {
				f.NoCheckersSince = noon
			}
			got, wrong := only(t, KindOverload, Evaluate(f, at(tt.after)))
			if wrong != (tt.want != "") || wrong && got.Message != tt.want {
				t.Errorf("got %v, want %q", got, tt.want)
			}
		})
	}
}

func TestShardsThatNobodyOwnsAreNamedByRanges(t *testing.T) {
	t.Parallel()
	const long, short = 31 * time.Second, 30 * time.Second
	for name, tt := range map[string]struct {
		ages  map[int]time.Duration
		want  string
		since time.Duration
	}{
		"all are owned":                {nil, "", 0},
		"a takeover is given its time": {map[int]time.Duration{3: short}, "", 0},
		"one is late":                  {map[int]time.Duration{3: long, 4: short}, "nobody owns shards 3 (buckets 48-63): their sites are not checked", long},
		"the first, the last and some in a row are one condition, since the oldest": {
			map[int]time.Duration{0: long, 7: long, 8: time.Hour, 9: long, 31: long},
			"nobody owns shards 0 (buckets 0-15), 7-9 (buckets 112-159), 31 (buckets 496-511): their sites are not checked", time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f Facts
			for shard := range 32 {
				if age, ok := tt.ages[shard]; ok {
					f.Unowned = append(f.Unowned, Unowned{Shard: shard, FirstBucket: check.BucketID(shard * 16), LastBucket: check.BucketID(shard*16 + 15), Since: noon.Add(-age)})
				}
			}
			got, wrong := only(t, KindUnowned, Evaluate(f, noon))
			if wrong != (tt.want != "") || wrong && (got.Message != tt.want || noon.Sub(got.Since) != tt.since) {
				t.Errorf("got %v, want %q", got, tt.want)
			}
		})
	}
}

func TestTheOtherConditionsComeFromTheirFacts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		facts Facts
		kind  Kind
		wrong bool
		want  string
	}{
		"nobody checks for 15 s":   {Facts{NoCheckersSince: at(-15 * time.Second)}, KindNoCheckers, false, ""},
		"nobody checks for longer": {Facts{NoCheckersSince: at(-16 * time.Second)}, KindNoCheckers, true, "no checker is connected, nothing is checked"},
		"WordPress.com refuses":    {Facts{Delivery: Delivery{RefusedSince: noon, LastError: "503"}}, KindDelivery, true, "WordPress.com does not accept notifications: 503"},
		"a subscription refuses": {Facts{Delivery: Delivery{Endpoints: []Endpoint{{Name: "ops", PausedSince: noon, Why: "HTTP status 401", Pending: 3, Oldest: at(-time.Hour)}}}},
			KindDelivery, true, `subscription "ops" is paused, its endpoint refuses us: HTTP status 401; 3 deliveries wait`},
		"a subscription waits for a minute": {Facts{Delivery: Delivery{Endpoints: []Endpoint{{Name: "ops", Pending: 3, Oldest: at(-time.Minute)}}}}, KindDelivery, false, ""},
		"a subscription waits for longer": {Facts{Delivery: Delivery{Endpoints: []Endpoint{{Name: "ops", Pending: 3, Oldest: at(-61 * time.Second)}, {Name: "well"}}}},
			KindDelivery, true, `3 deliveries wait for subscription "ops", the oldest for more than 1m0s`},
		"what waits for WordPress.com is said once": {Facts{Delivery: Delivery{RefusedSince: noon, LastError: "503", Endpoints: []Endpoint{{WordPressCom: true, Oldest: at(-time.Hour), PausedSince: noon}}}},
			KindDelivery, true, "WordPress.com does not accept notifications: 503"},
		"an old error is no alarm":    {Facts{Delivery: Delivery{LastError: "503"}}, KindDelivery, false, ""},
		"a peer that does not answer": {Facts{Peers: []Peer{{Node: "b", Endpoint: "b:1", FailingSince: noon, Detail: "refused"}}}, KindPeer, true, "coordinator b at b:1 cannot be asked: refused"},
		"rows of buckets that do not exist": {Facts{Strays: Strays{Rows: 12, First: -3, Last: 700, Since: noon}}, KindUnowned, true,
			"12 active rows have buckets from -3 to 700, and there are 0 to 511: their sites are not checked"},
		"readers that disagree": {Facts{Disagreements: []Disagreement{{Site: 7, URL: "u", Since: noon, Veriflier: "eu1", Saw: "the engine saw a loop, another reader a page"}}},
			KindReadersDisagree, true, "the readers of veriflier eu1 disagree, its vote counts for nothing: the engine saw a loop, another reader a page"},
		"an undecided suspect": {Facts{Undecided: []Undecided{{Site: 7, URL: "u", Since: noon, Reason: "nobody answers"}}, UndecidedCount: 1}, KindInconclusive, true, "undecided, nothing is sent: nobody answers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, wrong := only(t, tt.kind, Evaluate(tt.facts, noon))
			if wrong != tt.wrong || wrong && got.Message != tt.want {
				t.Errorf("got %v, want %q", got, tt.want)
			}
		})
	}
}

// Every kind must be reachable, or its row in the docs and its metric would mean nothing.
func TestEveryKindHasANameAndFactsThatRaiseIt(t *testing.T) {
	t.Parallel()
	f := Facts{
		Checkers:        []Checker{{Node: "a", UnhealthySince: noon}, {Node: "b", QuarantinedSince: noon, Rival: Rival{Since: noon}}},
		NoCheckersSince: noon,
		Undecided:       []Undecided{{Site: 1, Since: noon}}, UndecidedCount: 1,
		Disagreements: []Disagreement{{Site: 1, Since: noon}},
		Store:         Store{Full: true},
		Delivery:      Delivery{RefusedSince: noon},
		Unowned:       []Unowned{{Since: noon}},
		Peers:         []Peer{{Node: "c", FailingSince: noon}},
		Verifliers:    []Veriflier{{Name: "v", Since: noon}},
	}
	all := Evaluate(f, at(time.Hour))
	f.NoCheckersSince, f.Schedule.Stretch = time.Time{}, 2
	all = append(all, Evaluate(f, at(time.Hour))...)
	for _, k := range Kinds() {
		if !slices.ContainsFunc(all, func(c Condition) bool { return c.Kind == k }) {
			t.Errorf("no facts raise %s", k)
		}
		if name := k.String(); name == "" || name == "unspecified" || name[0] == 'k' {
			t.Errorf("kind %d is called %q", k, name)
		}
	}
}

func TestAVeriflierThatCannotVoteIsAnAlarmAfterItWasAskedAgain(t *testing.T) {
	t.Parallel()
	f := Facts{Started: noon, Checkers: []Checker{{Node: "a"}}, Verifliers: []Veriflier{
		{Name: "eu1", Region: "eu", Since: noon, Detail: `answered as "Veriflier 1"`},
		{Name: "us1", Region: "us", Since: at(10 * time.Second), Detail: "Unavailable"},
	}}
	if got := Evaluate(f, at(15*time.Second)); len(got) != 0 {
		t.Errorf("after 15 s: %v", got)
	}
	c, ok := only(t, KindVeriflier, Evaluate(f, at(16*time.Second)))
	if !ok || c.Subject != "eu1" || c.Message != `veriflier eu1 (eu) cannot vote: answered as "Veriflier 1"` || !c.Since.Equal(noon) {
		t.Errorf("after 16 s: %+v", c)
	}
	if n := len(Evaluate(f, at(time.Minute))); n != 2 {
		t.Errorf("after a minute there are %d", n)
	}
}

// The network of all fails, verifliers and checkers: that is one alarm, and stays one. When it is
// back, verifliers are asked again before they are called unable to vote.
func TestANetworkThatIsCutOffIsOneAlarm(t *testing.T) {
	t.Parallel()
	f := Facts{Started: noon, Checkers: []Checker{{Node: "a", UnhealthySince: noon}, {Node: "b", UnhealthySince: noon}}, Verifliers: []Veriflier{
		{Name: "eu1", Region: "eu", Since: noon, Detail: "is not well itself", Offline: true},
		{Name: "us1", Region: "us", Since: noon, Detail: "is not well itself", Offline: true},
	}, UndecidedCount: 2, CutOff: at(time.Hour)}
	got := Evaluate(f, at(time.Hour))
	if len(got) != 1 || got[0].Kind != KindConnectivity ||
		!strings.HasSuffix(got[0].Message, "; nor do the verifliers eu1 (eu), us1 (us); 2 suspects are undecided") {
		t.Errorf("after an hour: %+v", got)
	}
	f.Verifliers[1].Offline = false // it has another name
	if c, ok := only(t, KindVeriflier, Evaluate(f, at(time.Hour))); !ok || c.Subject != "us1" {
		t.Errorf("what has nothing to do with the network: %+v", c)
	}
	f.Verifliers[1].Offline = true
	f.Checkers[0].UnhealthySince = time.Time{}
	if c, ok := only(t, KindConnectivity, Evaluate(f, at(time.Hour+15*time.Second))); !ok || strings.Contains(c.Message, "verifliers") {
		t.Errorf("when one checker is well: %+v", c)
	}
	f.Checkers[1].UnhealthySince = time.Time{}
	if got := Evaluate(f, at(time.Hour+15*time.Second)); len(got) != 0 {
		t.Errorf("15 s after the checkers are back: %+v", got)
	}
	got = Evaluate(f, at(time.Hour+16*time.Second))
	if len(got) != 2 || got[0].Kind != KindVeriflier || !got[0].Since.Equal(noon) {
		t.Errorf("16 s after: %+v", got)
	}
}
