package obs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// DebugOptions configure a debug listener.
type DebugOptions struct {
	// Listener is the listener to serve on. It should be on loopback, unless NoProfiles is set.
	Listener net.Listener
	// NoProfiles leaves /debug/pprof out: profiles reveal much, and cost whoever asks nothing.
	NoProfiles bool
	// Gatherer provides /metrics; nil serves none.
	Gatherer prometheus.Gatherer
	// Ready answers /readyz: it returns the reason why the process cannot work now, or nil.
	// A nil Ready means always ready.
	Ready func() error
}

// debugStop limits the wait for running requests when ServeDebug ends. A profile may run
// longer than that; it is cut.
const debugStop = 2 * time.Second

// maxStrangers bounds the connections at once where other machines may reach the listener: each takes
// a descriptor from the role.
const maxStrangers = 64

// ServeDebug serves /metrics, /healthz, /readyz and, unless NoProfiles is set, /debug/pprof
// until ctx ends. It closes the listener and returns nil after an orderly end.
func ServeDebug(ctx context.Context, o DebugOptions) error {
	server := &http.Server{
		Handler:           debugHandler(o),
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	if o.NoProfiles { // a profile takes longer than any other answer
		server.ReadTimeout, server.WriteTimeout = 10*time.Second, 30*time.Second
		o.Listener = netutil.LimitListener(o.Listener, maxStrangers)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(o.Listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve debug on %s: %w", o.Listener.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), debugStop)
	defer cancel()
	err := server.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

func debugHandler(o DebugOptions) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if o.Ready != nil {
			if err := o.Ready(); err != nil {
				say(w, http.StatusServiceUnavailable, err.Error())
				return
			}
		}
		say(w, http.StatusOK, "ok")
	})
	if o.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 4, EnableOpenMetrics: true}))
	}
	if o.NoProfiles {
		return mux
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// A write error means that the client has gone, so nobody can receive it.
	_, _ = io.WriteString(w, text+"\n")
}
