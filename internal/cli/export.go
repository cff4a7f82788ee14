package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// idleTimeout is how long a stream may be silent.
const idleTimeout = 60 * time.Second

// SiteExport selects what to export.
type SiteExport struct {
	// Filter selects the sites.
	Filter *monitorv1.ExportSitesRequest
	// Format is that of the file.
	Format sitefile.Format
	// Meter shows how far it is; nil shows nothing.
	Meter *Meter
}

// ExportSites writes sites into Out, as a file for ImportSites.
func (c Client) ExportSites(ctx context.Context, e SiteExport) error {
	defer e.Meter.End()
	ctx, idle := watchIdle(ctx)
	defer idle.close()
	out := sitefile.NewWriter(c.Out, e.Format)
	stream, err := monitorv1.NewSiteServiceClient(c.Conn).ExportSites(ctx, e.Filter)
	rows := 0
	for ; err == nil; rows++ {
		var resp *monitorv1.ExportSitesResponse
		idle.begin()
		resp, err = stream.Recv()
		idle.end()
		if err != nil {
			break
		}
		if err := out.Write(resp.GetSite()); err != nil {
			return err
		}
		e.Meter.Show(fmt.Sprintf("%d sites", rows+1), rows+1)
	}
	if !errors.Is(err, io.EOF) {
		if rows > 0 {
			_ = out.Flush() // the file is not complete anyway
		}
		return fmt.Errorf("the file is not complete: %w", c.explain(idle.cause(err)))
	}
	return out.Flush()
}

// idleWatch ends a stream when one answer takes too long.
type idleWatch struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
	ctx    context.Context
}

// errIdle is why a silent stream was ended.
var errIdle = fmt.Errorf("nothing came for %s", idleTimeout)

func watchIdle(ctx context.Context) (context.Context, *idleWatch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &idleWatch{cancel: cancel, ctx: ctx}
	w.timer = time.AfterFunc(idleTimeout, func() { cancel(errIdle) })
	w.timer.Stop() // until begin
	return ctx, w
}

// begin begins to wait for an answer, and end ends it.
func (w *idleWatch) begin() { w.timer.Reset(idleTimeout) }
func (w *idleWatch) end()   { w.timer.Stop() }

// close ends the stream.
func (w *idleWatch) close() {
	w.timer.Stop()
	w.cancel(nil)
}

// cause returns why a stream ended, if it was this.
func (w *idleWatch) cause(err error) error {
	if err != nil && errors.Is(context.Cause(w.ctx), errIdle) {
		return errIdle
	}
	return err
}
