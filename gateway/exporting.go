package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// exportSites writes a file of sites. When the export ends early, so does the connection: half
// a file must not pass for a whole one.
func (h *handler) exportSites(w http.ResponseWriter, req *http.Request) error {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return fault.InvalidField("query", "is malformed: %w", err)
	}
	asked := &monitorv1.ExportSitesRequest{}
	if err := runtime.PopulateQueryParameters(asked, query, utilities.NewDoubleArray(nil)); err != nil {
		return fault.InvalidField("query", "is malformed: %w", err)
	}
	if err := checkNoBody(w, req); err != nil {
		return err
	}
	req, err = h.stream(req, monitorv1.SiteService_ExportSites_FullMethodName)
	if err != nil {
		return err
	}
	kind, format := ndjsonType, sitefile.NDJSON
	if prefersCSV(req.Header) {
		kind, format = csvType+"; charset=utf-8", sitefile.CSV
	}
	out := newRowWriter(w, kind)
	end := out.beginPatiently()
	err = h.export(out, req, asked, format)
	end()
	if err != nil {
		h.cutShort(out, req, err)
	}
	return nil
}

// cutShort ends a file with an error: as the answer, before the first row; later, with the
// connection.
func (h *handler) cutShort(out *rowWriter, req *http.Request, err error) {
	if !out.begun {
		h.failCall(req.Context(), out.w, err)
		return
	}
	h.log.WarnContext(req.Context(), "export cut short", "path", req.URL.Path, "error", err)
	breakOff(req)
	panic(http.ErrAbortHandler)
}

func (h *handler) export(out *rowWriter, req *http.Request, asked *monitorv1.ExportSitesRequest, format sitefile.Format) error {
	stream, err := h.client().ExportSites(req.Context(), asked)
	if err != nil {
		return err
	}
	resp, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	out.w.Header().Set("Content-Disposition", `attachment; filename="sites.`+string(format)+`"`)
	out.w.Header().Add("Vary", "Accept")
	out.begin()
	if req.Method == http.MethodHead {
		return nil
	}
	file := sitefile.NewWriter(out, format)
	for ; err == nil; resp, err = stream.Recv() {
		if err := file.Write(resp.GetSite()); err != nil {
			return err
		}
	}
	if !errors.Is(err, io.EOF) {
		return errors.Join(err, file.Flush())
	}
	return file.Flush()
}

// prefersCSV says whether a client would rather have CSV than NDJSON, by its Accept.
func prefersCSV(h http.Header) bool {
	csv, other := 0.0, 0.0
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept"), ","), ",") {
		kind, params, _ := strings.Cut(part, ";")
		weight := weightIn(params)
		switch format, _ := media(strings.TrimSpace(kind)); format {
		case csvType:
			csv = max(csv, weight)
		case ndjsonType:
			other = max(other, weight)
		}
	}
	return csv > other
}
