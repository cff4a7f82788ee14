package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// sites is the SiteService.
type sites struct {
	monitorv1.UnimplementedSiteServiceServer
	o Options
}

// defaultInterval is the default of v1.
const defaultInterval = 5 * time.Minute

func (s *sites) GetSite(ctx context.Context, req *monitorv1.GetSiteRequest) (*monitorv1.GetSiteResponse, error) {
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return nil, err
	}
	return &monitorv1.GetSiteResponse{Site: s.o.live(ctx, []record.Site{row})[0]}, nil
}

func (s *sites) BatchGetSites(ctx context.Context, req *monitorv1.BatchGetSitesRequest) (*monitorv1.BatchGetSitesResponse, error) {
	ids := distinct(req.GetSiteIds())
	if peers.Forwarded(ctx) {
		return &monitorv1.BatchGetSitesResponse{Sites: s.o.watched(ids)}, nil
	}
	rows, err := s.rows(ctx, ids)
	if err != nil {
		return nil, err
	}
	return &monitorv1.BatchGetSitesResponse{Sites: s.o.live(ctx, rows)}, nil
}

// rows reads the sites that exist, in the order of ids.
func (s *sites) rows(ctx context.Context, ids []check.SiteID) ([]record.Site, error) {
	found, err := s.o.Store.SitesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	place := make(map[check.SiteID]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(found, func(a, b record.Site) int { return cmp.Compare(place[a.ID], place[b.ID]) })
	return found, nil
}

// distinct drops repeated ids.
func distinct(ids []int64) []check.SiteID {
	seen := make(map[int64]bool, len(ids))
	var out []check.SiteID
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, check.SiteID(id))
		}
	}
	return out
}

func (s *sites) CreateSite(ctx context.Context, req *monitorv1.CreateSiteRequest) (*monitorv1.CreateSiteResponse, error) {
	row := record.Site{Status: check.StatusRunning, Interval: defaultInterval}
	if err := s.o.edit(&row, req.GetSite(), editable); err != nil {
		return nil, err
	}
	if err := mayPut(ctx, row.BlogID); err != nil {
		return nil, err
	}
	row.Bucket = shard.Place(row.BlogID, row.URL)
	resp, by, err := hand(ctx, s.o, row.Bucket, req, monitorv1.SiteServiceClient.CreateSite)
	switch by {
	case answered:
		return resp, err
	case maybeMade:
		if req.GetIdempotencyKey() != "" {
			break // made here, it is made once
		}
		// A second attempt here might fail with ALREADY_EXISTS, which would puzzle the caller.
		return nil, fault.New(fault.Unavailable, "the coordinator that owns bucket %d did not report whether the site was added (%s); "+
			"try again, best with an idempotency_key; ALREADY_EXISTS then means that it was", row.Bucket, fault.Status(err).Message())
	}
	if row, err = s.createOnce(witnessed(ctx, monitorv1.SiteService_CreateSite_FullMethodName), req.GetIdempotencyKey(), row); err != nil {
		return nil, err
	}
	s.o.tell(ctx, row.ID)
	return &monitorv1.CreateSiteResponse{Site: s.o.describe(row)}, nil
}

// createOnce adds a site, once under an idempotency key unless that is empty.
func (s *sites) createOnce(ctx context.Context, key string, row record.Site) (record.Site, error) {
	if key == "" {
		return s.o.Store.CreateSite(ctx, row)
	}
	return s.o.Store.CreateSiteOnce(ctx, store.Key{
		Hash:    sha256.Sum256([]byte(access.From(ctx).String() + "\x00" + key)),
		Request: sha256.Sum256(editableText(row)),
		At:      time.Now(),
	}, row)
}

func (s *sites) UpdateSite(ctx context.Context, req *monitorv1.UpdateSiteRequest) (*monitorv1.UpdateSiteResponse, error) {
	if req.GetSite().GetSiteId() <= 0 {
		return nil, fault.InvalidField("site.site_id", "must be greater than 0")
	}
	paths, err := editPaths(req)
	if err != nil {
		return nil, err
	}
	// The owner may run another version, which has other fields or reads masks differently.
	req = proto.CloneOf(req)
	req.UpdateMask = &fieldmaskpb.FieldMask{Paths: paths}
	return update(ctx, s, edition[monitorv1.UpdateSiteResponse]{
		method: monitorv1.SiteService_UpdateSite_FullMethodName, site: req.GetSite(), paths: paths,
		hand: func(b check.BucketID) (*monitorv1.UpdateSiteResponse, made, error) {
			return hand(ctx, s.o, b, req, monitorv1.SiteServiceClient.UpdateSite)
		},
		answer: func(site *monitorv1.Site) *monitorv1.UpdateSiteResponse {
			return &monitorv1.UpdateSiteResponse{Site: site}
		},
	})
}

func (s *sites) PauseSite(ctx context.Context, req *monitorv1.PauseSiteRequest) (*monitorv1.PauseSiteResponse, error) {
	return update(ctx, s, edition[monitorv1.PauseSiteResponse]{
		method: monitorv1.SiteService_PauseSite_FullMethodName, paths: pausePaths(),
		site: &monitorv1.Site{SiteId: req.GetSiteId(), Etag: req.GetEtag(), Paused: true},
		hand: func(b check.BucketID) (*monitorv1.PauseSiteResponse, made, error) {
			return hand(ctx, s.o, b, req, monitorv1.SiteServiceClient.PauseSite)
		},
		answer: func(site *monitorv1.Site) *monitorv1.PauseSiteResponse {
			return &monitorv1.PauseSiteResponse{Site: site}
		},
	})
}

func (s *sites) ResumeSite(ctx context.Context, req *monitorv1.ResumeSiteRequest) (*monitorv1.ResumeSiteResponse, error) {
	return update(ctx, s, edition[monitorv1.ResumeSiteResponse]{
		method: monitorv1.SiteService_ResumeSite_FullMethodName, paths: pausePaths(),
		site: &monitorv1.Site{SiteId: req.GetSiteId(), Etag: req.GetEtag()},
		hand: func(b check.BucketID) (*monitorv1.ResumeSiteResponse, made, error) {
			return hand(ctx, s.o, b, req, monitorv1.SiteServiceClient.ResumeSite)
		},
		answer: func(site *monitorv1.Site) *monitorv1.ResumeSiteResponse {
			return &monitorv1.ResumeSiteResponse{Site: site}
		},
	})
}

// pausePaths are what PauseSite and ResumeSite change.
func pausePaths() []string { return []string{"paused"} }

// edition is one edit of a site, by one of the methods that edit.
type edition[Response any] struct {
	method string
	// site has the new values of the fields that paths name, and the id and the etag.
	site  *monitorv1.Site
	paths []string
	// hand has the owner of a bucket make it, answer is what its caller gets.
	hand   func(check.BucketID) (*Response, made, error)
	answer func(*monitorv1.Site) *Response
}

// update makes an edit, or has the owner of the site make it.
func update[Response any](ctx context.Context, s *sites, e edition[Response]) (*Response, error) {
	id, etag := check.SiteID(e.site.GetSiteId()), e.site.GetEtag()
	row, err := s.o.Store.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	edit := func(row record.Site) (record.Site, error) {
		if err := checkETag(row, etag); err != nil {
			return row, err
		}
		if err := s.o.edit(&row, e.site, e.paths); err != nil {
			return row, err
		}
		return row, mayPut(ctx, row.BlogID)
	}
	if _, err := edit(row); err != nil {
		return nil, err
	}
	if len(e.paths) == 0 {
		return e.answer(s.o.live(ctx, []record.Site{row})[0]), nil
	}
	resp, by, err := e.hand(row.Bucket)
	if by == answered {
		return resp, err
	}
	if row, err = s.o.Store.UpdateSite(witnessed(ctx, e.method), id, time.Now(), edit); err != nil {
		return nil, unsure(by, etag, err)
	}
	s.o.tell(ctx, id)
	return e.answer(s.o.describe(row)), nil
}

func (s *sites) DeleteSite(ctx context.Context, req *monitorv1.DeleteSiteRequest) (*monitorv1.DeleteSiteResponse, error) {
	id := check.SiteID(req.GetSiteId())
	row, err := s.o.Store.Site(ctx, id)
	if err != nil {
		return nil, err
	}
	allow := func(row record.Site) error { return checkETag(row, req.GetEtag()) }
	if err := allow(row); err != nil {
		return nil, err
	}
	resp, by, err := hand(ctx, s.o, row.Bucket, req, monitorv1.SiteServiceClient.DeleteSite)
	if by == answered {
		return resp, err
	}
	err = s.o.Store.DeleteSite(witnessed(ctx, monitorv1.SiteService_DeleteSite_FullMethodName), id, time.Now(), allow)
	if err != nil && !(by == maybeMade && fault.Is(err, fault.NotFound)) {
		return nil, err
	}
	s.o.tell(ctx, id)
	return &monitorv1.DeleteSiteResponse{}, nil
}
