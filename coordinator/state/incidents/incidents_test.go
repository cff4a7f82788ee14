package incidents_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/rules/shard/shardtest"
	"github.com/Automattic/jetmon/coordinator/state/incidents"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
)

// journal is a store of events and incidents in memory, which fails while err is set.
type journal struct {
	store.Incidents
	mu      sync.Mutex
	err     error
	events  []store.StoredEvent
	written map[int64]*incident.Written
	place   *event.Positions
	told    []string
	// sites are those that are not down and watched, as their rows have them; gone are deleted.
	sites map[check.SiteID]record.Site
	gone  map[check.SiteID]bool
}

func newJournal() *journal { return &journal{written: map[int64]*incident.Written{}} }

// happens commits the change of a site in some shard.
func (j *journal) happens(t *testing.T, kind event.Type, site int) {
	t.Helper()
	j.commit(t, event.Event{
		ID: fmt.Sprint(site, kind, time.Now()), Type: kind, Time: event.At(time.Now()), Site: &event.Site{ID: check.SiteID(site)},
		Status: &event.StatusChange{ResolvedAddress: "192.0.2.7:443"},
	})
}

func (j *journal) commit(t *testing.T, e event.Event) {
	t.Helper()
	s := shard.ID(e.Site.ID % 3)
	body, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	pos := int64(1)
	for _, e := range j.events {
		if e.Shard == s {
			pos = e.Pos + 1
		}
	}
	j.events = append(j.events, store.StoredEvent{Shard: s, Pos: pos, Body: body})
}

func (j *journal) ReadEvents(_ context.Context, after event.Positions, limit int) (page store.EventPage, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	page.Next = after
	for _, e := range j.events {
		page.Heads[e.Shard] = e.Pos
		if e.Pos > after[e.Shard] && len(page.Events) < limit {
			page.Events = append(page.Events, e)
			page.Next[e.Shard] = e.Pos
		}
	}
	return page, j.err
}

func (j *journal) RecentIncidents(context.Context, time.Time) (next int64, all []incident.Written, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	next = 1
	for id := int64(1); id <= int64(len(j.written)); id++ {
		next = id + 1
		all = append(all, incident.Written{Incident: j.written[id].Incident, Sites: slices.Clone(j.written[id].Sites)})
	}
	return next, all, j.err
}

func (j *journal) WriteIncident(_ context.Context, _ shard.Fence, c incident.Change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	i := j.written[c.ID]
	if i == nil {
		i = &incident.Written{}
		j.written[c.ID] = i
	}
	i.Incident = c.Incident
	for _, m := range c.Sites {
		i.Sites = append(slices.DeleteFunc(i.Sites, func(x incident.Member) bool { return x.Site == m.Site }), m)
	}
	if c.Tell != event.TypeNone {
		j.told = append(j.told, fmt.Sprintf("%v %d/%d", c.Tell, c.Down, c.Members))
	}
	return nil
}

func (j *journal) KeepIncidentPlace(_ context.Context, _ shard.Fence, at event.Positions) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.place = &at
	return j.err
}

func (j *journal) IncidentPlace(context.Context) (at event.Positions, ok bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.place == nil {
		return at, false, j.err
	}
	return *j.place, true, j.err
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

func (j *journal) heard() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.told)
}

func (j *journal) SitesByID(_ context.Context, ids []check.SiteID) (found []record.Site, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, id := range ids {
		row, ok := j.sites[id]
		if !ok {
			row = record.Site{ID: id, Status: check.StatusDown}
		}
		if !j.gone[id] {
			found = append(found, row)
		}
	}
	return found, j.err
}

// find runs a finder until it is stopped.
func find(t *testing.T, j *journal, shards ...shard.ID) (stop func()) {
	return findWith(t, incidents.Options{Store: j, Shards: shardtest.New(shards...)})
}

func findWith(t *testing.T, o incidents.Options) (stop func()) {
	o.Rule, o.Log = incident.DefaultRule(), slog.New(slog.DiscardHandler)
	f := incidents.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestOneIncidentWhateverBecomesOfWhoLooks(t *testing.T) {
	t.Parallel()
	opened := []string{"INCIDENT_OPENED 30/30"}
	for name, between := range map[string]func(t *testing.T, j *journal, stop func()) (stopNext func()){
		"nothing": func(_ *testing.T, _ *journal, stop func()) func() { return stop },
		"another takes over": func(t *testing.T, j *journal, stop func()) func() {
			stop()
			return find(t, j, 0)
		},
		"another takes over a minute later": func(t *testing.T, j *journal, stop func()) func() {
			stop()
			time.Sleep(time.Minute)
			return find(t, j, 0)
		},
		"the database goes away": func(_ *testing.T, j *journal, stop func()) func() {
			j.fail(errors.New("away"))
			time.Sleep(30 * time.Second)
			j.fail(nil)
			return stop
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				for site := range 20 { // long before anybody looked
					j.happens(t, event.SiteDown, 1000+site)
				}
				notMine := find(t, j, 3, 4)
				defer notMine()
				stop := find(t, j, 0)
				time.Sleep(5 * time.Second)
				for site := range 15 {
					j.happens(t, event.SiteDown, site)
				}
				time.Sleep(3 * time.Second)
				stop = between(t, j, stop)
				for site := range 15 {
					j.happens(t, event.SiteDown, 15+site)
				}
				time.Sleep(30 * time.Second)
				if diff := cmp.Diff(opened, j.heard()); diff != "" {
					t.Fatal(diff)
				}
				stop = between(t, j, stop)
				for site := range 30 {
					j.happens(t, event.SiteUp, site)
				}
				time.Sleep(time.Second)
				stop = between(t, j, stop)
				time.Sleep(20 * time.Minute)
				stop = between(t, j, stop)
				time.Sleep(5 * time.Minute)
				if diff := cmp.Diff(append(opened, "INCIDENT_RESOLVED 0/30"), j.heard()); diff != "" {
					t.Error(diff)
				}
				if j.place == nil || j.place[1] == 0 {
					t.Error("the place among the events is not kept")
				}
				stop()
			})
		})
	}
}

// Sites whose names do not resolve may share a name server, which is asked for when many fail.
func TestADeadNameServerIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var mu sync.Mutex
		asked := 0
		stop := findWith(t, incidents.Options{
			Store: j, Shards: shardtest.New(0), NameServers: func(_ context.Context, host string) ([]string, error) {
				mu.Lock()
				defer mu.Unlock()
				if asked++; strings.HasPrefix(host, "site7.") {
					return nil, errors.New("no delegation")
				}
				return []string{"ns1.host.example", "ns2.host.example"}, nil
			},
		})
		defer stop()
		fail := func(site int) {
			j.commit(t, event.Event{
				ID: fmt.Sprint(site), Type: event.SiteDown, Time: event.At(time.Now()),
				Site:   &event.Site{ID: check.SiteID(site), URL: fmt.Sprintf("https://site%d.example/", site)},
				Status: &event.StatusChange{Failure: "FAILURE_KIND_DNS"},
			})
		}
		j.happens(t, event.SiteDown, 500)
		time.Sleep(7 * time.Hour) // what is usual is known
		for site := range 9 {
			fail(site + 1)
		}
		time.Sleep(time.Minute)
		mu.Lock()
		if asked != 0 {
			t.Errorf("name servers were looked up %d times for nine failures", asked)
		}
		mu.Unlock()
		for site := range 6 {
			fail(site + 10)
		}
		time.Sleep(time.Minute)
		if got := j.heard(); len(got) != 0 { // in the first hours it takes ten times as many
			t.Errorf("heard %v of 14 failures, when nobody knows how many are usual", got)
		}
		for site := range 100 {
			fail(site + 20)
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"INCIDENT_OPENED 114/114"}, j.heard()); diff != "" {
			t.Error(diff)
		}
	})
}

// Nothing is told of a site that is deleted, paused or given another URL while it is down. An
// incident ends without it.
func TestAnIncidentEndsWithoutSitesOfWhichNothingMoreIsHeard(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(j *journal, id check.SiteID){
		"deleted": func(j *journal, id check.SiteID) { j.gone[id] = true },
		"paused": func(j *journal, id check.SiteID) {
			j.sites[id] = record.Site{ID: id, Status: check.StatusConfirmedDown, Paused: true}
		},
		"given another URL": func(j *journal, id check.SiteID) {
			j.sites[id] = record.Site{ID: id, Status: check.StatusDown, Inherited: true}
		},
		"back, by an event that is kept no longer": func(j *journal, id check.SiteID) {
			j.sites[id] = record.Site{ID: id, Status: check.StatusRunning}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				stop := find(t, j, 0)
				time.Sleep(5 * time.Second)
				for site := range 2500 {
					j.happens(t, event.SiteDown, site+1)
				}
				time.Sleep(30 * time.Second)
				j.mu.Lock()
				j.sites, j.gone = map[check.SiteID]record.Site{}, map[check.SiteID]bool{}
				for site := range 2400 {
					leave(j, check.SiteID(site+1))
				}
				j.mu.Unlock()
				time.Sleep(20 * time.Second)
				if heard := j.heard(); len(heard) != 1 {
					t.Errorf("heard %v while the database may be behind", heard)
				}
				time.Sleep(5 * time.Minute)
				stop()
				stop = find(t, j, 0)
				time.Sleep(5 * time.Minute)
				stop()
				if diff := cmp.Diff([]string{"INCIDENT_OPENED 2500/2500", "INCIDENT_RESOLVED 100/2500"}, j.heard()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
