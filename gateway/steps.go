package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/restjson"
)

// probeURL passes on the answers of verifliers about a URL as they come.
func (h *handler) probeURL(w http.ResponseWriter, req *http.Request) error {
	data, err := readBody(w, req)
	if err != nil {
		return err
	}
	asked := &monitorv1.ProbeURLRequest{Probe: &monitorv1.Probe{}}
	if err := checkBody(data, asked.GetProbe().ProtoReflect().Descriptor()); err != nil {
		return err
	}
	if err := protojson.Unmarshal(data, asked.GetProbe()); err != nil { // it was checked: it does not
		return fault.InvalidField("body", "is no probe")
	}
	return steps(stepping{h, w, req, monitorv1.ProbeService_ProbeURL_FullMethodName}, func(ctx context.Context) (receiver[*monitorv1.ProbeURLResponse], error) {
		return monitorv1.NewProbeServiceClient(h.conn).ProbeURL(ctx, asked)
	})
}

// watchDiagnosis passes on what a diagnosis finds as it finds it.
func (h *handler) watchDiagnosis(w http.ResponseWriter, req *http.Request) error {
	if err := checkNoBody(w, req); err != nil {
		return err
	}
	asked := &monitorv1.WatchDiagnosisRequest{}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err == nil {
		err = runtime.PopulateQueryParameters(asked, query, utilities.NewDoubleArray(nil))
	}
	if err != nil {
		return fault.InvalidField("query", "is malformed: %w", err)
	}
	if asked.SiteId, err = strconv.ParseInt(req.PathValue("site_id"), 10, 64); err != nil {
		return fault.InvalidField("site_id", "must be a whole number")
	}
	return steps(stepping{h, w, req, monitorv1.DiagnosisService_WatchDiagnosis_FullMethodName}, func(ctx context.Context) (receiver[*monitorv1.WatchDiagnosisResponse], error) {
		return monitorv1.NewDiagnosisServiceClient(h.conn).WatchDiagnosis(ctx, asked)
	})
}

// receiver is a stream of answers.
type receiver[M proto.Message] interface{ Recv() (M, error) }

// stepping is a request whose answer comes step by step.
type stepping struct {
	h   *handler
	w   http.ResponseWriter
	req *http.Request
	// method is the RPC that answers it.
	method string
}

// steps passes on the messages of a stream that ends, each as a line of NDJSON as soon as it is
// there.
func steps[M proto.Message](s stepping, call func(context.Context) (receiver[M], error)) error {
	h, live := s.h, newLiveWriter(s.w, false)
	req, err := h.stream(s.req, s.method)
	if err != nil {
		return err
	}
	ctx, cancel := h.untilStop(req.Context())
	defer cancel()
	live.rows.wait()
	defer func() { _ = live.rows.hurry() }()
	stream, err := call(ctx)
	var m M
	if err == nil {
		m, err = stream.Recv()
	}
	if err != nil {
		_ = live.rows.hurry()
		h.failCall(req.Context(), s.w, err)
		return nil
	}
	live.begin()
	for ; err == nil; m, err = stream.Recv() {
		raw, broken := restjson.Line(m)
		if broken != nil {
			return broken
		}
		if live.write(raw) != nil {
			return nil // the client has gone
		}
		live.rows.wait()
	}
	if !errors.Is(err, io.EOF) {
		live.end(brokenLine(h.stepsEnd(req.Context(), err)))
	}
	return nil
}

// stepsEnd is why the steps end before the last.
func (h *handler) stepsEnd(ctx context.Context, err error) *status.Status {
	select {
	case <-h.stopping:
		return fault.New(fault.Unavailable, "this gateway stops: ask again, at another").GRPCStatus().Proto()
	default:
	}
	s, ours := told(err)
	if ours && ctx.Err() == nil {
		h.log.InfoContext(ctx, "answer cut short", "error", err)
	}
	return s.Proto()
}
