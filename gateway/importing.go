package gateway

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/restjson"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// importSites passes the rows of a body on, and the answers back while rows still come: a client
// that reads nothing until it has sent all can send tens of thousands of rows.
func (h *handler) importSites(w http.ResponseWriter, req *http.Request) error {
	patient := &patientReader{body: req.Body, control: http.NewResponseController(w)}
	body, format, err := fileOf(w, req, patient)
	if err != nil {
		return err
	}
	if req, err = h.stream(req, monitorv1.SiteService_ImportSites_FullMethodName); err != nil {
		return err
	}
	control := http.NewResponseController(w)
	if req.ProtoMajor == 1 {
		// The server would take what is not read of the body for the next request.
		w.Header().Set("Connection", "close")
	}
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fault.New(fault.Internal, "answer while rows come: %w", err)
	}
	ctx, cancel := context.WithCancel(req.Context())
	stream, err := h.client().ImportSites(ctx)
	if err != nil {
		cancel()
		h.failCall(ctx, w, err)
		return nil
	}
	in := &importing{rows: sitefile.NewReader(body, format), stream: stream, client: req.Context(), cancel: cancel, sent: make(chan struct{}), unreadable: map[int64]error{}}
	var sending sync.WaitGroup
	defer sending.Wait()
	defer patient.finish()
	defer cancel()
	sending.Go(in.send)

	out := newRowWriter(w, ndjsonType)
	switch err, ofFile := in.answer(out); {
	case err == nil:
		out.begin()
	case !out.begun && ofFile:
		return err
	case !out.begun:
		h.failCall(ctx, w, err)
	default:
		h.log.WarnContext(ctx, "import cut short", "error", err)
		s, _ := told(err)
		_, _ = out.Write(brokenLine(rpc.Named(s, rpc.RequestID(ctx)).Proto())) // to a client that may have gone
		_ = control.Flush()
	}
	return nil
}

// fileOf returns the file in the body of a request.
func fileOf(w http.ResponseWriter, req *http.Request, patient *patientReader) (io.Reader, sitefile.Format, error) {
	kind, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	known, ok := media(kind)
	if err != nil || !ok || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, "", &refusal{http.StatusUnsupportedMediaType,
			fault.InvalidField("Content-Type", "must be %s or %s, in UTF-8", ndjsonType, csvType).GRPCStatus()}
	}
	format := sitefile.NDJSON
	if known == csvType {
		format = sitefile.CSV
	}
	var body io.Reader = patient
	switch strings.ToLower(strings.Join(req.Header.Values("Content-Encoding"), ",")) {
	case "", "identity":
	case gzipCoding:
		if body, err = gzip.NewReader(body); err != nil {
			return nil, "", unreadable(err)
		}
	default:
		w.Header().Set("Accept-Encoding", gzipCoding)
		return nil, "", &refusal{http.StatusUnsupportedMediaType, fault.InvalidField("Content-Encoding", "must be gzip, or absent").GRPCStatus()}
	}
	return body, format, nil
}

// importing is an import on its way.
type importing struct {
	rows   *sitefile.Reader
	stream grpc.BidiStreamingClient[monitorv1.ImportSitesRequest, monitorv1.ImportSitesResponse]
	client context.Context    // ends with the client's connection
	cancel context.CancelFunc // of the stream
	sent   chan struct{}      // is closed after the last row

	mu sync.Mutex
	// unreadable says of rows that are no sites why not, until they are answered. The
	// coordinator gets an empty row in place of each, so that the answers keep their order.
	unreadable map[int64]error
	// failed is why the rest of the file cannot be read.
	failed error
}

// send sends the rows. It ends with the file. When the stream ends before, answer sees why, and
// send reads on for a little while.
func (in *importing) send() {
	defer close(in.sent)
	defer func() { _ = in.stream.CloseSend() }()
	for gone := false; ; {
		site, err := in.rows.Next()
		bad, isRow := errors.AsType[*sitefile.RowError](err)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil && !isRow:
			in.mu.Lock()
			in.failed = err
			in.mu.Unlock()
			return
		case isRow && !gone:
			in.mu.Lock()
			in.unreadable[bad.Row] = bad
			in.mu.Unlock()
		}
		gone = gone || in.stream.Send(&monitorv1.ImportSitesRequest{Site: site}) != nil
	}
}

// answersAhead is how many answers may wait for the client.
const answersAhead = 500

// answer writes the answers. It says why there are no more, nil at the end, and whether the
// file itself is why.
func (in *importing) answer(out *rowWriter) (err error, ofFile bool) {
	answers := make(chan *monitorv1.ImportSitesResponse, answersAhead)
	var failed error // is written before answers closes
	go func() {
		defer close(answers)
		for {
			a, err := in.stream.Recv()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					failed = err
				}
				return
			}
			answers <- a
		}
	}()
	if err := in.write(out, answers); err != nil {
		in.cancel()
		for range answers { // until the stream is over
		}
		return err, false
	}
	if failed != nil && in.client.Err() == nil {
		return failed, false
	}
	if failed != nil { // with the connection, and send has read why
		select {
		case <-in.sent:
		case <-time.After(lateReading):
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failed == nil {
		return failed, false
	}
	return fileFault(in.failed), true
}

// write writes the answers, and has the client get them when no other is there.
func (in *importing) write(out *rowWriter, answers <-chan *monitorv1.ImportSitesResponse) error {
	lines := bufio.NewWriter(out)
	for {
		var a *monitorv1.ImportSitesResponse
		more := true
		select {
		case a, more = <-answers:
		default:
			if err := out.flush(lines); err != nil {
				return err
			}
			a, more = <-answers
		}
		if !more {
			return lines.Flush()
		}
		line, err := restjson.Line(in.explained(a))
		if err != nil {
			return fault.New(fault.Internal, "write an answer as JSON: %w", err)
		}
		if _, err := lines.Write(line); err != nil {
			return err
		}
	}
}

// explained puts why a row could not be read into its answer, and the names of fields as the
// row has them.
func (in *importing) explained(a *monitorv1.ImportSitesResponse) *monitorv1.ImportSitesResponse {
	if a.GetError() == nil {
		return a
	}
	in.mu.Lock()
	err := in.unreadable[a.GetRow()]
	delete(in.unreadable, a.GetRow())
	in.mu.Unlock()
	bad, ok := errors.AsType[*sitefile.RowError](err)
	switch {
	case !ok:
		a.Error = rename(status.FromProto(a.GetError()), func(field string) string { return strings.TrimPrefix(field, "site.") }).Proto()
	case bad.Field != "":
		a.Error = fault.Status(fault.InvalidField(bad.Field, "%w", bad.Err)).Proto()
	default:
		a.Error = fault.Status(fault.New(fault.Invalid, "%w", bad.Err)).Proto()
	}
	return a
}

// fileFault is the fault of a file of which no more can be read.
func fileFault(err error) error {
	broken, ok := errors.AsType[bodyError](err)
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case ok && errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{http.StatusRequestTimeout, fault.InvalidField("body", "must go on: nothing has come for %s", streamReadTimeout).GRPCStatus()}
	case ok:
		return unreadable(broken.err)
	case corrupt, errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
		return unreadable(err)
	}
	return fault.InvalidField("body", "%w", err)
}
