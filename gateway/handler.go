package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/gateway/ui"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

type routeKey struct{}

func routeOf(ctx context.Context) *route {
	r, _ := ctx.Value(routeKey{}).(*route)
	return r
}

// handler handles requests once there is a connection to the coordinators.
type handler struct {
	*Gateway
	conn *rpc.Pool
	// api has the generated handlers of each service.
	api   map[protoreflect.FullName]*runtime.ServeMux
	pages map[string]page
	// cockpit is nil where there is none.
	cockpit *ui.App
	zips    *sync.Pool // of *gzip.Writer
}

func newHandler(g *Gateway, conn *rpc.Pool) (*handler, error) {
	h := &handler{Gateway: g, conn: conn, zips: newZipPool()}
	api, err := transcoders(conn, func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
		h.failCall(ctx, w, err)
	})
	if err != nil {
		return nil, err
	}
	if !g.noUI {
		if h.cockpit, err = ui.New(); err != nil {
			return nil, err
		}
	}
	h.api, h.pages = api, h.allPages(g.openAPI)
	return h, nil
}

// ServeHTTP answers one request. Every error is a google.rpc.Status as JSON.
func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	greet(req)
	ctx := rpc.WithRequestID(req.Context(), req.Header.Get(requestHeader))
	req = req.WithContext(ctx)
	counted := h.metrics.begin(w)
	counted.wordPress = isWordPress(req.URL)
	if acceptsGzip(req.Header) {
		counted.zip.pool = h.zips
	}
	defer func() {
		r := recover()
		if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			counted.end(req.Method)
			panic(http.ErrAbortHandler) // ends the connection, as it should
		}
		if r != nil {
			h.log.ErrorContext(ctx, "request panicked", "method", req.Method, "path", req.URL.Path, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			if !counted.wrote() {
				fail(counted, fault.New(fault.Internal, "internal error"))
			}
		}
		counted.end(req.Method)
	}()
	prepare(counted.Header(), ctx, req.TLS != nil)
	h.fence.share(counted.Header(), req)
	if err := h.serve(counted, req); err != nil {
		fail(counted, err)
	}
	h.log.DebugContext(ctx, "request", "method", req.Method, "route", counted.route, "status", counted.status, "took", time.Since(counted.start))
}

const requestHeader = "X-Request-Id"

// prepare sets the headers that every answer has. A browser must take no answer for a page,
// of ours or inside another.
func prepare(h http.Header, ctx context.Context, secure bool) {
	values := [...]string{
		rpc.RequestID(ctx), "no-store", "default-src 'none'; frame-ancestors 'none'", "same-origin", "no-referrer", "nosniff", "Accept-Encoding",
	}
	// As Set does, with one array for all.
	for i, name := range [...]string{
		requestHeader, "Cache-Control", "Content-Security-Policy", "Cross-Origin-Resource-Policy", "Referrer-Policy", "X-Content-Type-Options", "Vary",
	} {
		h[name] = values[i : i+1 : i+1]
	}
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// serve answers a request, or returns the error that refuses it.
func (h *handler) serve(w *countedWriter, req *http.Request) error {
	method := req.Method
	if method == http.MethodHead {
		// A HEAD is a GET whose body countedWriter drops.
		method, w.headOnly = http.MethodGet, true
	}
	if err := checkHead(req); err != nil {
		return err
	}
	path, err := pathOf(req.URL)
	if err != nil {
		return err
	}
	p, name, isPage := h.pageAt(path)
	if !isPage || !p.probe {
		if err := h.fence.check(req); err != nil {
			return err
		}
		if isPreflight(req) {
			return h.preflight(w, req, path)
		}
	}
	if h.cockpit != nil && path == ui.SessionPath {
		return h.session(w, req)
	}
	if isPage {
		w.route = name
		return p.answer(w, req, method)
	}
	recognise(req)
	r, bound, others := find(h.routes, method, path)
	switch {
	case r != nil:
		w.route = r.template
		to, err := urlAt(path, req.URL.RawQuery)
		if err != nil {
			return err
		}
		req.URL = to
		return h.call(w, req, r, bound)
	case len(others) > 0:
		return wrongMethod(w, req, others)
	}
	return nothingAt(path)
}

func nothingAt(path string) error {
	return fault.New(fault.NotFound, "there is nothing at %s; / lists what there is", printable(path))
}

// preflight answers what a page of another origin may do at a path.
func (h *handler) preflight(w http.ResponseWriter, req *http.Request, path string) error {
	_, _, methods := find(h.routes, "", path)
	if _, _, isPage := h.pageAt(path); isPage {
		methods = []string{http.MethodGet}
	}
	if len(methods) == 0 {
		return nothingAt(path)
	}
	return h.fence.preflight(w, req, methods)
}

func wrongMethod(w http.ResponseWriter, req *http.Request, methods []string) error {
	allowed := allow(methods)
	w.Header().Set("Allow", allowed)
	return &refusal{http.StatusMethodNotAllowed, status.Newf(codes.Unimplemented,
		"method %s is not allowed here; allowed are: %s", printable(req.Method), allowed)}
}

// call checks the form of a request and passes it to the generated code.
func (h *handler) call(w http.ResponseWriter, req *http.Request, r *route, bound map[string]string) error {
	if err := r.checkPath(bound); err != nil {
		return err
	}
	if err := r.checkQuery(req.URL.RawQuery, bound); err != nil {
		return err
	}
	if r.stream != nil {
		for name, text := range bound {
			req.SetPathValue(name, text)
		}
		return r.stream(h, w, req)
	}
	body := io.ReadCloser(http.NoBody)
	if r.body != nil {
		data, err := r.readChecked(w, req)
		if err != nil {
			return err
		}
		body = io.NopCloser(bytes.NewReader(data))
	} else if err := checkNoBody(w, req); err != nil {
		return err
	}
	x, err := r.exchange(req)
	if err != nil {
		return err
	}
	header, err := passed(req.Header)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(req.Context(), routeKey{}, r), r.timeout())
	defer cancel()
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	// The generated code sees only what was checked.
	plain := (&http.Request{
		Method: r.method, URL: req.URL, Proto: req.Proto, ProtoMajor: req.ProtoMajor, ProtoMinor: req.ProtoMinor,
		Header: header, Body: body, RemoteAddr: req.RemoteAddr,
	}).WithContext(ctx)
	h.api[r.service].ServeHTTP(&taggingWriter{ResponseWriter: w, x: x}, plain)
	return nil
}

// readChecked reads the body of a request and checks its form. It adds the mask of a POST to
// the query.
func (r *route) readChecked(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	data, err := readBody(w, req)
	if err != nil {
		return nil, err
	}
	var has []string
	if isWordPress(req.URL) {
		if data, has, err = loosen(data, r.body.Message()); err != nil {
			return nil, err
		}
	}
	if err := checkBody(data, r.body.Message()); err != nil {
		return nil, err
	}
	if req.URL.RawQuery, err = r.masked(req.URL.RawQuery, has); err != nil {
		return nil, err
	}
	return data, r.checkPatch(data, req.URL.RawQuery)
}

// maxCredentials bounds an Authorization header: with what else a call carries it must fit
// into the metadata that a coordinator reads. A token is far shorter.
const maxCredentials = 1 << 10

// passed returns the headers of a request that go to the coordinator: its caller's
// credentials. It refuses those that no coordinator could read, and two of them: others who
// look at the request might look at the other one.
func passed(h http.Header) (http.Header, error) {
	out := http.Header{}
	switch all := h.Values("Authorization"); {
	case len(all) == 0:
	case len(all) > 1:
		return nil, fault.New(fault.Unauthenticated, "Authorization: is given more than once")
	case len(all[0]) > maxCredentials || strings.ContainsFunc(all[0], func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, fault.New(fault.Unauthenticated, "Authorization: must be Bearer TOKEN, of at most %d characters of ASCII", maxCredentials)
	case all[0] != "":
		out.Set("Authorization", all[0])
	}
	return out, nil
}
