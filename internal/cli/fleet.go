package cli

import (
	"context"
	"io"
	"time"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// ShowFleet prints the monitor's view of itself.
func (c Client) ShowFleet(ctx context.Context) error {
	resp, err := call(ctx, &monitorv1.GetFleetRequest{}, monitorv1.NewFleetServiceClient(c.Conn).GetFleet)
	if err != nil {
		return c.explain(err)
	}
	now := time.Now()
	return c.show(resp.GetFleet(), func(w io.Writer) error { return format.Fleet(w, c.Width, resp.GetFleet(), now) })
}
