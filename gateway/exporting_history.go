package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/historyfile"
)

// exportHistory writes a file of what became of a site's turns. When it ends early, so does the
// connection, as in exportSites.
func (h *handler) exportHistory(w http.ResponseWriter, req *http.Request) error {
	asked, err := historyRequest(req)
	if err != nil {
		return err
	}
	if err := checkNoBody(w, req); err != nil {
		return err
	}
	req, err = h.stream(req, monitorv1.HistoryService_ExportSiteHistory_FullMethodName)
	if err != nil {
		return err
	}
	kind, format := ndjsonType, historyfile.NDJSON
	if prefersCSV(req.Header) {
		kind, format = csvType+"; charset=utf-8", historyfile.CSV
	}
	out := newRowWriter(w, kind)
	end := out.beginPatiently()
	err = h.passHistory(out, req, asked, format)
	end()
	if err != nil {
		h.cutShort(out, req, err)
	}
	return nil
}

// historyRequest reads the path and the query, whose form was checked.
func historyRequest(req *http.Request) (*monitorv1.ExportSiteHistoryRequest, error) {
	asked := &monitorv1.ExportSiteHistoryRequest{}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err == nil {
		err = runtime.PopulateQueryParameters(asked, query, utilities.NewDoubleArray(nil))
	}
	if err != nil {
		return nil, fault.InvalidField("query", "is malformed: %w", err)
	}
	asked.SiteId, err = strconv.ParseInt(req.PathValue("site_id"), 10, 64)
	if err != nil {
		return nil, fault.InvalidField("site_id", "must be a whole number")
	}
	return asked, nil
}

func (h *handler) passHistory(out *rowWriter, req *http.Request, asked *monitorv1.ExportSiteHistoryRequest, format historyfile.Format) error {
	stream, err := monitorv1.NewHistoryServiceClient(h.conn).ExportSiteHistory(req.Context(), asked)
	if err != nil {
		return err
	}
	resp, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	out.w.Header().Set("Content-Disposition", `attachment; filename="site-`+strconv.FormatInt(asked.GetSiteId(), 10)+`-history.`+string(format)+`"`)
	out.w.Header().Add("Vary", "Accept")
	out.begin()
	if req.Method == http.MethodHead {
		return nil
	}
	file := historyfile.NewWriter(out, format)
	for ; err == nil; resp, err = stream.Recv() {
		if err := file.Write(resp.GetPoint()); err != nil {
			return err
		}
	}
	if !errors.Is(err, io.EOF) {
		return errors.Join(err, file.Flush())
	}
	return file.Flush()
}
