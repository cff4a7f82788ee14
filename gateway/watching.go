package gateway

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/restjson"
)

const (
	eventsType = "text/event-stream"
	// lastEventID is the header in which a browser names the last event that it got.
	lastEventID = "Last-Event-ID"
	// maxLastEventID bounds it; a token is shorter.
	maxLastEventID = 512
	// retryLine has a browser wait for 2 s before it asks again.
	retryLine = "retry: 2000\n"
)

// watchChanges passes on what happens, while it happens: NDJSON, a response a line, or
// server-sent events. A response is one line or one event: it comes whole or, as far as a client
// can tell, not at all.
func (h *handler) watchChanges(w http.ResponseWriter, req *http.Request) error {
	asked, err := watchRequest(req)
	if err != nil {
		return err
	}
	if err := checkNoBody(w, req); err != nil {
		return err
	}
	live := newLiveWriter(w, prefersEvents(req.Header))
	if req, err = h.stream(req, monitorv1.ChangeService_WatchChanges_FullMethodName); err != nil {
		return err
	}
	ctx, cancel := h.untilStop(req.Context())
	defer cancel()
	stream, err := monitorv1.NewChangeServiceClient(h.conn).WatchChanges(ctx, asked)
	var first *monitorv1.WatchChangesResponse
	if err == nil {
		first, err = stream.Recv()
	}
	if err != nil {
		if live.events && passes(err) {
			live.putOff(brokenLine(h.watchEnd(req.Context(), err).Proto()))
		} else {
			h.failCall(req.Context(), w, err)
		}
		return nil
	}
	if req.Method == http.MethodHead {
		live.begin()
		return nil
	}
	if err := live.pass(first, stream); err != nil {
		live.end(brokenLine(h.watchEnd(req.Context(), err).Proto()))
	}
	return nil
}

// passes reports whether an error is gone after a while.
func passes(err error) bool {
	switch fault.Status(err).Code() {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return true
	}
	return false
}

// watchEnd returns what a client is told of the end of its stream.
func (h *handler) watchEnd(ctx context.Context, err error) *status.Status {
	select {
	case <-h.stopping:
		return fault.New(fault.Unavailable, "this gateway stops: go on with the last resume_token, at another").GRPCStatus()
	default:
	}
	s, ours := told(err)
	if ours && ctx.Err() == nil {
		h.log.InfoContext(ctx, "watching cut short", "error", err)
	}
	return s
}

// untilStop returns a context that ends with the gateway, too.
func (h *handler) untilStop(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-h.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// watchRequest reads a request. Where a browser says how far it got, it repeats the URL of the
// first time.
func watchRequest(req *http.Request) (*monitorv1.WatchChangesRequest, error) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, fault.InvalidField("query", "is malformed: %w", err)
	}
	asked := &monitorv1.WatchChangesRequest{}
	if err := runtime.PopulateQueryParameters(asked, query, utilities.NewDoubleArray(nil)); err != nil {
		return nil, fault.InvalidField("query", "is malformed: %w", err)
	}
	switch ids := req.Header.Values(lastEventID); {
	case len(ids) > 1 || len(ids) == 1 && (len(ids[0]) > maxLastEventID || strings.ContainsFunc(ids[0], func(r rune) bool { return r < ' ' || r > '~' })):
		return nil, fault.InvalidField(lastEventID, "must be one resume_token")
	case len(ids) == 1 && ids[0] != "":
		asked.ResumeToken, asked.FromStart = ids[0], false
	}
	return asked, nil
}

// prefersEvents says whether a client would rather have server-sent events than NDJSON.
func prefersEvents(h http.Header) bool {
	events, other := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept"), ","), ",") {
		kind, params, _ := strings.Cut(part, ";")
		weight := weightIn(params)
		switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
		case eventsType:
			events = max(events, weight)
		default:
			if format, _ := media(kind); format == ndjsonType || kind == jsonType {
				other = max(other, weight)
			}
		}
	}
	return events > other
}

// weightIn returns the weight in the parameters of a media type in Accept.
func weightIn(params string) float64 {
	weight := 1.0
	for param := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(param), "="); strings.EqualFold(name, "q") {
			weight, _ = strconv.ParseFloat(value, 64) // 0 when it is no number: not wanted
		}
	}
	return weight
}

// liveWriter writes responses as they come.
type liveWriter struct {
	rows   *rowWriter
	events bool
}

func newLiveWriter(w http.ResponseWriter, events bool) *liveWriter {
	kind := ndjsonType
	if events {
		kind = eventsType
	}
	return &liveWriter{newRowWriter(w, kind), events}
}

// begin says what the answer is. It is not compressed: each stream would need a compressor of
// its own, and its memory, for as long as it lasts.
func (l *liveWriter) begin() {
	if c, ok := l.rows.w.(*countedWriter); ok {
		c.zip.pool = nil
	}
	h := l.rows.w.Header()
	h.Add("Vary", "Accept")
	h.Set("X-Accel-Buffering", "no") // a proxy that buffers would keep everything back
	// The time for reading requests is over long before a stream is: net/http would take that
	// for the end of the client.
	_ = l.rows.control.SetReadDeadline(time.Time{})
	l.rows.begin()
}

// pass passes on responses until the stream or its client ends.
func (l *liveWriter) pass(m *monitorv1.WatchChangesResponse, stream grpc.ServerStreamingClient[monitorv1.WatchChangesResponse]) error {
	l.begin()
	opening := ""
	if l.events {
		opening = retryLine
	}
	for {
		raw, err := restjson.Line(m)
		if err != nil {
			return err
		}
		if l.events {
			raw = eventOf(m, opening, raw)
		}
		opening = ""
		if err := l.write(raw); err != nil {
			return nil // the client has gone
		}
		if m, err = stream.Recv(); err != nil {
			return err
		}
	}
}

// eventOf returns a response as a server-sent event. One without data is dispatched to nobody,
// and its id still counts.
func eventOf(m *monitorv1.WatchChangesResponse, opening string, line []byte) []byte {
	out := append([]byte(opening), "id: "+m.GetResumeToken()+"\n"...)
	if len(m.GetEvents()) == 0 {
		return append([]byte(": nothing new\n"), append(out, '\n')...)
	}
	out = append(append(out, "data: "...), line...) // which ends in a line feed
	return append(out, '\n')
}

// end writes why the stream ends.
func (l *liveWriter) end(line []byte) {
	if l.events {
		line = append(append([]byte("event: end\ndata: "), line...), '\n')
	}
	_ = l.write(line) // or nobody reads it any more
}

// putOff has a browser ask again later. An error for an answer would have it give up for ever,
// although nothing but a coordinator is away for a moment.
func (l *liveWriter) putOff(line []byte) {
	l.begin()
	if l.write([]byte(retryLine)) == nil {
		l.end(line)
	}
}

func (l *liveWriter) write(raw []byte) error {
	if _, err := l.rows.Write(raw); err != nil {
		return err
	}
	return l.rows.control.Flush()
}
