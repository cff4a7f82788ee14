package api

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/feed"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	// defaultHeartbeat is the longest time between two responses when the caller does not say.
	defaultHeartbeat = 15 * time.Second
	// takeWithin is how long a watcher may take nothing of what is sent.
	takeWithin = 30 * time.Second
	// recheckEvery is how often it is asked whether the caller's token is still good.
	recheckEvery = 5 * time.Second
)

// changes implements the ChangeService.
type changes struct {
	monitorv1.UnimplementedChangeServiceServer
	feed *feed.Feed
}

// EncodeEvent encodes an event, given as it is stored, as it lies in a WatchChangesResponse.
// It passes over what a newer program has written.
func EncodeEvent(body string) ([]byte, error) {
	e := new(monitorv1.Event)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(body), e); err != nil {
		return nil, err
	}
	return proto.Marshal(&monitorv1.WatchChangesResponse{Events: []*monitorv1.Event{e}})
}

// watch is one call of WatchChanges.
type watch struct {
	filter    event.Filter
	muted     bool
	caller    access.Caller
	heartbeat time.Duration
	// plain means that the watcher sees what most do, so that messages are shared.
	plain bool
}

// WatchChanges implements the ChangeService.
func (s *changes) WatchChanges(req *monitorv1.WatchChangesRequest, stream grpc.ServerStreamingServer[monitorv1.WatchChangesResponse]) error {
	ctx := stream.Context()
	start, err := startOf(req)
	if err != nil {
		return err
	}
	w, err := watchOf(ctx, req)
	if err != nil {
		return err
	}
	cursor, err := s.feed.Watch(ctx, start)
	if err != nil {
		return watchFault(err, "")
	}
	defer cursor.Close()
	out := newOutlet(stream, s.feed.Done())
	defer out.close()
	return w.run(ctx, cursor, out)
}

// run sends what happens until the stream ends.
func (w *watch) run(ctx context.Context, cursor *feed.Cursor, out *outlet) error {
	taken := cursor.Token()
	if err := out.send(ctx, responseOf(nil, taken)); err != nil {
		return watchFault(err, taken)
	}
	due, recheck := time.Now().Add(w.heartbeat), time.Now().Add(recheckEvery)
	for {
		b, err := cursor.Next(ctx, time.Until(due))
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return watchFault(err, taken)
		case now.After(recheck):
			if err := rpc.StillAccepted(ctx); err != nil {
				return err
			}
			recheck = now.Add(recheckEvery)
		}
		m := w.message(b)
		if m == nil && now.Before(due) {
			continue
		}
		if m == nil {
			m = responseOf(nil, cursor.Token())
		}
		if err := out.send(ctx, m); err != nil {
			return watchFault(err, taken)
		}
		taken, due = cursor.Token(), time.Now().Add(w.heartbeat)
	}
}

// message returns the response with what of a batch the caller is to see; nil when that is
// nothing.
func (w *watch) message(b *feed.Batch) rpc.Encoded {
	if b == nil {
		return nil
	}
	if !w.plain {
		return w.admitted(b)
	}
	shared, _ := b.Whole(func(b *feed.Batch) any {
		parts := w.admitted(b)
		if parts == nil {
			return parts
		}
		return rpc.Encoded{bytes.Join(parts, nil)}
	}).(rpc.Encoded)
	return shared
}

func (w *watch) admitted(b *feed.Batch) rpc.Encoded {
	var parts [][]byte
	for _, item := range b.Items {
		if w.admits(&item.Event) {
			parts = append(parts, item.Wire)
		}
	}
	if parts == nil {
		return nil
	}
	return responseOf(parts, b.Token)
}

func (w *watch) admits(e *event.Event) bool {
	if e.Muted && !w.muted {
		return false
	}
	if w.caller.Limited() && (e.Site == nil || !w.caller.Sees(e.Site.BlogID)) {
		return false
	}
	return w.filter.Admits(e)
}

const tokenField = 2 // of WatchChangesResponse

// responseOf returns a WatchChangesResponse with encoded events and a token.
func responseOf(events [][]byte, token string) rpc.Encoded {
	last := protowire.AppendTag(nil, tokenField, protowire.BytesType)
	return append(events, protowire.AppendString(last, token))
}

// startOf reads where a stream is to begin.
func startOf(req *monitorv1.WatchChangesRequest) (feed.Start, error) {
	if req.GetResumeToken() == "" {
		return feed.Start{Oldest: req.GetFromStart()}, nil
	}
	if req.GetFromStart() {
		return feed.Start{}, fault.InvalidField("from_start", "and resume_token exclude one another")
	}
	token, err := event.ParseToken(req.GetResumeToken())
	if err != nil {
		return feed.Start{}, fault.InvalidField("resume_token", "%w", err)
	}
	return feed.Start{Token: &token}, nil
}

// watchOf reads what a caller is to see.
func watchOf(ctx context.Context, req *monitorv1.WatchChangesRequest) (*watch, error) {
	w := &watch{muted: req.GetIncludeMuted(), caller: access.From(ctx), heartbeat: defaultHeartbeat}
	if req.GetHeartbeat() != nil {
		w.heartbeat = req.GetHeartbeat().AsDuration()
	}
	f := &w.filter
	for _, t := range req.GetTypes() {
		f.Types = append(f.Types, event.Type(t))
	}
	for _, id := range req.GetSiteIds() {
		f.Sites = append(f.Sites, check.SiteID(id))
	}
	for _, id := range req.GetBlogIds() {
		f.Blogs = append(f.Blogs, check.BlogID(id))
	}
	f.Tags = req.GetTags()
	for i, text := range req.GetHosts() {
		at, err := record.LocateHost(text)
		if err != nil {
			return nil, fault.InvalidField(fmt.Sprintf("hosts[%d]", i), "must be a host, with or without a port: %w", err)
		}
		f.Hosts = append(f.Hosts, at)
	}
	restricted := len(f.Types)+len(f.Sites)+len(f.Blogs)+len(f.Tags)+len(f.Hosts) > 0
	w.plain = !restricted && !w.muted && !w.caller.Limited()
	return w, nil
}
