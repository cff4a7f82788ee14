package cli

import (
	"context"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// AdvisoryList selects the open remarks to list.
type AdvisoryList struct {
	// Site and Blog, when not 0, are those of the remarks.
	Site, Blog int64
	// Advisory, unless unspecified, is the remark.
	Advisory checkv1.Advisory
	// Limit is the maximum number of remarks; 0 means all.
	Limit int
}

// ListAdvisories prints open remarks in a table, by site.
func (c Client) ListAdvisories(ctx context.Context, l AdvisoryList) error {
	advisories := monitorv1.NewAdvisoryServiceClient(c.Conn)
	return list(ctx, c, listing[*monitorv1.SiteAdvisory]{
		name: "advisories", titles: format.AdvisoryTitles(), cells: format.AdvisoryCells, limit: l.Limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.SiteAdvisory, string, error) {
			resp, err := call(ctx, &monitorv1.ListAdvisoriesRequest{
				PageSize: size, PageToken: token, SiteId: l.Site, BlogId: l.Blog, Advisory: l.Advisory,
			}, advisories.ListAdvisories)
			return resp.GetAdvisories(), resp.GetNextPageToken(), err
		},
	})
}
