package api

import (
	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
)

// exportedAtOnce is how many sites of an export are read together.
const exportedAtOnce = 1000

func (s *sites) ExportSites(req *monitorv1.ExportSitesRequest, stream grpc.ServerStreamingServer[monitorv1.ExportSitesResponse]) error {
	f, err := filterOf(&monitorv1.ListSitesRequest{BlogId: req.GetBlogId(), Host: req.GetHost(), Tag: req.GetTag()})
	if err != nil {
		return err
	}
	ctx := store.MayLag(stream.Context())
	for after := check.SiteID(0); ; {
		rows, err := s.o.Store.ListSites(ctx, store.SiteQuery{After: after, Limit: exportedAtOnce, BlogID: f.blog, At: f.at, Tag: f.tag})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := stream.Send(&monitorv1.ExportSitesResponse{Site: exported(row)}); err != nil {
				return err
			}
		}
		if len(rows) < exportedAtOnce {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// exported is what an import needs of a site.
func exported(row record.Site) *monitorv1.Site {
	site := ownSite(row)
	site.SiteId = 0
	return site
}
