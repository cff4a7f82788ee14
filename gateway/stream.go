package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/restjson"
)

// Limits of a stream, which has none for its whole time or size: of how long a client may give
// nothing to read, and take nothing of what is written.
const (
	streamReadTimeout  = time.Minute
	streamWriteTimeout = 30 * time.Second
)

// streamer passes a request on to an RPC that is a stream, and its answer back.
type streamer func(*handler, http.ResponseWriter, *http.Request) error

// streamerOf returns the streamer of an RPC, or of one whose answer is no JSON; nil when it has
// none.
func streamerOf(name protoreflect.FullName) streamer {
	switch name {
	case "jetmon.monitor.v1.SiteService.ImportSites":
		return (*handler).importSites
	case "jetmon.monitor.v1.SiteService.ExportSites":
		return (*handler).exportSites
	case "jetmon.monitor.v1.HistoryService.ExportSiteHistory":
		return (*handler).exportHistory
	case "jetmon.monitor.v1.ChangeService.WatchChanges":
		return (*handler).watchChanges
	case "jetmon.monitor.v1.MaintenanceService.GetMaintenanceCalendar":
		return (*handler).calendar
	case "jetmon.monitor.v1.ProbeService.ProbeURL":
		return (*handler).probeURL
	case "jetmon.monitor.v1.DiagnosisService.WatchDiagnosis":
		return (*handler).watchDiagnosis
	case "jetmon.monitor.v1.BadgeService.GetBadge":
		return (*handler).badge
	}
	return nil
}

// stream begins a stream: it returns the request as the coordinator is to know it. The context
// of the request ends with the stream, or with its client.
func (h *handler) stream(req *http.Request, method string) (*http.Request, error) {
	header, err := passed(req.Header)
	if err != nil {
		return nil, err
	}
	plain := (&http.Request{Method: req.Method, URL: req.URL, Header: header, RemoteAddr: req.RemoteAddr}).WithContext(req.Context())
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	ctx, err := runtime.AnnotateContext(req.Context(), h.api[protoreflect.FullName(service)], plain, method)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%w", err)
	}
	return req.WithContext(ctx), nil
}

// media names the format of a media type of rows; false when it is none.
func media(kind string) (format string, ok bool) {
	switch strings.ToLower(kind) {
	case csvType:
		return csvType, true
	case ndjsonType, "application/ndjson", "application/jsonl":
		return ndjsonType, true
	}
	return "", false
}

const (
	csvType    = "text/csv"
	ndjsonType = "application/x-ndjson"
)

// patientReader reads a body that may be long, as long as something comes.
type patientReader struct {
	body    io.Reader
	control *http.ResponseController
	// end is when it gives up in any case, in Unix nanoseconds; 0 means never.
	end atomic.Int64
}

// lateReading is for how long a body is still read when nothing of it is wanted any more: while
// it is sent, a client does not read why.
const lateReading = 2 * time.Second

// finish has what is still to be read end soon.
func (r *patientReader) finish() {
	end := time.Now().Add(lateReading)
	r.end.Store(end.UnixNano())
	_ = r.control.SetReadDeadline(end) // of a read that waits; HTTP/2 ends it with the request
}

// bodyError is an error of the connection, and not of what was read.
type bodyError struct{ err error }

func (e bodyError) Error() string { return e.err.Error() }
func (e bodyError) Unwrap() error { return e.err }

// Read reads some of the body.
func (r *patientReader) Read(b []byte) (int, error) {
	deadline := time.Now().Add(streamReadTimeout)
	if end := r.end.Load(); end != 0 {
		deadline = time.Unix(0, end)
	}
	if err := r.control.SetReadDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, bodyError{err}
	}
	n, err := r.body.Read(b)
	if err != nil && err != io.EOF {
		err = bodyError{err}
	}
	return n, err
}

// rowWriter writes an answer that may be long, as long as somebody takes it.
type rowWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	kind    string // of media
	begun   bool
	// patient means that there may be nothing to write for long: see wait.
	patient bool
}

func newRowWriter(w http.ResponseWriter, kind string) *rowWriter {
	return &rowWriter{w: w, control: http.NewResponseController(w), kind: kind}
}

// beginPatiently has the answer go on however long there is nothing to write, up to the end.
func (r *rowWriter) beginPatiently() (end func()) {
	r.patient = true
	r.wait()
	return func() {
		r.patient = false
		_ = r.hurry()
	}
}

// begin says what the answer is.
func (r *rowWriter) begin() {
	if r.begun {
		return
	}
	r.begun = true
	r.w.Header().Set("Content-Type", r.kind)
	if c, ok := r.w.(*countedWriter); ok {
		c.zip.streams = true
	}
	r.w.WriteHeader(http.StatusOK)
}

// wait has the answer go on however long there is nothing to write: over HTTP/2 the time for
// writing ends a stream also while nobody writes. hurry ends that.
func (r *rowWriter) wait() { _ = r.control.SetWriteDeadline(time.Time{}) }

// hurry bounds the time for what is written next.
func (r *rowWriter) hurry() error {
	return r.control.SetWriteDeadline(time.Now().Add(streamWriteTimeout))
}

// Write writes some of the answer.
func (r *rowWriter) Write(b []byte) (int, error) {
	r.begin()
	if err := r.hurry(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	if r.patient {
		defer r.wait()
	}
	return r.w.Write(b)
}

// flush has the client get what is in a buffer before r.
func (r *rowWriter) flush(buffer *bufio.Writer) error {
	if buffer.Buffered() == 0 {
		return nil
	}
	if err := buffer.Flush(); err != nil {
		return err
	}
	return r.control.Flush()
}

// brokenLine is the last line of an answer that is not whole: {"error": STATUS}.
func brokenLine(s *status.Status) []byte {
	raw, err := restjson.Line(s)
	if err != nil { // a detail of a type that is unknown here
		s.Details = nil
		raw, _ = restjson.Line(s)
	}
	return append(append([]byte(`{"error":`), bytes.TrimSpace(raw)...), "}\n"...)
}

// client calls the SiteService.
func (h *handler) client() monitorv1.SiteServiceClient { return monitorv1.NewSiteServiceClient(h.conn) }
