package main

import (
	"context"

	"google.golang.org/grpc"

	monitorv1 "github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// outagesCommand is `jetmon outages`.
type outagesCommand struct {
	List   listOutagesCommand  `cmd:"" help:"List outages, the newest first."`
	Show   showOutageCommand   `cmd:"" help:"Show one outage with every vote."`
	Replay replayOutageCommand `cmd:"" help:"Decide the ballot of an outage once more, and by another rule."`
}

// listOutagesCommand is `jetmon outages list`.
type listOutagesCommand struct {
	Site  int64 `placeholder:"ID" help:"Only outages of this site."`
	Open  bool  `help:"Only outages that are not over."`
	Limit int   `default:"100" help:"Most outages to list; 0: all."`

	clientFlags `embed:""`
}

// Run lists the outages.
func (c *listOutagesCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 || c.Site < 0 {
		return usagef("--limit and --site must not be negative")
	}
	all := &monitorv1.ListOutagesResponse{}
	err := c.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) error {
		client := monitorv1.NewOutageServiceClient(conn)
		return pages(c.Limit, func(size int32, token string) (int, string, error) {
			resp, err := client.ListOutages(ctx, &monitorv1.ListOutagesRequest{PageSize: size, PageToken: token, SiteId: c.Site, Open: c.Open})
			all.Outages, all.NextPageToken = append(all.Outages, resp.GetOutages()...), resp.GetNextPageToken()
			return len(resp.GetOutages()), resp.GetNextPageToken(), err
		})
	})
	if err != nil {
		return err
	}
	return c.show(p, all, func(out *page) {
		out.line("ID\tSITE\tBEGAN\tOVER\tRULE\tFAILURE\tURL")
		for _, o := range all.GetOutages() {
			out.line("%d\t%d\t%s\t%s\t%s\t%s\t%s", o.GetOutageId(), o.GetSiteId(), moment(o.GetStartTime()),
				over(o), rule(o.GetRule()), failure(o.GetFailure(), o.GetReason(), o.GetHttpStatus()), o.GetUrl())
		}
		if all.GetNextPageToken() != "" {
			out.line("There are more: --limit=0 lists all.")
		}
	})
}

// showOutageCommand is `jetmon outages show ID`.
type showOutageCommand struct {
	Outage int64 `arg:"" name:"id" help:"Id of the outage."`

	clientFlags `embed:""`
}

// Run shows one outage.
func (c *showOutageCommand) Run(ctx context.Context, p *program) error {
	var resp *monitorv1.GetOutageResponse
	err := c.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = monitorv1.NewOutageServiceClient(conn).GetOutage(ctx, &monitorv1.GetOutageRequest{OutageId: c.Outage})
		return err
	})
	if err != nil {
		return err
	}
	return c.show(p, resp.GetOutage(), func(out *page) { out.outage(resp.GetOutage()) })
}

// replayOutageCommand is `jetmon outages replay ID`.
type replayOutageCommand struct {
	Outage  int64  `arg:"" name:"id" help:"Id of the outage."`
	Need    uint32 `placeholder:"N" help:"DOWN votes that another rule needs; as many as the rule that decided by default."`
	Regions uint32 `placeholder:"N" help:"Regions that they must come from."`

	clientFlags `embed:""`
}

// Run replays one ballot; a verdict that is not the stored one ends with exit code 1.
func (c *replayOutageCommand) Run(ctx context.Context, p *program) error {
	var resp *monitorv1.ReplayOutageResponse
	err := c.ask(ctx, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = monitorv1.NewOutageServiceClient(conn).ReplayOutage(ctx,
			&monitorv1.ReplayOutageRequest{OutageId: c.Outage, Need: c.Need, Regions: c.Regions})
		return err
	})
	if err != nil {
		return err
	}
	if err := c.show(p, resp, func(out *page) { out.replay(resp, c.Need > 0 || c.Regions > 0) }); err != nil {
		return err
	}
	if resp.GetReplayedVerdict() != resp.GetBallot().GetVerdict() {
		return exitCode(exitFailed)
	}
	return nil
}
