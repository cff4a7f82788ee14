package coordinator_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// moving is a store in which somebody gives a site to another blog just after a call has read
// it.
type moving struct {
	store.Store
	next atomic.Bool
}

const newBlog = 8

func (m *moving) move(ctx context.Context, id check.SiteID) error {
	_, err := m.Store.UpdateSite(ctx, id, time.Now(), func(row record.Site) (record.Site, error) {
		row.BlogID = newBlog
		return row, nil
	})
	return err
}

// Site implements store.Sites.
func (m *moving) Site(ctx context.Context, id check.SiteID) (record.Site, error) {
	row, err := m.Store.Site(ctx, id)
	if err == nil && m.next.Swap(false) {
		err = m.move(ctx, id)
	}
	return row, err
}

func TestASiteThatGoesToAnotherBlogDuringAnEditIsNotThere(t *testing.T) {
	t.Parallel()
	var m *moving
	r := guardedWith(t, func(o *coordinator.Options) {
		m = &moving{Store: o.Store}
		o.Store = m
	})
	mine := r.token(t, []int64{7}, "sites:read", "sites:write")
	sites := monitorv1.NewSiteServiceClient(r.conn)
	update := func(change func(*monitorv1.Site), paths ...string) func(context.Context, int64) error {
		return func(ctx context.Context, id int64) error {
			req := &monitorv1.UpdateSiteRequest{Site: &monitorv1.Site{SiteId: id}, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}
			change(req.GetSite())
			_, err := sites.UpdateSite(ctx, req)
			return err
		}
	}
	interval := durationpb.New(time.Minute)
	for name, edit := range map[string]func(context.Context, int64) error{
		"taken back":            update(func(s *monitorv1.Site) { s.BlogId = 7 }, "blog_id"),
		"edited":                update(func(s *monitorv1.Site) { s.CheckInterval = interval }, "check_interval"),
		"taken back and edited": update(func(s *monitorv1.Site) { s.BlogId, s.CheckInterval = 7, interval }, "blog_id", "check_interval"),
		"deleted": func(ctx context.Context, id int64) error {
			_, err := sites.DeleteSite(ctx, &monitorv1.DeleteSiteRequest{SiteId: id})
			return err
		},
	} {
		made, err := sites.CreateSite(as(t, mine), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 7, Url: fmt.Sprintf("http://%x.example/", name)}})
		if err != nil {
			t.Fatal(err)
		}
		m.next.Store(true)
		id := made.GetSite().GetSiteId()
		if err := edit(as(t, mine), id); status.Code(err) != codes.NotFound || status.Convert(err).Message() != fmt.Sprintf("there is no site %d", id) {
			t.Errorf("%s: %v", name, err)
		}
		row, err := r.store.Site(t.Context(), check.SiteID(id))
		if err != nil || row.BlogID != newBlog || row.Interval != made.GetSite().GetCheckInterval().AsDuration() {
			t.Errorf("%s: the site is %+v, %v", name, row, err)
		}
	}
}

// An outage belongs to the blog that the site had when it went down.
func TestASiteThatCameFromAnotherBlogWhileDownCanBeExplained(t *testing.T) {
	t.Parallel()
	r := guarded(t)
	mine := r.token(t, []int64{newBlog}, "sites:read")
	sites := monitorv1.NewSiteServiceClient(r.conn)
	made, err := sites.CreateSite(as(t, r.token(t, nil, "admin")), &monitorv1.CreateSiteRequest{Site: &monitorv1.Site{BlogId: 7, Url: "http://came.example/"}})
	if err != nil {
		t.Fatal(err)
	}
	id := made.GetSite().GetSiteId()
	r.outage(t, id)
	if err := (&moving{Store: r.store}).move(t.Context(), check.SiteID(id)); err != nil {
		t.Fatal(err)
	}
	got, err := sites.ExplainSite(as(t, mine), &monitorv1.ExplainSiteRequest{SiteId: id})
	if err != nil || got.GetExplanation().GetOutage() != nil {
		t.Errorf("%v, %v", got, err)
	}
}
