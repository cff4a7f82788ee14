package dispatch

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/seeds"
)

// room is a waiting room with checks of one host of two places.
type room struct {
	waiting
	t     *testing.T
	open  openChecks
	clock time.Duration
}

func newRoom(t *testing.T) *room {
	t.Helper()
	return &room{waiting: newWaiting(&Config{PerHost: 2, MaxQueue: 3}), t: t}
}

func (r *room) come(k Check) *entry {
	r.clock++
	e := r.open.add(&k)
	r.admit(e, r.hosts.find(k.Host), r.clock)
	return e
}

// want wants these sites queued, in their order, urgent ones first, and so many parked.
func (r *room) want(parked int, queued ...check.SiteID) {
	r.t.Helper()
	var got []check.SiteID
	for e := range r.all() {
		if e.isQueued() {
			got = append(got, e.check.Site)
		}
	}
	if !slices.Equal(got, queued) || r.hosts.parked != parked || r.queued() != len(queued) {
		r.t.Errorf("queued are %v, parked %d; want %v and %d", got, r.hosts.parked, queued, parked)
	}
	if err := r.audit(); err != nil {
		r.t.Error(err)
	}
}

func TestWaitingForAPlace(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*room){
		"a check without a place is parked until one is free": func(r *room) {
			first := r.come(Check{Site: 1, Host: 7})
			r.come(Check{Site: 2, Host: 7})
			r.come(Check{Site: 3, Host: 7})
			r.come(Check{Site: 4, Host: 8})
			r.come(Check{Site: 5})
			r.want(1, 1, 2, 4, 5)
			r.withdraw(first, r.clock)
			r.want(0, 2, 4, 5, 3)
		},
		"a check that is handed out keeps its place": func(r *room) {
			first := r.come(Check{Site: 1, Host: 7})
			r.come(Check{Site: 2, Host: 7})
			r.come(Check{Site: 3, Host: 7})
			r.dequeue(first)
			r.want(1, 2)
			r.vacate(first.host, r.clock)
			r.want(0, 2, 3)
		},
		"an urgent check takes the place of the routine one that came last": func(r *room) {
			r.come(Check{Site: 1, Host: 7})
			r.come(Check{Site: 2, Host: 7})
			r.come(Check{Site: 3, Host: 7, Urgent: true})
			r.want(1, 3, 1)
			r.come(Check{Site: 4, Host: 7, Urgent: true})
			r.want(2, 3, 4)
			last := r.come(Check{Site: 5, Host: 7, Urgent: true})
			r.want(3, 3, 4)
			r.withdraw(last, r.clock)
			r.want(2, 3, 4)
		},
		"a place goes to urgent checks first, then to those that made way": func(r *room) {
			out := []*entry{r.come(Check{Site: 1, Host: 7}), r.come(Check{Site: 2, Host: 7})}
			for _, e := range out {
				r.dequeue(e)
			}
			r.come(Check{Site: 3, Host: 7})
			r.come(Check{Site: 4, Host: 7, Urgent: true})
			r.want(2)
			r.vacate(out[0].host, r.clock)
			r.want(1, 4)
			r.vacate(out[1].host, r.clock)
			r.want(0, 4, 3)
		},
		"a check that comes back makes way for an urgent one that is parked": func(r *room) {
			out := []*entry{r.come(Check{Site: 1, Host: 7}), r.come(Check{Site: 2, Host: 7})}
			for _, e := range out {
				r.dequeue(e)
			}
			r.come(Check{Site: 3, Host: 7, Urgent: true})
			r.want(1)
			out[0].giveBack("a")
			r.requeue(out[0], r.clock)
			r.want(1, 3)
		},
		"a host without checks is forgotten": func(r *room) {
			r.withdraw(r.come(Check{Site: 1, Host: 7}), r.clock)
			if r.hosts.find(7) != nil || len(r.hosts.free) != 1 {
				r.t.Errorf("host 7 is %+v", r.hosts.find(7))
			}
			r.come(Check{Site: 2, Host: 8})
			r.want(0, 2)
			if len(r.hosts.free) != 0 {
				r.t.Error("the free host is not used again")
			}
		},
		"a crowded host fills the parking, and not the queue": func(r *room) {
			for site := range check.SiteID(4) {
				r.come(Check{Site: site + 1, Host: 7})
			}
			if h := r.hosts.find(7); r.isFull(h) || r.isFull(nil) {
				r.t.Error("two of three are parked and two of three queued, yet no more is taken")
			}
			r.come(Check{Site: 5, Host: 7})
			if h := r.hosts.find(7); !r.isFull(h) || r.isFull(nil) {
				r.t.Error("three of three are parked and two of three queued")
			}
			r.come(Check{Site: 6})
			if !r.isFull(nil) {
				r.t.Error("three of three are queued")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(newRoom(t))
		})
	}
}

// Whatever comes, goes out and comes back: nobody is parked while there is a place, nor
// urgent and parked while a routine check is queued that could make way, as audit says; and
// nobody is lost.
func TestNobodyIsParkedWhileThereIsAPlace(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for n := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, n))
			r := newRoom(t)
			var in, out []*entry
			takeOut := func(from *[]*entry) *entry {
				at := rng.IntN(len(*from))
				e := (*from)[at]
				*from = slices.Delete(*from, at, at+1)
				return e
			}
			for step := range 300 {
				r.clock++
				switch what := rng.IntN(5); {
				case what < 2:
					in = append(in, r.come(Check{Site: check.SiteID(step + 1), Host: rng.Uint32N(4), Urgent: rng.IntN(3) == 0}))
				case what == 2 && len(in) > 0:
					if e := takeOut(&in); e.isQueued() && rng.IntN(3) > 0 {
						r.dequeue(e)
						out = append(out, e)
					} else {
						r.withdraw(e, r.clock)
						r.open.remove(e)
					}
				case what == 3 && len(out) > 0:
					e := takeOut(&out)
					e.giveBack("a")
					r.requeue(e, r.clock)
					in = append(in, e)
				case len(out) > 0:
					e := takeOut(&out)
					r.vacate(e.host, r.clock)
					r.open.remove(e)
				}
				if err := r.audit(); err != nil || r.queued()+r.hosts.parked != len(in) {
					t.Fatalf("room %d, step %d: %v; %d queued and %d parked of %d", n, step, err, r.queued(), r.hosts.parked, len(in))
				}
			}
		}
	})
}
