package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
	conn  *rpc.Pool
	api   http.Handler
	pages map[string]page
}

func newHandler(g *Gateway, conn *rpc.Pool) (*handler, error) {
	h := &handler{Gateway: g, conn: conn}
	api, err := transcoder(conn, func(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
		h.failCall(ctx, w, err)
	})
	if err != nil {
		return nil, err
	}
	h.api, h.pages = api, h.allPages(g.openAPI)
	return h, nil
}

// ServeHTTP answers one request. Every error is a google.rpc.Status as JSON.
func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	counted := h.metrics.begin(w)
	defer func() {
		if r := recover(); r != nil {
			h.log.Error("request panicked", "method", req.Method, "path", req.URL.Path, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			if !counted.wrote() {
				fail(counted, fault.New(fault.Internal, "internal error"))
			}
		}
		counted.end(req.Method)
	}()
	counted.Header().Set("X-Content-Type-Options", "nosniff")
	counted.Header().Set("Cache-Control", "no-store")
	if err := h.serve(counted, req); err != nil {
		fail(counted, err)
	}
}

// serve answers a request, or returns the error that refuses it.
func (h *handler) serve(w *countedWriter, req *http.Request) error {
	method := req.Method
	if method == http.MethodHead {
		// A HEAD is a GET whose body countedWriter drops.
		method, w.headOnly = http.MethodGet, true
	}
	if err := checkURLPath(req.URL.Path); err != nil {
		return err
	}
	p, isPage := h.pages[req.URL.Path]
	if !isPage || !p.open {
		if err := h.tokens.Check(req.Header.Get("Authorization")); err != nil {
			return err
		}
	}
	if isPage {
		w.route = req.URL.Path
		if method != http.MethodGet {
			return wrongMethod(w, req, []string{http.MethodGet})
		}
		if p.open {
			p.show(w, req)
		} else {
			p.show(&taggingWriter{ResponseWriter: w, x: reading(req)}, req)
		}
		return nil
	}
	r, bound, others := find(h.routes, method, req.URL.Path)
	switch {
	case r != nil:
		w.route = r.template
		return h.call(w, req, r, bound)
	case len(others) > 0:
		return wrongMethod(w, req, others)
	}
	return fault.New(fault.NotFound, "there is nothing at %s; / lists what there is", printable(req.URL.Path))
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
	body := io.ReadCloser(http.NoBody)
	if r.body != nil {
		data, err := readBody(w, req)
		if err != nil {
			return err
		}
		if err := checkBody(data, r.body.Message()); err != nil {
			return err
		}
		if err := r.checkPatch(data, req.URL.RawQuery); err != nil {
			return err
		}
		body = io.NopCloser(bytes.NewReader(data))
	}
	x, err := r.exchange(req)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(req.Context(), routeKey{}, r), callTimeout)
	defer cancel()
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	// The generated code sees only what was checked.
	plain := (&http.Request{
		Method: r.method, URL: req.URL, Proto: req.Proto, ProtoMajor: req.ProtoMajor, ProtoMinor: req.ProtoMinor,
		Header: http.Header{}, Body: body, RemoteAddr: req.RemoteAddr,
	}).WithContext(ctx)
	h.api.ServeHTTP(&taggingWriter{ResponseWriter: w, x: x}, plain)
	return nil
}
