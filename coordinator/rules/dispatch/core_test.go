package dispatch_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/check"
)

// desk is a Core with a clock and short ways to say things.
type desk struct {
	*dispatch.Core
	t   *testing.T
	now time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	random := uint64(1000)
	config := dispatch.Config{MaxBatch: 10, MaxQueue: 50, PerHost: 2, Random: func() uint64 { random++; return random }}
	return &desk{Core: dispatch.New(config), t: t, now: at(0)}
}

func (d *desk) wait(seconds float64) {
	d.now = d.now.Add(time.Duration(seconds * float64(time.Second)))
}

func (d *desk) join(node string, credit int) dispatch.SessionID {
	d.t.Helper()
	id := d.rejoin(dispatch.Hello{Node: node, MaxInFlight: 100})
	if err := d.Grant(id, credit); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// joinWith joins a node with as much credit as it may have.
func (d *desk) joinWith(node string, maxInFlight int) dispatch.SessionID {
	d.t.Helper()
	id := d.rejoin(dispatch.Hello{Node: node, MaxInFlight: maxInFlight})
	if err := d.Grant(id, maxInFlight); err != nil {
		d.t.Fatal(err)
	}
	return id
}

func (d *desk) submit(checks ...dispatch.Check) {
	d.t.Helper()
	for _, k := range checks {
		if err := d.Submit(d.now, k); err != nil {
			d.t.Fatalf("submit %+v: %v", k, err)
		}
	}
}

func (d *desk) sites(from, to int) {
	d.t.Helper()
	for i := from; i <= to; i++ {
		d.submit(dispatch.Check{Site: check.SiteID(i), Sequence: 1})
	}
}

// one assigns and wants exactly one batch.
func (d *desk) one() dispatch.Batch {
	d.t.Helper()
	batches := d.Assign(d.now)
	if len(batches) != 1 {
		d.t.Fatalf("%d batches, want one: %+v", len(batches), batches)
	}
	return batches[0]
}

func (d *desk) checkIn(id dispatch.SessionID, ref dispatch.Ref, sites ...check.SiteID) (dispatch.Receipt, error) {
	keys := make([]dispatch.Key, len(sites))
	for i, s := range sites {
		keys[i] = dispatch.Key{Site: s, Sequence: 1}
	}
	return d.CheckIn(d.now, id, ref, keys)
}

func (d *desk) wantClasses(id dispatch.SessionID, ref dispatch.Ref, sites []check.SiteID, want ...dispatch.Class) {
	d.t.Helper()
	r, err := d.checkIn(id, ref, sites...)
	if err != nil || !slices.Equal(r.Classes, want) {
		d.t.Fatalf("check-in of %v: %v, %v, want %v", sites, r.Classes, err, want)
	}
}

func (d *desk) wantSession(id dispatch.SessionID, out, credit int) {
	d.t.Helper()
	for _, i := range d.Sessions() {
		if i.ID == id {
			if i.Open != out || i.Credit != credit {
				d.t.Fatalf("session %d has %d out and credit %d, want %d and %d", id, i.Open, i.Credit, out, credit)
			}
			return
		}
	}
	d.t.Fatalf("no session %d", id)
}

func sitesOf(batches ...dispatch.Batch) []check.SiteID {
	var sites []check.SiteID
	for _, b := range batches {
		for _, k := range b.Checks {
			sites = append(sites, k.Site)
		}
	}
	return sites
}

const (
	accepted  = dispatch.Accepted
	duplicate = dispatch.Duplicate
	late      = dispatch.Late
)

var queueing = map[string]func(*desk){
	"a site has one open check, queued or out": func(d *desk) {
		d.sites(1, 1)
		again := func() error { return d.Submit(d.now, dispatch.Check{Site: 1, Sequence: 2}) }
		if err := again(); !errors.Is(err, dispatch.ErrOpen) {
			d.t.Errorf("while queued: %v", err)
		}
		a := d.join("a", 10)
		b := d.one()
		if err := again(); !errors.Is(err, dispatch.ErrOpen) {
			d.t.Errorf("while out: %v", err)
		}
		d.wantClasses(a, b.Ref, []check.SiteID{1}, accepted)
		if err := again(); err != nil {
			d.t.Errorf("after its result: %v", err)
		}
	},
	"a full queue takes urgent checks only": func(d *desk) {
		d.sites(1, 50)
		if err := d.Submit(d.now, dispatch.Check{Site: 51}); !errors.Is(err, dispatch.ErrFull) {
			d.t.Errorf("routine: %v", err)
		}
		d.submit(dispatch.Check{Site: 52, Urgent: true})
	},
	"a check without a site is refused": func(d *desk) {
		if err := d.Submit(d.now, dispatch.Check{}); !errors.Is(err, dispatch.ErrInvalid) {
			d.t.Error(err)
		}
	},
	"urgent checks go first, then the oldest": func(d *desk) {
		d.sites(1, 3)
		d.submit(dispatch.Check{Site: 9, Urgent: true}, dispatch.Check{Site: 4}, dispatch.Check{Site: 8, Urgent: true})
		d.join("a", 4)
		if got := sitesOf(d.one()); !slices.Equal(got, []check.SiteID{9, 8, 1, 2}) {
			d.t.Error(got)
		}
	},
	"no more goes out than was granted": func(d *desk) {
		a := d.join("a", 3)
		d.sites(1, 9)
		b := d.one()
		d.wantSession(a, 3, 0)
		if more := d.Assign(d.now); more != nil {
			d.t.Errorf("without credit: %+v", more)
		}
		// A result makes room to grant; it is no credit by itself.
		d.wantClasses(a, b.Ref, []check.SiteID{1, 2}, accepted, accepted)
		if more := d.Assign(d.now); more != nil {
			d.t.Errorf("without new credit: %+v", more)
		}
		if err := d.Grant(a, 2); err != nil {
			d.t.Error(err)
		}
		d.wantSession(a, 1, 2)
		d.one()
		d.wantSession(a, 3, 0)
	},
	"credit over what hello allowed is cut, and said so": func(d *desk) {
		a := d.join("a", 90)
		d.sites(1, 5)
		d.one()
		if err := d.Grant(a, 11); !errors.Is(err, dispatch.ErrOverCredit) {
			d.t.Error(err)
		}
		d.wantSession(a, 5, 95)
	},
	"credit is not taken back": func(d *desk) {
		a := d.join("a", 9)
		if err := d.Grant(a, -1); !errors.Is(err, dispatch.ErrInvalid) {
			d.t.Error(err)
		}
		d.wantSession(a, 0, 9)
	},
	"checks are shared by what a session may have, in batches of limited size": func(d *desk) {
		a, b := d.joinWith("a", 300), d.joinWith("b", 100)
		d.sites(1, 50)
		got := map[dispatch.SessionID]int{}
		for _, batch := range d.Assign(d.now) {
			got[batch.Session] += len(batch.Checks)
			if len(batch.Checks) > 10 {
				d.t.Errorf("a batch of %d", len(batch.Checks))
			}
		}
		if got[a] < 34 || got[a] > 47 || got[b] > 16 || got[a]+got[b] != 50 {
			d.t.Errorf("%v, want about 37 and 13, bounds 47 and 16", got)
		}
	},
	"equals take turns": func(d *desk) {
		d.join("a", 50)
		d.join("b", 50)
		got := map[dispatch.SessionID]int{}
		for i := range 40 {
			d.sites(i+1, i+1)
			b := d.one()
			got[b.Session]++
		}
		if len(got) != 2 || got[1] < 15 || got[2] < 15 {
			d.t.Errorf("%v of 40", got)
		}
	},
	"a draining session gets nothing and finishes what it has": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		d.Drain(a)
		d.sites(2, 2)
		if more := d.Assign(d.now); more != nil {
			d.t.Errorf("%+v", more)
		}
		d.wantClasses(a, b.Ref, []check.SiteID{1}, accepted)
	},
	"a withdrawn check is not handed out": func(d *desk) {
		d.sites(1, 3)
		d.Withdraw(2)
		d.Withdraw(7)
		d.join("a", 10)
		if got := sitesOf(d.one()); !slices.Equal(got, []check.SiteID{1, 3}) || d.Has(2) {
			d.t.Error(got)
		}
	},
}

var sparing = map[string]func(*desk){
	"a re-check goes to another node": func(d *desk) {
		a, b := d.join("a", 90), d.join("b", 10)
		d.submit(dispatch.Check{Site: 1, Avoid: "a", Urgent: true})
		if got := d.one(); got.Session != b {
			d.t.Errorf("went to %d, not %d; %d is to be avoided", got.Session, b, a)
		}
	},
	"a re-check does not wait when there is no other node": func(d *desk) {
		a := d.join("a", 10)
		d.submit(dispatch.Check{Site: 1, Avoid: "a", Urgent: true})
		if got := d.one(); got.Session != a {
			d.t.Errorf("%+v", got)
		}
	},
	"a re-check waits 5 seconds for a node that is busy, and holds up nobody": func(d *desk) {
		a := d.join("a", 10)
		d.join("b", 0)
		d.submit(dispatch.Check{Site: 1, Avoid: "a", Urgent: true}, dispatch.Check{Site: 2, Urgent: true}, dispatch.Check{Site: 3})
		if got := sitesOf(d.one()); !slices.Equal(got, []check.SiteID{2, 3}) {
			d.t.Error(got)
		}
		d.wait(4.9)
		if got := d.Assign(d.now); got != nil {
			d.t.Errorf("%+v", got)
		}
		d.wait(0.1)
		if got := d.one(); got.Session != a {
			d.t.Errorf("%+v", got)
		}
	},
	"a node that drains is no other node": func(d *desk) {
		d.join("a", 10)
		d.Drain(d.join("b", 10))
		d.submit(dispatch.Check{Site: 1, Avoid: "a"})
		d.one()
	},
	"what a node lost goes to another, before new checks": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 2)
		d.one()
		b := d.join("b", 1)
		d.sites(3, 3)
		d.Leave(d.now, a)
		d.join("a", 90)
		if got := d.Assign(d.now); len(got) != 2 || got[0].Session != b || sitesOf(got[0])[0] != 1 || sitesOf(got[1])[0] == 1 {
			d.t.Errorf("%+v", got)
		}
	},
	"what was lost goes before what was submitted meanwhile": func(d *desk) {
		a := d.join("a", 1)
		d.sites(1, 2)
		d.one()
		d.Leave(d.now, a)
		b := d.join("b", 1)
		if got := d.one(); got.Session != b || sitesOf(got)[0] != 1 {
			d.t.Errorf("%+v", got)
		}
	},
	"with only the node to avoid and the one that lost the check, the latter may": func(d *desk) {
		b := d.join("b", 10)
		d.submit(dispatch.Check{Site: 1, Avoid: "a"})
		lost := d.one()
		d.join("a", 10)
		if err := d.Release(d.now, b, lost.Ref); err != nil {
			d.t.Fatal(err)
		}
		if got := d.one(); got.Session != b {
			d.t.Errorf("%+v", got)
		}
	},
}

var losing = map[string]func(*desk){
	"a session that is silent for 15 seconds is lost, and its checks go out again": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 2)
		d.one()
		d.wait(14.9)
		if lost, _ := d.Expire(d.now); lost != nil {
			d.t.Errorf("early: %v", lost)
		}
		d.wait(0.1)
		if lost, refs := d.Expire(d.now); !slices.Equal(lost, []dispatch.SessionID{a}) || refs != nil {
			d.t.Errorf("%v, %v", lost, refs)
		}
		d.join("b", 10)
		if got := d.one(); !slices.Equal(sitesOf(got), []check.SiteID{1, 2}) || got.Checks[0].Sequence != 1 {
			d.t.Errorf("%+v", got)
		}
	},
	"a lease ends after 60 seconds, heartbeats or not": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 2)
		b := d.one()
		for range 12 {
			if _, refs := d.Expire(d.now); refs != nil {
				d.t.Fatalf("early: %v", refs)
			}
			d.wait(5)
			if _, err := d.Heartbeat(d.now, a, []dispatch.Ref{b.Ref}); err != nil {
				d.t.Fatal(err)
			}
		}
		if _, refs := d.Expire(d.now); !slices.Equal(refs, []dispatch.Expired{{Session: a, Ref: b.Ref}}) || d.Queued() != 2 {
			d.t.Errorf("%v, %d queued", refs, d.Queued())
		}
		// The checker drops the batch or finishes it: in both cases it has room again.
		d.wantSession(a, 0, 8)
	},
	"a newer session of a process supersedes the older": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		d.one()
		_, superseded, err := d.Join(d.now, dispatch.Hello{Node: "a", MaxInFlight: 5}, nil)
		if err != nil || !slices.Equal(superseded, []dispatch.SessionID{a}) || d.Queued() != 1 {
			d.t.Errorf("%v, %v, %d queued", superseded, err, d.Queued())
		}
		if err := d.Grant(a, 1); !errors.Is(err, dispatch.ErrNoSession) {
			d.t.Errorf("the older one: %v", err)
		}
	},
	"a batch that a heartbeat does not name is queued again, unless it is new": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		old := d.one()
		d.wait(5)
		d.sites(2, 2)
		d.one()
		d.wait(0.1)
		stray := dispatch.Ref{Batch: 77, Checkout: 1}
		wrong := dispatch.Ref{Batch: old.Ref.Batch, Checkout: 1}
		unknown, err := d.Heartbeat(d.now, a, []dispatch.Ref{stray, wrong})
		if err != nil || !slices.Equal(unknown, []dispatch.Ref{stray, wrong}) || d.Queued() != 1 {
			d.t.Errorf("unknown %v, %v, %d queued", unknown, err, d.Queued())
		}
	},
	"a batch given back is queued again": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 3)
		b := d.one()
		d.wantClasses(a, b.Ref, []check.SiteID{2}, accepted)
		if err := d.Release(d.now, a, dispatch.Ref{Batch: b.Ref.Batch}); !errors.Is(err, dispatch.ErrMismatch) {
			d.t.Errorf("with the wrong id: %v", err)
		}
		if err := d.Release(d.now, a, b.Ref); err != nil || d.Queued() != 2 || d.Has(2) {
			d.t.Errorf("%v, %d queued", err, d.Queued())
		}
		if err := d.Release(d.now, a, b.Ref); !errors.Is(err, dispatch.ErrNotCheckedOut) {
			d.t.Errorf("again: %v", err)
		}
	},
	"a session that is not there can do nothing": func(d *desk) {
		_, beat := d.Heartbeat(d.now, 9, nil)
		_, in := d.checkIn(9, dispatch.Ref{Batch: 1, Checkout: 1}, 1)
		for what, err := range map[string]error{
			"grant": d.Grant(9, 1), "release": d.Release(d.now, 9, dispatch.Ref{}), "heartbeat": beat,
		} {
			if !errors.Is(err, dispatch.ErrNoSession) {
				d.t.Errorf("%s: %v", what, err)
			}
		}
		if !errors.Is(in, dispatch.ErrNotCheckedOut) {
			d.t.Errorf("check-in: %v", in)
		}
		d.Leave(d.now, 9)
		d.Drain(9)
	},
}

var checkingIn = map[string]func(*desk){
	"a batch may be checked in in parts; a result counts once": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 3)
		b := d.one()
		d.wantClasses(a, b.Ref, []check.SiteID{3}, accepted)
		d.wantClasses(a, b.Ref, []check.SiteID{1, 3, 1}, accepted, duplicate, duplicate)
		d.wantClasses(a, b.Ref, []check.SiteID{2}, accepted)
		d.wantClasses(a, b.Ref, []check.SiteID{1, 2, 3}, duplicate, duplicate, duplicate)
		d.wantSession(a, 0, 7)
	},
	"the wrong checkout id changes nothing": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		if _, err := d.checkIn(a, dispatch.Ref{Batch: b.Ref.Batch, Checkout: b.Ref.Checkout + 1}, 1); !errors.Is(err, dispatch.ErrMismatch) || !d.Has(1) {
			d.t.Error(err)
		}
	},
	"one check too many in a check-in, and nothing of it is applied": func(d *desk) {
		a := d.join("a", 2)
		d.sites(1, 3)
		b := d.one()
		for _, foreign := range []dispatch.Key{{Site: 3, Sequence: 1}, {Site: 2, Sequence: 2}, {Site: 99, Sequence: 1}} {
			if _, err := d.CheckIn(d.now, a, b.Ref, []dispatch.Key{{Site: 1, Sequence: 1}, foreign}); !errors.Is(err, dispatch.ErrMismatch) || !d.Has(1) {
				d.t.Errorf("with %v: %v", foreign, err)
			}
		}
	},
	"a check-in of nothing, or of more than a batch holds, is invalid": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		for what, keys := range map[string][]dispatch.Key{"nothing": nil, "too much": make([]dispatch.Key, 11)} {
			if _, err := d.CheckIn(d.now, a, b.Ref, keys); !errors.Is(err, dispatch.ErrInvalid) {
				d.t.Errorf("%s: %v", what, err)
			}
		}
		if _, err := d.checkIn(a, dispatch.Ref{}, 1); !errors.Is(err, dispatch.ErrInvalid) {
			d.t.Errorf("no batch: %v", err)
		}
	},
	"another session's batch is not checked out": func(d *desk) {
		d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		thief := d.join("b", 10)
		if _, err := d.checkIn(thief, b.Ref, 1); !errors.Is(err, dispatch.ErrNotCheckedOut) || !d.Has(1) {
			d.t.Error(err)
		}
	},
	"a result after the lease counts while the check waits": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		d.expireLease(a)
		d.wantClasses(a, b.Ref, []check.SiteID{1}, accepted)
		if d.Open() != 0 {
			d.t.Errorf("%d open", d.Open())
		}
	},
	"a result after the lease counts while another has the check, whose own is late": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		first := d.one()
		d.expireLease(a)
		b := d.join("b", 10)
		second := d.one()
		d.wantClasses(a, first.Ref, []check.SiteID{1}, accepted)
		d.wantClasses(a, first.Ref, []check.SiteID{1}, duplicate)
		d.wantClasses(b, second.Ref, []check.SiteID{1}, late)
		d.wantClasses(b, second.Ref, []check.SiteID{1}, late)
		d.wantSession(b, 0, 9)
	},
	"a node that reconnects can check in what its lost session had": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		d.Leave(d.now, a)
		d.wantClasses(d.join("a", 10), b.Ref, []check.SiteID{1}, accepted)
	},
	"a result of a withdrawn check is late, and gives its room back": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 2)
		b := d.one()
		d.Withdraw(1)
		d.wantSession(a, 2, 8)
		d.wantClasses(a, b.Ref, []check.SiteID{1, 2}, late, accepted)
		d.wantSession(a, 0, 8)
	},
	"a result of a withdrawn check does not count for a later one of the same number": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		d.Withdraw(1)
		d.sites(1, 1)
		d.wantClasses(a, b.Ref, []check.SiteID{1}, late)
		if !d.Has(1) {
			d.t.Error("the later check is gone")
		}
	},
	"a batch is forgotten five minutes after its end": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		b := d.one()
		d.expireLease(a)
		d.wait(299)
		d.Expire(d.now)
		again := d.join("a", 0)
		if _, err := d.checkIn(again, b.Ref, 2); !errors.Is(err, dispatch.ErrMismatch) {
			d.t.Errorf("before: %v", err)
		}
		d.wait(1)
		d.Expire(d.now)
		again = d.join("a", 0)
		if _, err := d.checkIn(again, b.Ref, 1); !errors.Is(err, dispatch.ErrNotCheckedOut) {
			d.t.Errorf("after: %v", err)
		}
	},
}

func (d *desk) expireLease(id dispatch.SessionID) {
	d.t.Helper()
	d.wait(60)
	if _, err := d.checkIn(id, dispatch.Ref{}); err == nil { // A sign of life.
		d.t.Fatal("a check-in of nothing was taken")
	}
	if _, refs := d.Expire(d.now); len(refs) == 0 {
		d.t.Fatal("no lease expired")
	}
}

func TestCore(t *testing.T) {
	t.Parallel()
	for _, table := range []map[string]func(*desk){
		queueing, sparing, losing, checkingIn, politeness, credit, resuming, fencing, growing, naming,
	} {
		for name, story := range table {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				story(d)
				if err := d.Audit(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// What is remembered of ended batches is bounded in count too.
func TestMemoryOfEndedBatchesIsBounded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.join("a", 10)
	var first dispatch.Ref
	for i := range 30_000 {
		d.sites(1, 10)
		b := d.one()
		if i == 0 {
			first = b.Ref
		}
		d.wantClasses(a, b.Ref, []check.SiteID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, slices.Repeat([]dispatch.Class{accepted}, 10)...)
		if err := d.Grant(a, 10); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Audit(); err != nil {
		t.Error(err)
	}
	if _, err := d.checkIn(a, first, 1); !errors.Is(err, dispatch.ErrNotCheckedOut) {
		t.Errorf("the first of many batches: %v", err)
	}
}
