package cli

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// OutageList selects the outages to list.
type OutageList struct {
	// Site, when not 0, is the site of the outages.
	Site int64
	// Open leaves out outages that are over.
	Open bool
	// Region, Host and Tag, when not empty, are those of the outages; Blog, when not 0, is.
	Region, Host, Tag string
	Blog              int64
	// Lasted is how long the outages have lasted at least.
	Lasted time.Duration
	// Limit is the maximum number of outages; 0 means all.
	Limit int
}

// ListOutages prints outages in a table, the newest first.
func (c Client) ListOutages(ctx context.Context, l OutageList) error {
	outages := monitorv1.NewOutageServiceClient(c.Conn)
	req := &monitorv1.ListOutagesRequest{SiteId: l.Site, Open: l.Open, Region: l.Region, Host: l.Host, Tag: l.Tag, BlogId: l.Blog}
	if l.Lasted > 0 {
		req.MinDuration = durationpb.New(l.Lasted)
	}
	return list(ctx, c, listing[*monitorv1.Outage]{
		name: "outages", titles: format.OutageTitles(), cells: format.OutageCells, limit: l.Limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.Outage, string, error) {
			req.PageSize, req.PageToken = size, token
			resp, err := call(ctx, req, outages.ListOutages)
			return resp.GetOutages(), resp.GetNextPageToken(), err
		},
	})
}

// ShowOutage prints one outage with every vote.
func (c Client) ShowOutage(ctx context.Context, id int64) error {
	resp, err := call(ctx, &monitorv1.GetOutageRequest{OutageId: id}, monitorv1.NewOutageServiceClient(c.Conn).GetOutage)
	if err != nil {
		return c.explain(err)
	}
	return c.show(resp.GetOutage(), func(w io.Writer) error { return format.Outage(w, resp.GetOutage()) })
}

// Rule is an alternative rule for deciding a ballot: how many DOWN votes it needs, from how
// many regions. 0 means the value of the original rule.
type Rule struct{ Need, Regions uint32 }

// ReplayOutage decides the ballot of an outage again, also by another rule if there is one,
// and prints the results. It reports whether the verdict is the stored one.
func (c Client) ReplayOutage(ctx context.Context, id int64, other Rule) (same bool, err error) {
	req := &monitorv1.ReplayOutageRequest{OutageId: id, Need: other.Need, Regions: other.Regions}
	resp, err := call(ctx, req, monitorv1.NewOutageServiceClient(c.Conn).ReplayOutage)
	if err != nil {
		return false, c.explain(err)
	}
	err = c.show(resp, func(w io.Writer) error { return format.Replay(w, resp, other != Rule{}) })
	return resp.GetReplayedVerdict() == resp.GetBallot().GetVerdict(), err
}
