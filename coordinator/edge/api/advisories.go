package api

import (
	"context"
	"strconv"
	"strings"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// advisories is the AdvisoryService.
type advisories struct {
	monitorv1.UnimplementedAdvisoryServiceServer
	o Options
}

func (s *advisories) ListAdvisories(ctx context.Context, req *monitorv1.ListAdvisoriesRequest) (*monitorv1.ListAdvisoriesResponse, error) {
	after, err := parseRemarkMark(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	size := pageSize(req.GetPageSize())
	q := store.RemarkQuery{
		After: after, Limit: size + 1, SiteID: check.SiteID(req.GetSiteId()), Advisory: check.Advisory(req.GetAdvisory()),
	}
	if blog := check.BlogID(req.GetBlogId()); blog != 0 {
		q.Blogs = []check.BlogID{blog}
	}
	rows, err := s.o.Store.ListRemarks(ctx, q)
	if err != nil {
		return nil, err
	}
	resp := &monitorv1.ListAdvisoriesResponse{}
	if len(rows) > size {
		rows = rows[:size]
		resp.NextPageToken = remarkToken(rows[size-1].Mark())
	}
	for _, row := range rows {
		resp.Advisories = append(resp.Advisories, &monitorv1.SiteAdvisory{
			SiteId: int64(row.SiteID), BlogId: int64(row.BlogID), Url: row.URL, Advisory: checkv1.Advisory(row.Advisory),
			OpenTime: timestamp(row.At), Detail: row.Detail, CertificateExpireTime: timestamp(row.CertificateExpire),
		})
	}
	return resp, nil
}

// remarkToken returns the page token for the remarks after a mark.
func remarkToken(m record.RemarkMark) string {
	return strconv.Itoa(int(m.Advisory)) + "." + token(int64(m.SiteID))
}

func parseRemarkMark(t string) (record.RemarkMark, error) {
	if t == "" {
		return record.RemarkMark{}, nil
	}
	kind, site, _ := strings.Cut(t, ".")
	a, err := strconv.ParseUint(kind, 10, 8)
	if err != nil || site == "" {
		return record.RemarkMark{}, fault.InvalidField("page_token", "is not a token of this service")
	}
	id, err := parseToken(site)
	return record.RemarkMark{SiteID: check.SiteID(id), Advisory: check.Advisory(a)}, err
}
