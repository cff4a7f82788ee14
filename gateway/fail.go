package gateway

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/restjson"
	"github.com/Automattic/jetmon/internal/rpc"
)

// refusal is an error whose HTTP status is more specific than its gRPC code.
type refusal struct {
	http   int
	status *status.Status
}

func (r *refusal) Error() string              { return r.status.Message() }
func (r *refusal) GRPCStatus() *status.Status { return r.status }

// failCall answers with a coordinator's refusal, or that no coordinator is reachable.
func (h *handler) failCall(ctx context.Context, w http.ResponseWriter, err error) {
	if md, ok := runtime.ServerMetadataFromContext(ctx); ok {
		for key, values := range md.HeaderMD {
			if name, shown := shownHeader(key); shown {
				w.Header()[name] = values
			}
		}
	}
	s, ours := told(err)
	if ours {
		h.log.WarnContext(ctx, "call to the coordinator failed", "error", err)
	}
	if r := routeOf(ctx); r != nil {
		s = r.rename(s)
	}
	code := runtime.HTTPStatusFromCode(s.Code())
	switch reason := reasonOf(s); {
	case reason == etagMismatch:
		code = http.StatusPreconditionFailed
	case s.Code() == codes.OutOfRange:
		code = http.StatusGone // what is asked for is kept no longer
	}
	answer(w, code, s.Proto())
}

// told returns what a client is told of an error of a call, and whether that is in our own words:
// what no coordinator said is gRPC's, with connections and addresses in it, and only for our log.
func told(err error) (s *status.Status, ours bool) {
	s = fault.Status(err)
	if text := ownWords(s.Code()); text != "" && !rpc.IsNamed(s) {
		return status.New(s.Code(), text), true
	}
	return s, false
}

// ownWords returns what is told when gRPC itself fails a call with a code.
func ownWords(code codes.Code) string {
	switch code {
	case codes.Unavailable:
		return unreachable
	case codes.DeadlineExceeded:
		return "the coordinator did not answer in time"
	case codes.Canceled:
		return "the request was given up"
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return "the call to the coordinator failed; the log of the gateway has more under the request's id"
	}
	return ""
}

const unreachable = "the coordinator cannot be reached; try again in some seconds"

// fail answers with a refusal of the gateway itself.
func fail(w http.ResponseWriter, err error) {
	s := fault.Status(err)
	code := runtime.HTTPStatusFromCode(s.Code())
	if r, ok := errors.AsType[*refusal](err); ok {
		code = r.http
	}
	answer(w, code, s.Proto())
}

// rename replaces the names of the request's fields by those that the REST user knows.
func (r *route) rename(s *status.Status) *status.Status { return rename(s, r.name) }

func rename(s *status.Status, name func(field string) string) *status.Status {
	p := s.Proto()
	for i, packed := range p.GetDetails() {
		bad := new(errdetails.BadRequest)
		if packed.UnmarshalTo(bad) != nil {
			continue
		}
		for _, v := range bad.GetFieldViolations() {
			known := name(v.GetField())
			p.Message = strings.Replace(p.GetMessage(), v.GetField()+": ", known+": ", 1)
			v.Field = known
		}
		if a, err := anypb.New(bad); err == nil {
			p.Details[i] = a
		}
	}
	return status.FromProto(p)
}

// maxErrorBytes bounds the body of an error: of one that is longer, with what a caller
// sent in escapes, the message is left, which fault bounds.
const maxErrorBytes = 8 << 10

// answer writes an error: google.rpc.Status as JSON or, under WordPress.com's paths, an error
// in WordPress's shape.
func answer(w http.ResponseWriter, code int, p *spb.Status) {
	c := shapeOf(w)
	if c != nil && c.route == protectRoute {
		code = protectStatus(code, codes.Code(p.GetCode()))
	}
	switch code {
	case http.StatusUnauthorized:
		w.Header().Add("WWW-Authenticate", `Bearer realm="jetmon"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(p)))
	}
	if c != nil && c.wordPress {
		if raw, err := wordPressBody(code, p, c.route); err == nil && len(raw) <= maxErrorBytes {
			write(w, code, raw)
			return
		}
	}
	p = rpc.Named(status.FromProto(p), w.Header().Get(requestHeader)).Proto()
	raw, err := restjson.Line(p)
	if err != nil { // a detail of a type that is unknown here
		p.Details = nil
		raw, err = restjson.Line(p)
	}
	if err == nil && len(raw) > maxErrorBytes {
		p.Details = nil
		raw, err = restjson.Line(p)
	}
	if err != nil {
		code, raw = http.StatusInternalServerError, []byte(`{"code":13,"message":"an error could not be written","details":[]}`+"\n")
	}
	write(w, code, raw)
}

// retryAfter returns the delay of google.rpc.RetryInfo in whole seconds, at least 1: no less
// than the delay, after which a caller is served.
func retryAfter(p *spb.Status) int {
	for _, packed := range p.GetDetails() {
		if info := new(errdetails.RetryInfo); packed.UnmarshalTo(info) == nil {
			return max(1, int(math.Ceil(info.GetRetryDelay().AsDuration().Seconds())))
		}
	}
	return 1
}

func write(w http.ResponseWriter, code int, raw []byte) { writeAs(w, code, jsonType, raw) }

// writeAs writes a body of some type.
func writeAs(w http.ResponseWriter, code int, kind string, raw []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(code)
	// A write error means that the client has gone, so nobody can receive it.
	_, _ = w.Write(slices.Clip(raw))
}
