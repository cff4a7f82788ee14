package coordinator

import (
	"context"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/coordinator/state/pulse"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// patiently is the interceptor that ends a call whose database does not answer. It must be
// ended by us: a caller would take the end of its own deadline for our being away, and might
// have waited much longer than it has to.
func (c *Coordinator) patiently(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, done := c.pulse.Watch(ctx, looksAtSites(info.FullMethod))
	defer done()
	resp, err := handle(ctx, req)
	if err != nil && pulse.Ended(ctx) {
		return nil, fault.New(fault.Unavailable, "%w: %w", pulse.ErrAway, err).
			Hidden("the database does not answer; try again in some seconds").
			With(&errdetails.RetryInfo{RetryDelay: durationpb.New(2 * time.Second)})
	}
	return resp, err
}

// looksAtSites reports whether a call needs the database only at its beginning, when it reads the
// site or the subscription, and then waits for what is seen there: up to a minute.
func looksAtSites(method string) bool {
	return method == monitorv1.SiteService_CheckSite_FullMethodName || method == monitorv1.SubscriptionService_TestSubscription_FullMethodName ||
		strings.HasPrefix(method, "/"+monitorv1.DiagnosisService_ServiceDesc.ServiceName+"/")
}
