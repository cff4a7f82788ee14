package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// teller has a stream of three events, which breaks off after each; the token is how many a
// watcher has. After the last it does what end does.
type teller struct {
	monitorv1.UnimplementedSiteServiceServer
	monitorv1.UnimplementedChangeServiceServer
	end   func(context.Context) error
	calls atomic.Int32
}

const events = 3

// WatchChanges implements the ChangeService.
func (s *teller) WatchChanges(req *monitorv1.WatchChangesRequest, stream grpc.ServerStreamingServer[monitorv1.WatchChangesResponse]) error {
	call := s.calls.Add(1)
	has := 0
	if req.GetResumeToken() != "" {
		if _, err := fmt.Sscan(req.GetResumeToken(), &has); err != nil || req.GetFromStart() {
			return fault.New(fault.Invalid, "token %q, from the start: %t", req.GetResumeToken(), req.GetFromStart())
		}
	}
	if call == 3 {
		return fault.New(fault.Unavailable, "it is not back yet")
	}
	if err := stream.Send(&monitorv1.WatchChangesResponse{ResumeToken: fmt.Sprint(has)}); err != nil {
		return err
	}
	if has == events {
		return s.end(stream.Context())
	}
	e := &monitorv1.Event{
		EventId: fmt.Sprintf("e%d", has), Type: monitorv1.EventType_EVENT_TYPE_SITE_DOWN, Muted: has == 1, Site: &monitorv1.EventSite{SiteId: 7, Url: bell},
		StatusChange: &monitorv1.StatusChange{OutageId: 3, Failure: checkv1.FailureKind_FAILURE_KIND_SERVER, Reason: "http_503", HttpStatus: 503},
	}
	if err := stream.Send(&monitorv1.WatchChangesResponse{Events: []*monitorv1.Event{e}, ResumeToken: fmt.Sprint(has + 1)}); err != nil {
		return err
	}
	return fault.New(fault.Unavailable, "this coordinator stops")
}

func TestWhoWatchesSeesEachEventOnceAlthoughTheStreamBreaksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for form, line := range map[Output]string{
			Text:   "site_down            site 7  http://bell.example/??[31m  server (http_503), HTTP status 503  outage 3",
			NDJSON: `"event_id":"e`, JSON: `"event_id":"e`,
		} {
			s := &teller{end: func(context.Context) error { return fault.New(fault.Gone, "events after it are no longer kept") }}
			c, out := connectTo(t, s)
			c.Output = form
			err := c.WatchChanges(t.Context(), &monitorv1.WatchChangesRequest{FromStart: true})
			text := out.String()
			if err == nil || !strings.Contains(err.Error(), "no longer kept") || !strings.Contains(err.Error(), "last token was 3") {
				t.Errorf("%s: the end is %v", form, err)
			}
			if n := strings.Count(text, line); n != events || strings.ContainsAny(text, "\a\x1b") {
				t.Errorf("%s: %d events of %d:\n%s", form, n, events, text)
			}
			// The coordinator that is not back at the first try is told of once.
			if n := strings.Count(text, "the stream broke off, and goes on: "); n != events {
				t.Errorf("%s: it is said %d times that the stream broke off:\n%s", form, n, text)
			}
			if form == Text && strings.Count(text, "(nobody is told)") != 1 {
				t.Errorf("one event was muted:\n%s", text)
			}
		}
	})
}

func TestAWatchThatIsInterruptedSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &teller{end: func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}}
		c, _ := connectTo(t, s)
		err := c.WatchChanges(ctx, &monitorv1.WatchChangesRequest{})
		if _, ok := errors.AsType[Interrupted](err); !ok || !strings.Contains(err.Error(), "--since-token=3 goes on from here") {
			t.Errorf("the end is %v", err)
		}
	})
}

func TestAWatchThatCannotBeginEnds(t *testing.T) {
	t.Parallel()
	c, out := connectTo(t, &teller{})
	err := c.WatchChanges(t.Context(), &monitorv1.WatchChangesRequest{ResumeToken: "x"})
	if !fault.Is(err, fault.Invalid) || out.Len() > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
