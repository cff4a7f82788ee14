package api

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// Rows of an import are added in groups: of at most store.MaxAdded rows and about groupBytes
// bytes, and none waits longer than groupWait for others.
const (
	groupBytes = 1 << 20
	groupWait  = 200 * time.Millisecond
	// groupTimeout bounds the time to add a group.
	groupTimeout = 10 * time.Second
)

// ImportSites reads rows in a goroutine, which ends with the stream.
func (s *sites) ImportSites(stream grpc.BidiStreamingServer[monitorv1.ImportSitesRequest, monitorv1.ImportSitesResponse]) error {
	ctx, cancel := context.WithCancel(witnessed(stream.Context(), monitorv1.SiteService_ImportSites_FullMethodName))
	defer cancel()
	r := &rowReader{rows: make(chan *monitorv1.ImportSitesRequest)}
	go r.read(ctx, stream)
	done := int64(0)
	for {
		group, err := r.group(ctx)
		if len(group) == 0 {
			return err
		}
		answers, err := s.add(ctx, group)
		if err != nil {
			return err
		}
		for _, a := range answers {
			done++
			a.Row = done
			if err := stream.Send(a); err != nil {
				return err
			}
		}
	}
}

// rowReader reads the rows of an import.
type rowReader struct {
	rows chan *monitorv1.ImportSitesRequest
	// err is why there are no more rows, nil at the end. It is written before rows closes.
	err error
}

func (r *rowReader) read(ctx context.Context, stream grpc.BidiStreamingServer[monitorv1.ImportSitesRequest, monitorv1.ImportSitesResponse]) {
	defer close(r.rows)
	for {
		row, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return
		}
		select {
		case r.rows <- row:
		case <-ctx.Done():
			r.err = ctx.Err()
			return
		}
	}
}

// group returns the next rows; none at the end, and why there are no more. Rows that came before
// an error are returned first.
func (r *rowReader) group(ctx context.Context) (group []*monitorv1.ImportSitesRequest, err error) {
	var full <-chan time.Time
	for size := 0; len(group) < store.MaxAdded && size < groupBytes; {
		select {
		case row, ok := <-r.rows:
			if !ok {
				return group, r.err
			}
			if len(group) == 0 {
				full = time.After(groupWait)
			}
			group, size = append(group, row), size+proto.Size(row)
		case <-full:
			return group, nil
		case <-ctx.Done(): // the reader may still write r.err
			return group, ctx.Err()
		}
	}
	return group, nil
}

// add adds the sites of a group of rows, and answers each.
func (s *sites) add(ctx context.Context, group []*monitorv1.ImportSitesRequest) ([]*monitorv1.ImportSitesResponse, error) {
	answers := make([]*monitorv1.ImportSitesResponse, len(group))
	var rows []record.Site
	var places []int // of each row in the group
	for i, req := range group {
		row, err := s.newRow(ctx, req)
		if err != nil {
			answers[i] = refusedRow(err)
			continue
		}
		rows, places = append(rows, row), append(places, i)
	}
	ctx, cancel := context.WithTimeout(ctx, groupTimeout)
	defer cancel()
	began := time.Now()
	added, err := s.o.Store.AddSites(ctx, rows)
	if err != nil {
		return nil, err
	}
	s.tellAdded(began, added)
	for i, a := range added {
		answers[places[i]] = answerRow(rows[i], a)
	}
	return answers, nil
}

// newRow makes the row of a site to add.
func (s *sites) newRow(ctx context.Context, req *monitorv1.ImportSitesRequest) (record.Site, error) {
	row := record.Site{Status: check.StatusRunning, Interval: defaultInterval}
	if err := rpc.Check(ctx, &monitorv1.CreateSiteRequest{Site: req.GetSite()}); err != nil {
		return row, err
	}
	if err := s.o.edit(&row, req.GetSite(), editable); err != nil {
		return row, err
	}
	row.Bucket = shard.Place(row.BlogID, row.URL)
	return row, mayPut(ctx, row.BlogID)
}

// tellAdded passes new sites in our own shards to the engine, which checks each at its turn; it
// needs to know nothing of those that are paused. began is before they were added: what is known
// of a later edit stays. Other owners find theirs in the table.
func (s *sites) tellAdded(began time.Time, added []store.Added) {
	held := s.o.Shards.Held()
	for _, a := range added {
		if a.Err == nil && !a.Existed && !a.Site.Paused && held.Stays(shard.Of(a.Site.Bucket)) {
			s.o.Engine.Put(began, a.Site)
		}
	}
}

func refusedRow(err error) *monitorv1.ImportSitesResponse {
	return &monitorv1.ImportSitesResponse{Result: monitorv1.ImportResult_IMPORT_RESULT_REFUSED, Error: fault.Status(err).Proto()}
}

func answerRow(row record.Site, a store.Added) *monitorv1.ImportSitesResponse {
	if a.Err != nil {
		return refusedRow(a.Err)
	}
	out := &monitorv1.ImportSitesResponse{Result: monitorv1.ImportResult_IMPORT_RESULT_CREATED, SiteId: int64(a.Site.ID)}
	if a.Existed {
		out.Result = monitorv1.ImportResult_IMPORT_RESULT_UNCHANGED
		if row.ID = a.Site.ID; etagOf(row) != etagOf(a.Site) {
			out.Result = monitorv1.ImportResult_IMPORT_RESULT_DIFFERENT
		}
	}
	return out
}
