package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/maintenance"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// maintenances is the MaintenanceService.
type maintenances struct {
	monitorv1.UnimplementedMaintenanceServiceServer
	o Options
}

func (s *maintenances) GetMaintenance(ctx context.Context, req *monitorv1.GetMaintenanceRequest) (*monitorv1.GetMaintenanceResponse, error) {
	m, err := s.o.Store.Maintenance(ctx, req.GetMaintenanceId())
	if err != nil {
		return nil, err
	}
	return &monitorv1.GetMaintenanceResponse{Maintenance: maintenanceToProto(m, time.Now())}, nil
}

// ListMaintenances looks at no more than mostLooked maintenances for a page, so that one of those
// that are active may be short.
func (s *maintenances) ListMaintenances(ctx context.Context, req *monitorv1.ListMaintenancesRequest) (*monitorv1.ListMaintenancesResponse, error) {
	after, err := parseToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	fits, q, err := s.filterOf(ctx, req)
	if err != nil {
		return nil, err
	}
	now, size := time.Now(), pageSize(req.GetPageSize())
	resp := &monitorv1.ListMaintenancesResponse{}
	q.After, q.Limit = after, max(size+1, lookedAtOnce)
	for looked := 0; ; looked += q.Limit {
		rows, err := s.o.Store.ListMaintenances(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, m := range rows {
			if q.After = m.ID; !fits(m) {
				continue
			}
			p := maintenanceToProto(m, now)
			if req.GetActive() && !p.GetActive() {
				continue
			}
			if len(resp.Maintenances) == size {
				resp.NextPageToken = token(resp.GetMaintenances()[size-1].GetMaintenanceId())
				return resp, nil
			}
			resp.Maintenances = append(resp.Maintenances, p)
		}
		switch {
		case len(rows) < q.Limit:
			return resp, nil
		case looked >= mostLooked:
			resp.NextPageToken = token(q.After)
			return resp, nil
		}
	}
}

// filterOf returns what the store decides of a list, and the rest.
func (s *maintenances) filterOf(ctx context.Context, req *monitorv1.ListMaintenancesRequest) (fits func(record.Maintenance) bool, q store.MaintenanceQuery, err error) {
	var host record.Location
	if req.GetHost() != "" {
		if host, err = record.LocateHost(req.GetHost()); err != nil {
			return nil, q, fault.InvalidField("host", "%w", err)
		}
	}
	fits = func(m record.Maintenance) bool {
		return (req.GetTag() == "" || m.Covers.Tag == req.GetTag()) && (host.Host == "" || m.Covers.Host.Fits(host))
	}
	if req.GetSiteId() == 0 {
		return fits, q, nil
	}
	row, err := s.o.Store.Site(ctx, check.SiteID(req.GetSiteId()))
	if err != nil {
		return nil, q, err
	}
	at := record.Locate(row.URL)
	q.SiteID, q.Tags, q.Host = row.ID, row.Tags, at.Host
	others := fits
	return func(m record.Maintenance) bool {
		return others(m) && (m.Covers.Host.Host == "" || at.Fits(m.Covers.Host))
	}, q, nil
}

func (s *maintenances) CreateMaintenance(ctx context.Context, req *monitorv1.CreateMaintenanceRequest) (*monitorv1.CreateMaintenanceResponse, error) {
	now := time.Now()
	m, err := applyMaintenance(record.Maintenance{}, req.GetMaintenance(), editableOfMaintenance)
	if err != nil {
		return nil, err
	}
	asked := m
	if m, err = s.checked(ctx, m, now); err != nil {
		return nil, err
	}
	m.Creator, m.Created = access.From(ctx).String(), now
	var key store.MaintenanceKey
	if k := req.GetIdempotencyKey(); k != "" {
		key.Hash = sha256.Sum256([]byte(access.From(ctx).String() + "\x00maintenance\x00" + k))
		key.Request = sha256.Sum256([]byte(fmt.Sprintf("%q", []any{asked.Name, asked.Reason, asked.Covers, asked.Start.UTC().String(), asked.Duration, asked.Rule, asked.Zone})))
	}
	d := deed(ctx, monitorv1.MaintenanceService_CreateMaintenance_FullMethodName)
	m, err = s.o.Store.CreateMaintenance(ctx, key, m, func(m record.Maintenance) record.Audit {
		return d.record(now, maintenanceName(m.ID), nil, ownMaintenance(m))
	})
	if err != nil {
		return nil, err
	}
	s.o.Hush.Wake()
	return &monitorv1.CreateMaintenanceResponse{Maintenance: maintenanceToProto(m, now)}, nil
}

// checked refuses a maintenance that cannot be meant, or that its caller may not plan.
func (s *maintenances) checked(ctx context.Context, m record.Maintenance, now time.Time) (record.Maintenance, error) {
	if m.Name == "" {
		return m, fault.InvalidField("maintenance.name", "must not be empty")
	}
	set := 0
	for _, is := range []bool{m.Covers.SiteID != 0, m.Covers.Tag != "", m.Covers.Host.Host != ""} {
		if is {
			set++
		}
	}
	if set != 1 {
		return m, fault.InvalidField("maintenance.site_id", "exactly one of site_id, tag and host must be set, not %d", set)
	}
	if m.Covers.SiteID == 0 && access.From(ctx).Limited() {
		return m, fault.New(fault.Denied, "%s may plan maintenance of its own sites only, each by site_id", access.From(ctx))
	}
	if m.Covers.SiteID != 0 {
		if _, err := s.o.Store.Site(ctx, m.Covers.SiteID); err != nil {
			return m, err
		}
	}
	m, err := maintenance.Check(m, now)
	if e, ok := errors.AsType[*maintenance.FieldError](err); ok {
		return m, fault.InvalidField("maintenance."+e.Field, "%s", e.Description)
	}
	return m, err
}

func (s *maintenances) UpdateMaintenance(ctx context.Context, req *monitorv1.UpdateMaintenanceRequest) (*monitorv1.UpdateMaintenanceResponse, error) {
	asked := req.GetMaintenance()
	if asked.GetMaintenanceId() <= 0 {
		return nil, fault.InvalidField("maintenance.maintenance_id", "must be greater than 0")
	}
	paths, err := maskPaths(asked.ProtoReflect(), req.GetUpdateMask().GetPaths(), editableOfMaintenance, "maintenance")
	if err != nil {
		return nil, err
	}
	now := time.Now()
	m, err := s.edit(ctx, edict{
		id: asked.GetMaintenanceId(), etag: asked.GetEtag(), method: monitorv1.MaintenanceService_UpdateMaintenance_FullMethodName, at: now,
		apply: func(m record.Maintenance) (record.Maintenance, error) {
			after, err := applyMaintenance(m, asked, paths)
			before := m
			before.Name, before.Reason = after.Name, after.Reason
			if err != nil || after == before && after.Name != "" {
				return after, err // one that is over can get another name
			}
			return s.checked(ctx, after, now)
		},
	})
	return &monitorv1.UpdateMaintenanceResponse{Maintenance: m}, err
}

func (s *maintenances) EndMaintenance(ctx context.Context, req *monitorv1.EndMaintenanceRequest) (*monitorv1.EndMaintenanceResponse, error) {
	now := time.Now()
	m, err := s.edit(ctx, edict{
		id: req.GetMaintenanceId(), etag: req.GetEtag(), method: monitorv1.MaintenanceService_EndMaintenance_FullMethodName, at: now,
		apply: func(m record.Maintenance) (record.Maintenance, error) {
			p, err := maintenance.NewPlan(m)
			if err != nil {
				return m, fault.New(fault.Internal, "maintenance %d cannot be read: %w", m.ID, err)
			}
			if w, ok := p.Next(now); !ok || !w.Has(now) {
				return m, fault.New(fault.Fenced, "no window of maintenance %d is open", m.ID)
			}
			m.Cut = now
			return m, nil
		},
	})
	return &monitorv1.EndMaintenanceResponse{Maintenance: m}, err
}

// edict is one edit of a maintenance.
type edict struct {
	id           int64
	etag, method string
	at           time.Time
	apply        func(record.Maintenance) (record.Maintenance, error)
}

// errRaced means that a maintenance was edited since it was read.
var errRaced = errors.New("it was edited by another at the same time")

// maxRaces bounds the attempts at an edit of a maintenance that others edit.
const maxRaces = 5

// edit makes an edit of a maintenance that exists for the caller.
func (s *maintenances) edit(ctx context.Context, e edict) (*monitorv1.Maintenance, error) {
	for range maxRaces {
		m, err := s.editOnce(ctx, e)
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.o.Hush.Wake()
		return maintenanceToProto(m, e.at), nil
	}
	return nil, fault.New(fault.Unavailable, "maintenance %d is edited by others all the time; try again", e.id)
}

// editOnce works the edit out before its transaction, in which nobody else may be asked.
func (s *maintenances) editOnce(ctx context.Context, e edict) (record.Maintenance, error) {
	before, err := s.o.Store.Maintenance(ctx, e.id)
	if err != nil {
		return before, err
	}
	if err := checkMaintenanceETag(before, e.etag); err != nil {
		return before, err
	}
	after, err := e.apply(before)
	if err != nil {
		return before, err
	}
	d := deed(ctx, e.method)
	return s.o.Store.UpdateMaintenance(ctx, e.id, func(m record.Maintenance) (record.Maintenance, error) {
		if m.Revision != before.Revision {
			return m, errRaced
		}
		return after, nil
	}, func(before, after record.Maintenance) record.Audit {
		return d.record(e.at, maintenanceName(e.id), ownMaintenance(before), ownMaintenance(after))
	})
}

func (s *maintenances) DeleteMaintenance(ctx context.Context, req *monitorv1.DeleteMaintenanceRequest) (*monitorv1.DeleteMaintenanceResponse, error) {
	if _, err := s.o.Store.Maintenance(ctx, req.GetMaintenanceId()); err != nil {
		return nil, err
	}
	d := deed(ctx, monitorv1.MaintenanceService_DeleteMaintenance_FullMethodName)
	err := s.o.Store.DeleteMaintenance(ctx, req.GetMaintenanceId(),
		func(m record.Maintenance) error { return checkMaintenanceETag(m, req.GetEtag()) },
		func(m record.Maintenance) record.Audit {
			return d.record(time.Now(), maintenanceName(m.ID), ownMaintenance(m), nil)
		})
	if err != nil {
		return nil, err
	}
	s.o.Hush.Wake()
	return &monitorv1.DeleteMaintenanceResponse{}, nil
}

func maintenanceName(id int64) string { return "maintenances/" + strconv.FormatInt(id, 10) }

// maintenanceETag changes with each edit.
func maintenanceETag(m record.Maintenance) string {
	return strconv.FormatInt(m.ID, 36) + "-" + strconv.FormatInt(m.Revision, 36)
}

func checkMaintenanceETag(m record.Maintenance, etag string) error {
	current := maintenanceETag(m)
	if etag == "" || etag == current {
		return nil
	}
	return fault.New(fault.Conflict, "maintenance %d was edited since it was read with the etag %q: read it again", m.ID, fault.Clip(etag, maxQuote)).
		With(&errdetails.ErrorInfo{Domain: "jetmon.coordinator", Reason: "ETAG_MISMATCH", Metadata: map[string]string{etagField: current}})
}

// ownMaintenance is what a caller can edit of a maintenance, and its id.
func ownMaintenance(m record.Maintenance) proto.Message {
	all := maintenanceToProto(m, m.Created)
	all.Window, all.Active, all.Creator, all.CreateTime, all.UpdateTime, all.Etag = nil, false, "", nil, nil, ""
	return all
}
