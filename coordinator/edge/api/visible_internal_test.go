package api

import (
	"context"
	"testing"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// all is a store whose sites are found by their status.
type all struct{ store.Store }

// FindStanding implements store.Standings.
func (all) FindStanding(context.Context, store.StandingQuery) (store.StandingPage, error) {
	return store.StandingPage{IDs: []check.SiteID{1}}, nil
}

func TestTheSitesOfAllBlogsAreNotSearchedForALimitedCaller(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		caller access.Caller
		want   bool
	}{
		{access.Caller{TokenID: 1, Scopes: access.SitesRead}, true},
		{access.Caller{TokenID: 1, Scopes: access.SitesRead, Blogs: []check.BlogID{1}}, false},
		{access.Caller{TokenID: 1, Scopes: access.SitesRead, Blogs: []check.BlogID{}}, false},
	} {
		page, err := visible{all{}}.FindStanding(access.With(t.Context(), tt.caller), store.StandingQuery{})
		if found := err == nil && len(page.IDs) == 1; found != tt.want || !tt.want && !fault.Is(err, fault.Denied) {
			t.Errorf("%v: %v, %v", tt.caller, page, err)
		}
	}
}
