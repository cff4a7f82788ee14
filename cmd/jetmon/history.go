package main

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// periodFlags select a period of the past.
type periodFlags struct {
	Since string `placeholder:"TIME" help:"Beginning of the period: a time like 2026-05-13T12:00:00Z, or how long ago, like 24h or 30d."`
	Until string `placeholder:"TIME" help:"End of the period, in the same form; now by default."`
}

// period returns the beginning and the end; nil what is not given.
func (f periodFlags) period() (start, end *timestamppb.Timestamp, err error) {
	now := time.Now()
	if start, err = momentFlag("since", f.Since, now); err != nil {
		return nil, nil, err
	}
	end, err = momentFlag("until", f.Until, now)
	return start, end, err
}

func momentFlag(name, text string, now time.Time) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	at, err := momentOf(text, now)
	if err != nil {
		return nil, usagef("--%s: %w", name, err)
	}
	return timestamppb.New(at), nil
}

// resolutionOf reads the name of a resolution, which the parser has checked.
func resolutionOf(name string) monitorv1.HistoryResolution {
	return monitorv1.HistoryResolution(monitorv1.HistoryResolution_value["HISTORY_RESOLUTION_"+strings.ToUpper(name)])
}

// chart says what the terminal can draw: blocks where it has UTF-8, colours unless NO_COLOR is
// set. What goes elsewhere than to a terminal is in ASCII.
func (p *program) chart() format.Chart {
	if !isTerminal(p.Out) || p.dumb() {
		return format.Chart{}
	}
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale, _ = p.LookupEnv(name); locale != "" {
			break
		}
	}
	locale = strings.ReplaceAll(strings.ToUpper(locale), "-", "")
	plain, _ := p.LookupEnv("NO_COLOR")
	return format.Chart{Blocks: strings.Contains(locale, "UTF8"), Color: plain == ""}
}

// siteHistoryCommand is `jetmon sites history ID`.
type siteHistoryCommand struct {
	Site       int64  `arg:"" name:"id" help:"Id of the site."`
	Resolution string `noenv:"" enum:"raw,hour,day" default:"hour" help:"What a row stands for: raw for each check that was due, hour or day."`
	Region     string `noenv:"" placeholder:"REGION" help:"Only checks that were made in this region."`
	Limit      int    `noenv:"" default:"0" help:"Maximum number of rows; 0: all."`

	periodFlags `embed:""`
	serverFlags `embed:""`

	Output string `short:"o" enum:"table,json,ndjson,csv" default:"table" help:"Form of the output: table for people, json as the REST API answers, ndjson for a line of JSON a row, csv for spreadsheets."`
	JSON   bool   `name:"json" help:"The same as --output=json."`
}

// Run prints the history of a site.
func (c *siteHistoryCommand) Run(ctx context.Context, p *program) error {
	if c.Limit < 0 {
		return usagef("--limit must not be negative")
	}
	start, end, err := c.period()
	if err != nil {
		return err
	}
	client := outputFlags{Output: c.Output, JSON: c.JSON}.client(p)
	return c.connect(client, func(client cli.Client) error {
		return client.SiteHistory(ctx, cli.SiteHistory{
			Asked: &monitorv1.GetSiteHistoryRequest{
				SiteId: c.Site, StartTime: start, EndTime: end, Resolution: resolutionOf(c.Resolution), Region: c.Region,
			},
			Limit: c.Limit, Chart: p.chart(),
		})
	})
}

// siteUptimeCommand is `jetmon sites uptime ID...`.
type siteUptimeCommand struct {
	idArguments `embed:""`
	ByRegion    bool `noenv:"" help:"Also the response times in each region."`

	periodFlags `embed:""`
	clientFlags `embed:""`
}

// Run prints how sites were.
func (c *siteUptimeCommand) Run(ctx context.Context, p *program) error {
	ids, err := c.ids(ctx, p)
	if err != nil {
		return err
	}
	start, end, err := c.period()
	if err != nil {
		return err
	}
	return c.ask(p, func(client cli.Client) error {
		return client.SiteUptimes(ctx, ids, cli.SiteUptimes{
			Asked: &monitorv1.GetSiteUptimeRequest{StartTime: start, EndTime: end, ByDay: true, ByRegion: c.ByRegion}, Chart: p.chart(),
		})
	})
}

// fleetHistoryCommand is `jetmon fleet history`.
type fleetHistoryCommand struct {
	Resolution string `noenv:"" enum:"hour,day" default:"hour" help:"What a row stands for: hour or day."`

	periodFlags `embed:""`
	clientFlags `embed:""`
}

// Run prints the history of all sites.
func (c *fleetHistoryCommand) Run(ctx context.Context, p *program) error {
	start, end, err := c.period()
	if err != nil {
		return err
	}
	return c.ask(p, func(client cli.Client) error {
		return client.FleetHistory(ctx, &monitorv1.GetFleetHistoryRequest{StartTime: start, EndTime: end, Resolution: resolutionOf(c.Resolution)}, p.chart())
	})
}
