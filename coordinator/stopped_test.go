package coordinator_test

import (
	"context"
	"fmt"
	"strings"
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
	"github.com/Automattic/jetmon/internal/check"
)

// stopped is a database that answers nothing while it is away: neither questions whether it is
// there nor others.
type stopped struct {
	store.Store
	away atomic.Bool
}

func (m *stopped) wait(ctx context.Context) error {
	if !m.away.Load() {
		return nil
	}
	<-ctx.Done()
	return fmt.Errorf("dial tcp 10.1.2.3:3306: %w", ctx.Err())
}

// Ping implements store.Store.
func (m *stopped) Ping(ctx context.Context) error {
	if err := m.wait(ctx); err != nil {
		return err
	}
	return m.Store.Ping(ctx)
}

// Site implements store.Sites.
func (m *stopped) Site(ctx context.Context, id check.SiteID) (record.Site, error) {
	if err := m.wait(ctx); err != nil {
		return record.Site{}, err
	}
	return m.Store.Site(ctx, id)
}

func TestACallEndsSoonWhenTheDatabaseIsStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var db *stopped
		r := startWith(t, func(o *coordinator.Options) {
			db = &stopped{Store: o.Store}
			o.Store = db
		})
		site := r.create(t, "http://a.example/")
		for range 2 {
			db.away.Store(true)
			for _, most := range []time.Duration{2500 * time.Millisecond, 500 * time.Millisecond} {
				began := time.Now()
				_, err := monitorv1.NewSiteServiceClient(r.conn).GetSite(t.Context(), &monitorv1.GetSiteRequest{SiteId: site.GetSiteId()})
				if took := time.Since(began); status.Code(err) != codes.Unavailable || took > most {
					t.Errorf("a call ends after %v with %v", took, err)
				}
				if text := status.Convert(err).Message(); strings.Contains(text, "10.1.2.3") {
					t.Errorf("it tells %q", text)
				}
				time.Sleep(2 * time.Second)
			}
			if got := r.health(t); got != notServing {
				t.Errorf("5 s without an answer it is %v", got)
			}
			db.away.Store(false)
			time.Sleep(3 * time.Second)
			if got := r.health(t); got != serving {
				t.Errorf("3 s after the first answer it is %v", got)
			}
		}
	})
}
