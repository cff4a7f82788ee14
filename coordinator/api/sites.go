package api

import (
	"context"
	"hash/fnv"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator/store"
	monitorpb "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// sites is the SiteService.
type sites struct {
	monitorpb.UnimplementedSiteServiceServer
	o Options
}

// defaultInterval is v1's.
const defaultInterval = 5 * time.Minute

func (s *sites) ListSites(ctx context.Context, req *monitorpb.ListSitesRequest) (*monitorpb.ListSitesResponse, error) {
	after, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	rows, err := s.o.Store.ListSites(ctx, store.SiteQuery{
		After: check.SiteID(after), Limit: size + 1, BlogID: check.BlogID(req.GetBlogId()),
	})
	if err != nil {
		return nil, err
	}
	resp := &monitorpb.ListSitesResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = token(int64(rows[size-1].ID))
	}
	for _, row := range rows {
		resp.Sites = append(resp.Sites, s.describe(row))
	}
	return resp, nil
}

func (s *sites) GetSite(ctx context.Context, req *monitorpb.GetSiteRequest) (*monitorpb.GetSiteResponse, error) {
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return nil, err
	}
	return &monitorpb.GetSiteResponse{Site: s.describe(row)}, nil
}

func (s *sites) CreateSite(ctx context.Context, req *monitorpb.CreateSiteRequest) (*monitorpb.CreateSiteResponse, error) {
	row := store.Site{Status: check.StatusRunning, Interval: defaultInterval}
	if err := apply(&row, req.GetSite(), createMask); err != nil {
		return nil, err
	}
	row.Bucket = bucketOf(row)
	row, err := s.o.Store.CreateSite(ctx, row)
	if err != nil {
		return nil, err
	}
	s.tell(row)
	return &monitorpb.CreateSiteResponse{Site: s.describe(row)}, nil
}

func (s *sites) UpdateSite(ctx context.Context, req *monitorpb.UpdateSiteRequest) (*monitorpb.UpdateSiteResponse, error) {
	id := check.SiteID(req.GetSite().GetSiteId())
	if id <= 0 {
		return nil, fault.InvalidField("site.site_id", "must be greater than 0")
	}
	mask := req.GetUpdateMask()
	if mask == nil {
		mask = &fieldmaskpb.FieldMask{Paths: createMask}
	}
	row, err := s.o.Store.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := apply(&row, req.GetSite(), mask.GetPaths()); err != nil {
		return nil, err
	}
	if err := s.o.Store.UpdateSite(ctx, row); err != nil {
		return nil, err
	}
	s.tell(row)
	return &monitorpb.UpdateSiteResponse{Site: s.describe(row)}, nil
}

func (s *sites) DeleteSite(ctx context.Context, req *monitorpb.DeleteSiteRequest) (*monitorpb.DeleteSiteResponse, error) {
	id := check.SiteID(req.GetSiteId())
	if err := s.o.Store.DeleteSite(ctx, id, time.Now()); err != nil {
		return nil, err
	}
	s.o.Engine.Remove(time.Now(), id)
	return &monitorpb.DeleteSiteResponse{}, nil
}

// tell hands a row to the engine if its shard is ours; else its owner reads it within a minute.
func (s *sites) tell(row store.Site) {
	for _, shard := range s.o.Owned() {
		if shard == store.ShardOf(row.Bucket) {
			now := time.Now()
			s.o.Engine.Put(now, row)
			s.o.Engine.Soon(now, row.ID)
		}
	}
}

// describe lays the engine's live view over a row.
func (s *sites) describe(row store.Site) *monitorpb.Site {
	site := siteToProto(row)
	if v, ok := s.o.Engine.View(time.Now(), row.ID); ok {
		overlay(site, v)
	}
	return site
}

// bucketOf places a new site: all sites of a blog share a bucket.
func bucketOf(row store.Site) check.BucketID {
	if row.BlogID > 0 {
		return check.BucketID(row.BlogID % check.Buckets)
	}
	h := fnv.New32a()
	h.Write([]byte(row.URL)) // never fails
	return check.BucketID(h.Sum32() % check.Buckets)
}

// token is the page token after the row with this id.
func token(id int64) string { return strconv.FormatInt(id, 36) }

func parseToken(t string) (int64, error) {
	if t == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(t, 36, 64)
	if err != nil || id <= 0 {
		return 0, fault.InvalidField("page_token", "is not a token of this service")
	}
	return id, nil
}
