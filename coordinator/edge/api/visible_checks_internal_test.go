package api

import (
	"context"
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/history"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// readable is a store with blobs.
type readable struct{ store.Store }

// Checks implements store.Checks.
func (readable) Checks(context.Context, []check.BucketID, history.Hour, history.Hour, func(store.CheckRow) error) error {
	return nil
}

// CheckDays implements store.Checks.
func (readable) CheckDays(context.Context, store.DaySpan, []store.PartKey, func(store.DayRow) error) error {
	return nil
}

// BucketDays implements store.Checks.
func (readable) BucketDays(context.Context, store.DaySpan, check.BucketID, func(store.DayRow) error) error {
	return nil
}

// FleetDays implements store.Checks.
func (readable) FleetDays(context.Context, history.Day, history.Day) ([]store.FleetRow, error) {
	return nil, nil
}

func TestTheChecksOfAllBlogsAreNotReadForALimitedCaller(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		caller access.Caller
		want   bool
	}{
		{access.Caller{TokenID: 1, Scopes: access.SitesRead}, true},
		{access.Caller{TokenID: 1, Scopes: access.SitesRead, Blogs: []check.BlogID{1}}, false},
		{access.Caller{TokenID: 1, Scopes: access.SitesRead, Blogs: []check.BlogID{}}, false},
	} {
		ctx, v := access.With(t.Context(), tt.caller), visible{readable{}}
		_, fleet := v.FleetDays(ctx, 0, 1)
		for name, err := range map[string]error{
			"Checks":     v.Checks(ctx, nil, 0, 1, nil),
			"CheckDays":  v.CheckDays(ctx, store.DaySpan{}, nil, nil),
			"BucketDays": v.BucketDays(ctx, store.DaySpan{}, 0, nil),
			"FleetDays":  fleet,
		} {
			if (err == nil) != tt.want || !tt.want && !fault.Is(err, fault.Denied) {
				t.Errorf("%v: %s: %v", tt.caller, name, err)
			}
		}
	}
}
