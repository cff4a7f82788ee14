package api

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

// idleImport is a stream of rows on which nothing comes, not even its end.
type idleImport struct {
	grpc.BidiStreamingServer[monitorv1.ImportSitesRequest, monitorv1.ImportSitesResponse]
	ctx  context.Context
	over chan struct{}
}

func (s idleImport) Context() context.Context { return s.ctx }

func (s idleImport) Recv() (*monitorv1.ImportSitesRequest, error) {
	<-s.over
	return nil, errors.New("the stream is over")
}

// An import whose caller has gone must not count as one that was made.
func TestAnImportThatIsGivenUpIsNotDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	over := make(chan struct{})
	defer close(over)
	if err := new(sites).ImportSites(idleImport{ctx: ctx, over: over}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}
