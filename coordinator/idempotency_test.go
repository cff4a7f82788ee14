package coordinator_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/mariadb"
)

// silenced is the store of a coordinator that dies after a commit, before it can answer.
type silenced struct {
	store.Store
	made atomic.Int64
}

// CreateSiteOnce implements store.Keys.
func (s *silenced) CreateSiteOnce(ctx context.Context, key store.Key, site record.Site) (record.Site, error) {
	row, err := s.Store.CreateSiteOnce(ctx, key, site)
	s.made.Store(int64(row.ID))
	if err == nil {
		<-ctx.Done()
		err = fault.New(fault.Unavailable, "it is dead: %w", ctx.Err())
	}
	return row, err
}

func TestASiteThatItsOwnerMadeBeforeItDiedIsNotMadeAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	dsn := mariadb.Start(t)
	synctest.Test(t, func(t *testing.T) {
		owner := &silenced{}
		a := fleet(t, dsn, rpc.NewMemory(), share{"a", 0, 255, nil}, share{"b", 256, 511, func(o *coordinator.Options) {
			owner.Store = o.Store
			o.Store = owner
		}})["a"]
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		req := &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 300, Url: "http://example.com/", Tags: []string{"x"}}, IdempotencyKey: "key"}
		for range 2 {
			made, err := a.sites.CreateSite(ctx, req)
			if err != nil || made.GetSite().GetSiteId() != owner.made.Load() {
				t.Fatalf("%v, %v; the owner made %d", made, err, owner.made.Load())
			}
			ctx = t.Context()
		}
	})
}

func TestAKeyIsOfOneCallerAndOneSite(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	sites := monitorv1.NewSiteServiceClient(r.conn)
	one, other := as(t, r.token(t, []int64{7, 8}, "sites:read", "sites:write")), as(t, r.token(t, []int64{7, 8}, "sites:read", "sites:write"))
	create := func(ctx context.Context, blog int64, url string) (*monitorv1.Site, error) {
		resp, err := sites.CreateSite(ctx, &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: blog, Url: url}, IdempotencyKey: "7f0c"})
		return resp.GetSite(), err
	}
	first, err := create(one, 7, "http://a.example/")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := create(one, 7, "http://a.example/"); err != nil || again.GetSiteId() != first.GetSiteId() {
		t.Errorf("again: %v, %v", again, err)
	}
	if _, err := create(one, 7, "http://b.example/"); status.Code(err) != codes.InvalidArgument || fieldOf(err) != "idempotency_key" {
		t.Errorf("another site: %v", err)
	}
	if _, err := create(other, 7, "http://a.example/"); status.Code(err) != codes.AlreadyExists {
		t.Errorf("another caller, the same site: %v", err)
	}
	if _, err := create(other, 8, "http://a.example/"); err != nil {
		t.Errorf("another caller, another site: %v", err)
	}
	if _, err := r.store.UpdateSite(t.Context(), 1, time.Now(), func(row record.Site) (record.Site, error) { row.BlogID = 99; return row, nil }); err != nil {
		t.Fatal(err)
	}
	if got, err := create(one, 7, "http://a.example/"); status.Code(err) != codes.NotFound {
		t.Errorf("a site that has gone to another blog: %v, %v", got, err)
	}
}
