package gateway

import (
	"fmt"
	"strings"
)

// statusSet are the public pages at one time.
type statusSet struct {
	token string
	views map[string]*statusView // by name
}

// SetStatusPages replaces the public pages and the token of the API with which their sites are read.
// A page that stays as it is keeps what was made of it. An error changes nothing.
func (g *Gateway) SetStatusPages(pages []StatusPage, token string) error {
	if err := checkStatusPages(pages); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	next, present := &statusSet{token: token, views: map[string]*statusView{}}, g.statuses.Load()
	for _, p := range pages {
		next.views[p.Name] = newStatus(p, g, token)
		if present == nil || present.token != token {
			continue
		}
		if kept := present.views[p.Name]; kept != nil && kept.of == next.views[p.Name].of {
			next.views[p.Name] = kept
		}
	}
	g.statuses.Store(next)
	return nil
}

// statusAt returns the public page at a path.
func (g *Gateway) statusAt(path string) (page, bool) {
	name, ok := strings.CutPrefix(path, statusPrefix)
	if !ok {
		return page{}, false
	}
	view := g.statuses.Load().views[name]
	if view == nil {
		return page{}, false
	}
	return page{show: view.show, keep: statusKeep}, true
}
