package main

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	monitorv1 "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// sitesCommand is `jetmon sites`.
type sitesCommand struct {
	List    listSitesCommand   `cmd:"" help:"List sites: state, status, URL."`
	Explain explainSiteCommand `cmd:"" help:"Say why a site is believed to be what it is, or was at an earlier time."`
}

// listSitesCommand is `jetmon sites list`.
type listSitesCommand struct {
	Blog  int64 `placeholder:"ID" help:"Only sites of this blog."`
	Limit int   `default:"100" help:"Most sites to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the sites.
func (c *listSitesCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Blog < 0 {
		return usagef("--limit and --blog must not be negative")
	}
	all := &monitorv1.ListSitesResponse{}
	err := c.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		client := monitorv1.NewSiteServiceClient(conn)
		return pages(c.Limit, func(size int32, token string) (int, string, error) {
			resp, err := client.ListSites(ctx, &monitorv1.ListSitesRequest{PageSize: size, PageToken: token, BlogId: c.Blog})
			all.Sites, all.NextPageToken = append(all.Sites, resp.GetSites()...), resp.GetNextPageToken()
			return len(resp.GetSites()), resp.GetNextPageToken(), err
		})
	})
	if err != nil {
		return err
	}
	return c.show(p, all, func(w io.Writer) error { return format.Sites(w, all) })
}

// pageSize is how many rows are asked for at once, the most that the API gives.
const pageSize = 1000

// pages asks for page after page until there are limit rows, or no more; 0 is no limit.
func pages(limit int, ask func(size int32, token string) (n int, next string, err error)) error {
	token := ""
	for got := 0; ; {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-got)
		}
		n, next, err := ask(int32(size), token)
		if err != nil {
			return err
		}
		if got += n; next == "" || limit > 0 && got >= limit {
			return nil
		}
		token = next
	}
}

// explainSiteCommand is `jetmon sites explain ID`.
type explainSiteCommand struct {
	Site int64  `arg:"" name:"id" help:"Id of the site."`
	At   string `placeholder:"TIME" help:"Explain this moment, as 2026-05-13T12:00:00Z, instead of now."`

	clientFlags `embed:""`
}

// Run explains one site.
func (c *explainSiteCommand) Run(ctx context.Context, p *program) error {
	req := &monitorv1.ExplainSiteRequest{SiteId: c.Site}
	if c.At != "" {
		at, err := format.ParseMoment(c.At)
		if err != nil {
			return usagef("--at: %q is not a time like 2026-05-13T12:00:00Z", c.At)
		}
		req.At = timestamppb.New(at)
	}
	var resp *monitorv1.ExplainSiteResponse
	err := c.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = monitorv1.NewSiteServiceClient(conn).ExplainSite(ctx, req)
		return err
	})
	if err != nil {
		return err
	}
	return c.show(p, resp.GetExplanation(), func(w io.Writer) error { return format.Explanation(w, resp.GetExplanation()) })
}
