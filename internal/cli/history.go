package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/historyfile"
)

// CSV is the form of a file for spreadsheets; only histories have it.
const CSV Output = "csv"

// SiteHistory is what to print of a site's history.
type SiteHistory struct {
	// Asked selects the points; its page is not read.
	Asked *monitorv1.GetSiteHistoryRequest
	// Limit is the maximum number of points; 0 means all.
	Limit int
	Chart format.Chart
}

// SiteHistory prints what became of a site's turns.
func (c Client) SiteHistory(ctx context.Context, h SiteHistory) error {
	if c.Output == CSV {
		return c.historyFile(ctx, h)
	}
	turns := h.Asked.GetResolution() == monitorv1.HistoryResolution_HISTORY_RESOLUTION_RAW
	l := listing[*monitorv1.HistoryPoint]{
		name: "points", titles: format.HistoryTitles(turns), cells: format.HistoryCells, limit: h.Limit,
		page: func(ctx context.Context, size int32, token string) ([]*monitorv1.HistoryPoint, string, error) {
			req := proto.Clone(h.Asked).(*monitorv1.GetSiteHistoryRequest)
			req.PageSize, req.PageToken = size, token
			resp, err := call(ctx, req, monitorv1.NewHistoryServiceClient(c.Conn).GetSiteHistory)
			return resp.GetPoints(), resp.GetNextPageToken(), err
		},
	}
	if c.Output != JSON && c.Output != NDJSON {
		return charted(ctx, c, l, func(points []*monitorv1.HistoryPoint) string { return format.HistoryLine(points, h.Chart) })
	}
	return list(ctx, c, l)
}

// maxCharted is how many points a chart has at most: what fits into a wide terminal.
const maxCharted = 400

// charted prints a list as list does, and then a chart of its last rows.
func charted[T proto.Message](ctx context.Context, c Client, l listing[T], chart func([]T) string) error {
	var last []T
	most := maxCharted
	if c.Width > 0 {
		const words = 24 // beside it
		most = min(most, max(10, c.Width-words))
	}
	page := l.page
	l.page = func(ctx context.Context, size int32, token string) ([]T, string, error) {
		rows, next, err := page(ctx, size, token)
		last = append(last, rows...)
		last = last[max(0, len(last)-most):]
		return rows, next, err
	}
	if err := list(ctx, c, l); err != nil {
		return err
	}
	line := chart(last)
	if line == "" {
		return nil
	}
	_, err := fmt.Fprintf(c.Out, "\n%s\n", line)
	return err
}

// historyFile writes a history as a file.
func (c Client) historyFile(ctx context.Context, h SiteHistory) error {
	ctx, idle := watchIdle(ctx)
	defer idle.close()
	out := historyfile.NewWriter(c.Out, historyfile.CSV)
	a := h.Asked
	stream, err := monitorv1.NewHistoryServiceClient(c.Conn).ExportSiteHistory(ctx, &monitorv1.ExportSiteHistoryRequest{
		SiteId: a.GetSiteId(), StartTime: a.GetStartTime(), EndTime: a.GetEndTime(), Resolution: a.GetResolution(), Region: a.GetRegion(),
	})
	rows := 0
	for ; err == nil && (h.Limit == 0 || rows < h.Limit); rows++ {
		var resp *monitorv1.ExportSiteHistoryResponse
		idle.begin()
		resp, err = stream.Recv()
		idle.end()
		if err != nil {
			break
		}
		if err := out.Write(resp.GetPoint()); err != nil {
			return err
		}
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return out.Flush()
	case rows == 0:
		return c.explain(idle.cause(err))
	}
	_ = out.Flush() // the file is not complete anyway
	return fmt.Errorf("the file is not complete: %w", c.explain(idle.cause(err)))
}

// SiteUptimes is what to print of how sites were.
type SiteUptimes struct {
	// Asked selects the period; its site is not read.
	Asked *monitorv1.GetSiteUptimeRequest
	Chart format.Chart
}

// SiteUptimes prints how sites were over a period: all that is known of one, a row for each of
// several.
func (c Client) SiteUptimes(ctx context.Context, ids IDs, u SiteUptimes) error {
	out := printer[*monitorv1.SiteUptime](uptimePrinter{c, u.Chart})
	if ids.Many || c.Output == NDJSON {
		out = newPrinter(c, listing[*monitorv1.SiteUptime]{
			name: "uptimes", titles: format.UptimeTitles(),
			cells: func(s *monitorv1.SiteUptime) []string { return format.UptimeCells(s, u.Chart) },
		})
	}
	return eachOf(ctx, c, ids, out, func(ctx context.Context, id int64) error {
		req := proto.Clone(u.Asked).(*monitorv1.GetSiteUptimeRequest)
		req.SiteId = id
		resp, err := call(ctx, req, monitorv1.NewHistoryServiceClient(c.Conn).GetSiteUptime)
		if err != nil {
			return err
		}
		return out.add(resp.GetUptime())
	})
}

// uptimePrinter prints all that is known of one site.
type uptimePrinter struct {
	c     Client
	chart format.Chart
}

func (p uptimePrinter) add(u *monitorv1.SiteUptime) error {
	return p.c.show(u, func(w io.Writer) error { return format.Uptime(w, u, p.chart) })
}
func (p uptimePrinter) flush() error     { return nil }
func (p uptimePrinter) end(string) error { return nil }

// FleetHistory prints how the checks of all sites were.
func (c Client) FleetHistory(ctx context.Context, asked *monitorv1.GetFleetHistoryRequest, chart format.Chart) error {
	l := listing[*monitorv1.FleetHistoryPoint]{
		name: "points", titles: format.FleetHistoryTitles(), cells: format.FleetHistoryCells,
		page: func(ctx context.Context, _ int32, _ string) ([]*monitorv1.FleetHistoryPoint, string, error) {
			resp, err := call(ctx, asked, monitorv1.NewHistoryServiceClient(c.Conn).GetFleetHistory)
			return resp.GetPoints(), "", err
		},
	}
	if c.Output != JSON && c.Output != NDJSON {
		return charted(ctx, c, l, func(points []*monitorv1.FleetHistoryPoint) string { return format.FleetHistoryLine(points, chart) })
	}
	return list(ctx, c, l)
}
