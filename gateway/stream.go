package gateway

import (
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// streamer passes a request on to an RPC that is a stream, and its answer back.
type streamer func(*handler, http.ResponseWriter, *http.Request) error

// streamerOf returns the streamer of an RPC; nil when it has none.
func streamerOf(name protoreflect.FullName) streamer {
	switch name {
	case "jetmon.monitor.v1.SiteService.ImportSites":
		return (*handler).importSites
	case "jetmon.monitor.v1.SiteService.ExportSites":
		return (*handler).exportSites
	}
	return nil
}

func (h *handler) importSites(http.ResponseWriter, *http.Request) error {
	return &refusal{http.StatusNotImplemented, status.New(codes.Unimplemented, "not yet")}
}

func (h *handler) exportSites(http.ResponseWriter, *http.Request) error {
	return &refusal{http.StatusNotImplemented, status.New(codes.Unimplemented, "not yet")}
}
