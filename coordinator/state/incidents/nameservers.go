package incidents

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/incident"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/check"
)

const (
	// maxNameless bounds the failures whose name servers are not known yet.
	maxNameless = 1000
	// lookups bounds the questions at once, lookupTime all those of one look.
	lookups    = 16
	lookupTime = 5 * time.Second
)

// nameless are recent failures of sites whose names do not resolve: what they share, if anything,
// is a name server, which no check has seen.
type nameless struct {
	waiting []failure
	// asking is until when name servers are looked up at once, since many such sites fail.
	asking time.Time
}

// failure is one of them.
type failure struct {
	site check.SiteID
	host string
	at   time.Time
}

// note keeps a failure by DNS.
func (n *nameless) note(e *event.Event) {
	if e.Type != event.SiteDown || e.Status.Failure != "FAILURE_KIND_"+check.FailureDNS.String() {
		return
	}
	if host := record.Locate(e.Site.URL).Host; host != "" && len(n.waiting) < maxNameless {
		n.waiting = append(n.waiting, failure{e.Site.ID, host, e.Time.Time})
	}
}

// nameServers looks up the name servers of sites whose names do not resolve, once so many of
// them fail within the rule's Window that they may be an incident. Nobody is asked about the few
// that fail at any time.
func (f *Finder) nameServers(ctx context.Context, now time.Time) {
	n := &f.nameless
	n.waiting = slices.DeleteFunc(n.waiting, func(x failure) bool { return now.Sub(x.at) > f.o.Rule.Window })
	if f.o.NameServers == nil || len(n.waiting) == 0 || len(n.waiting) < f.o.Rule.Sites && now.After(n.asking) {
		return
	}
	n.asking = now.Add(f.o.Rule.Window)
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(lookups)
	var mu sync.Mutex
	found := make(map[check.SiteID][]incident.Shared, len(n.waiting))
	for _, x := range n.waiting {
		g.Go(func() error {
			names, err := f.o.NameServers(ctx, x.host)
			if err != nil {
				return nil // nobody knows
			}
			mu.Lock()
			defer mu.Unlock()
			for _, name := range names {
				found[x.site] = append(found[x.site], incident.Shared{Cause: incident.NameServer, Value: name})
			}
			return nil
		})
	}
	_ = g.Wait() // no error
	n.waiting = nil
	for site, shared := range found {
		f.watch.Share(now, site, shared...)
	}
}
