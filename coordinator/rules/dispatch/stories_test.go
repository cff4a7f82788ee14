package dispatch_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/internal/check"
)

// on submits routine checks of sites that are on one host.
func (d *desk) on(host uint32, sites ...check.SiteID) {
	d.t.Helper()
	for _, s := range sites {
		d.submit(dispatch.Check{Site: s, Sequence: 1, Host: host})
	}
}

func (d *desk) wantSites(got dispatch.Batch, want ...check.SiteID) {
	d.t.Helper()
	if !slices.Equal(sitesOf(got), want) {
		d.t.Fatalf("got the sites %v, want %v", sitesOf(got), want)
	}
}

func (d *desk) wantNothing() {
	d.t.Helper()
	if got := d.Assign(d.now); got != nil {
		d.t.Fatalf("handed out %+v", got)
	}
}

func (d *desk) wantParked(n int) {
	d.t.Helper()
	if d.Parked() != n {
		d.t.Fatalf("%d parked, want %d", d.Parked(), n)
	}
}

// The desk lets two checks of a host be out at once.
var politeness = map[string]func(*desk){
	"of a host no more are out than may be, and the rest hold up nobody": func(d *desk) {
		a := d.join("a", 10)
		d.on(7, 1, 2, 3, 4)
		d.on(8, 5)
		d.sites(6, 6)
		b := d.one()
		d.wantSites(b, 1, 2, 5, 6)
		d.wantParked(2)
		if d.Queued() != 0 || d.Open() != 6 {
			d.t.Errorf("%d queued, %d open", d.Queued(), d.Open())
		}
		d.wantClasses(a, b.Ref, []check.SiteID{1}, accepted)
		d.wantSites(d.one(), 3)
		d.wantNothing()
	},
	"the limit is one over all sessions": func(d *desk) {
		d.join("a", 10)
		d.on(7, 1)
		d.one()
		d.join("b", 10)
		d.on(7, 2, 3)
		d.one()
		d.wantNothing()
		d.wantParked(1)
	},
	"an urgent check goes before the routine ones of its host": func(d *desk) {
		a := d.join("a", 0)
		d.on(7, 1, 2, 3)
		d.submit(dispatch.Check{Site: 4, Sequence: 1, Host: 7, Urgent: true}, dispatch.Check{Site: 5, Sequence: 1, Host: 7, Urgent: true}, dispatch.Check{Site: 6, Sequence: 1, Host: 7, Urgent: true})
		if err := d.Grant(a, 10); err != nil {
			d.t.Fatal(err)
		}
		b := d.one()
		d.wantSites(b, 4, 5)
		d.wantClasses(a, b.Ref, []check.SiteID{4, 5}, accepted, accepted)
		d.wantSites(d.one(), 6, 1) // the one that had been queued first comes first again
		d.wantParked(2)
	},
	"what comes back undone keeps its place, unless an urgent one waits": func(d *desk) {
		a := d.join("a", 10)
		d.on(7, 1, 2, 3)
		b := d.one()
		d.submit(dispatch.Check{Site: 4, Sequence: 1, Host: 7, Urgent: true})
		d.wantParked(2)
		if err := d.Release(d.now, a, b.Ref); err != nil {
			d.t.Fatal(err)
		}
		d.wantSites(d.one(), 4, 2)
		d.wantParked(2)
	},
	"a withdrawn check is out as long as its checker has it": func(d *desk) {
		a := d.join("a", 10)
		d.on(7, 1, 2, 3, 4)
		b := d.one()
		d.Withdraw(1)
		d.Withdraw(4)
		d.wantNothing()
		d.wantClasses(a, b.Ref, []check.SiteID{1}, late)
		d.wantSites(d.one(), 3)
	},
	"a lost session has nothing out": func(d *desk) {
		a := d.join("a", 10)
		d.on(7, 1, 2, 3)
		d.one()
		d.Withdraw(1)
		d.Leave(d.now, a)
		d.wantParked(0)
		d.join("b", 10)
		d.wantSites(d.one(), 2, 3)
	},
	"the crowd of one host fills no queue, and is bounded": func(d *desk) {
		for i := range 52 {
			d.on(7, check.SiteID(i+1))
		}
		d.wantParked(50)
		if err := d.Submit(d.now, dispatch.Check{Site: 99, Host: 7}); !errors.Is(err, dispatch.ErrFull) {
			d.t.Error(err)
		}
		for i := range 48 {
			d.on(0, check.SiteID(i+100))
		}
		if err := d.Submit(d.now, dispatch.Check{Site: 99}); !errors.Is(err, dispatch.ErrFull) {
			d.t.Error(err)
		}
	},
}

var credit = map[string]func(*desk){
	"the backlog is the age of the oldest routine check that waits for credit": func(d *desk) {
		a := d.join("a", 1)
		d.on(7, 1, 2, 3)
		d.submit(dispatch.Check{Site: 4, Urgent: true})
		if d.one(); d.Backlog(d.now) != 0 {
			d.t.Error(d.Backlog(d.now))
		}
		d.wait(2)
		d.sites(5, 5)
		d.wait(1)
		if got := d.Backlog(d.now); got != 3*time.Second {
			d.t.Error(got)
		}
		if err := d.Grant(a, 10); err != nil {
			d.t.Fatal(err)
		}
		d.one()
		d.wait(1)
		if d.wantParked(1); d.Backlog(d.now) != 0 {
			d.t.Errorf("a parked check waits for no credit: %v", d.Backlog(d.now))
		}
	},
	"a check that waits for another node is no backlog until it may go anywhere": func(d *desk) {
		d.join("a", 0)
		d.join("b", 0)
		d.submit(dispatch.Check{Site: 1, Avoid: "a"})
		d.wait(4.9)
		if got := d.Backlog(d.now); got != 0 {
			d.t.Error(got)
		}
		d.wait(0.1)
		if got := d.Backlog(d.now); got != 5*time.Second {
			d.t.Error(got)
		}
	},
}

// rejoin joins a node anew, as another session of the same process.
func (d *desk) rejoin(h dispatch.Hello, resume ...dispatch.Ref) dispatch.SessionID {
	d.t.Helper()
	id, _, err := d.Join(d.now, h, resume)
	if err != nil {
		d.t.Error(err)
	}
	return id
}

var resuming = map[string]func(*desk){
	"a batch goes on in a new session of its process, with what is open and not elsewhere": func(d *desk) {
		h := dispatch.Hello{Node: "a", Instance: "1", MaxInFlight: 10}
		a := d.rejoin(h)
		if err := d.Grant(a, 10); err != nil {
			d.t.Fatal(err)
		}
		d.sites(1, 4)
		b := d.one()
		d.wantClasses(a, b.Ref, []check.SiteID{1}, accepted)
		d.wait(30)
		d.Leave(d.now, a)
		d.join("b", 1)
		d.wantSites(d.one(), 2)
		d.Withdraw(3)
		a = d.rejoin(h, b.Ref)
		d.wantSession(a, 1, 0)
		if unknown, err := d.Heartbeat(d.now, a, []dispatch.Ref{b.Ref}); err != nil || unknown != nil {
			d.t.Errorf("unknown %v, %v", unknown, err)
		}
		d.wait(1)
		d.wantClasses(a, b.Ref, []check.SiteID{3}, late)
		d.wantSession(a, 1, 0)
		d.wantClasses(a, b.Ref, []check.SiteID{4, 1}, accepted, duplicate)
		d.wantSession(a, 0, 0)
		d.wantClasses(a, b.Ref, []check.SiteID{2}, accepted) // the first valid result wins
		if d.Open() != 0 {
			d.t.Errorf("%d open", d.Open())
		}
	},
	"a batch keeps its lease when it is resumed, and cannot be when that is over": func(d *desk) {
		h := dispatch.Hello{Node: "a", Instance: "1", MaxInFlight: 10}
		d.joinAs(h)
		d.sites(1, 1)
		b := d.one()
		d.wait(10)
		a := d.rejoin(h, b.Ref)
		for range 9 {
			d.wait(5)
			if _, err := d.Heartbeat(d.now, a, []dispatch.Ref{b.Ref}); err != nil {
				d.t.Fatal(err)
			}
			if _, expired := d.Expire(d.now); expired != nil {
				d.t.Fatalf("early: %v", expired)
			}
		}
		d.wait(5)
		if _, expired := d.Expire(d.now); !slices.Equal(expired, []dispatch.Expired{{Session: a, Ref: b.Ref}}) {
			d.t.Error(expired)
		}
		d.wantSession(d.rejoin(h, b.Ref), 0, 0)
	},
	"another process, another node and a wrong id resume nothing": func(d *desk) {
		h := dispatch.Hello{Node: "a", Instance: "1", MaxInFlight: 10}
		d.joinAs(h)
		d.sites(1, 1)
		b := d.one()
		wrong := dispatch.Ref{Batch: b.Ref.Batch, Checkout: b.Ref.Checkout + 1}
		d.wantSession(d.rejoin(h, wrong, dispatch.Ref{Batch: 77, Checkout: 1}), 0, 0)
		h.Node = "b"
		d.wantSession(d.rejoin(h, b.Ref), 0, 0)
		h.Node, h.Instance = "a", "2"
		d.wait(10)
		a := d.rejoin(h, b.Ref)
		d.wantSession(a, 0, 0)
		if unknown, err := d.Heartbeat(d.now, a, []dispatch.Ref{b.Ref}); err != nil || !slices.Equal(unknown, []dispatch.Ref{b.Ref}) {
			d.t.Errorf("unknown %v, %v", unknown, err)
		}
	},
	"no more is resumed than the session may have": func(d *desk) {
		h := dispatch.Hello{Node: "a", Instance: "1", MaxInFlight: 15}
		d.joinAs(h)
		d.sites(1, 15)
		batches := d.Assign(d.now)
		h.MaxInFlight = 9
		d.wantSession(d.rejoin(h, batches[0].Ref, batches[1].Ref, batches[1].Ref), 5, 0)
	},
}

func (d *desk) joinAs(h dispatch.Hello) dispatch.SessionID {
	d.t.Helper()
	id := d.rejoin(h)
	if err := d.Grant(id, h.MaxInFlight); err != nil {
		d.t.Fatal(err)
	}
	return id
}

var fencing = map[string]func(*desk){
	"a result of a fenced check is stale, from all who had it": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		first := d.one()
		d.expireLease(a)
		b := d.join("b", 10)
		second := d.one()
		d.Fence(1)
		d.Fence(9)
		stale := dispatch.Stale
		d.wantClasses(a, first.Ref, []check.SiteID{1}, stale)
		d.wantClasses(b, second.Ref, []check.SiteID{1}, stale)
		d.wantClasses(b, second.Ref, []check.SiteID{1}, stale)
		if r, _ := d.checkIn(b, second.Ref, 1); r.Stale != 1 || d.Open() != 0 {
			d.t.Errorf("%+v, %d open", r, d.Open())
		}
	},
	"a batch with nothing worth an answer ends, and its room is free": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 3)
		b := d.one()
		d.Withdraw(1)
		d.Fence(2)
		if got := d.Obsolete(d.now); got != nil {
			d.t.Errorf("with a check open: %v", got)
		}
		d.wantClasses(a, b.Ref, []check.SiteID{3}, accepted)
		d.wantSession(a, 2, 7)
		if got := d.Obsolete(d.now); !slices.Equal(got, []dispatch.Expired{{Session: a, Ref: b.Ref}}) {
			d.t.Error(got)
		}
		d.wantSession(a, 0, 7)
		if got := d.Obsolete(d.now); got != nil {
			d.t.Errorf("twice: %v", got)
		}
		d.wantClasses(a, b.Ref, []check.SiteID{1, 2}, late, dispatch.Stale)
	},
	"an obsolete batch that is not asked for ends with its lease": func(d *desk) {
		a := d.join("a", 10)
		d.sites(1, 1)
		d.one()
		d.Withdraw(1)
		d.expireLease(a)
		d.wantSession(a, 0, 9)
	},
}

var growing = map[string]func(*desk){
	"a session that is alone has all it may have at once": func(d *desk) {
		a := d.joinWith("a", 1000)
		d.many(900)
		d.Assign(d.now)
		d.wantSession(a, 900, 100)
	},
	"a session that joins others grows from a tenth to all in ten seconds": func(d *desk) {
		a, b := d.joinWith("a", 1), d.joinWith("b", 2000)
		d.Drain(a)
		c := d.joinWith("c", 2000)
		d.many(4000)
		for _, step := range []struct {
			wait float64
			want int
		}{{0, 200}, {5, 1100}, {4, 1820}, {1, 2000}} {
			d.wait(step.wait)
			d.Assign(d.now)
			d.wantSession(c, step.want, 2000-step.want)
		}
		d.wantSession(b, 2000, 0)
	},
	"a hundred are never too many for a new session": func(d *desk) {
		d.joinWith("a", 1)
		b, c := d.joinWith("b", 50), d.joinWith("c", 400)
		d.many(900)
		d.Assign(d.now)
		d.wantSession(b, 50, 0)
		d.wantSession(c, 100, 300)
	},
	"a process that resumes is not new": func(d *desk) {
		d.joinWith("a", 1)
		h := dispatch.Hello{Node: "b", Instance: "1", MaxInFlight: 1000}
		d.joinAs(h)
		d.sites(1, 5)
		batches := d.Assign(d.now)
		b := d.rejoin(h, batches[len(batches)-1].Ref)
		if err := d.Grant(b, 900); err != nil {
			d.t.Fatal(err)
		}
		d.many(950)
		d.Assign(d.now)
		for _, i := range d.Sessions() {
			if i.ID == b && i.Credit != 0 {
				d.t.Errorf("credit %d is unspent", i.Credit)
			}
		}
	},
}

// many queues checks of new sites, more than the queue takes from routine ones.
func (d *desk) many(n int) {
	d.t.Helper()
	for i := range n {
		d.submit(dispatch.Check{Site: check.SiteID(100_000 + i), Sequence: 1, Urgent: true})
	}
}

// Without a slow start a session has all at once.
func TestSlowStartCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	d := &desk{Core: dispatch.New(dispatch.Config{SlowStart: -1, Random: func() uint64 { return 1 }}), t: t, now: at(0)}
	a, b := d.joinWith("a", 1000), d.joinWith("b", 1000)
	d.many(2000)
	d.Assign(d.now)
	d.wantSession(a, 1000, 0)
	d.wantSession(b, 1000, 0)
}
