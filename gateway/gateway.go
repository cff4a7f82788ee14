package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/stages"
)

// Limits of a request.
const (
	// maxBodyBytes limits the body of a request.
	maxBodyBytes = 1 << 20
	// callTimeout limits the time of a call to the coordinator.
	callTimeout = 10 * time.Second
	// checkTimeout limits one that waits for a check; the answer must be written by writeTimeout.
	checkTimeout = 25 * time.Second

	readyTimeout      = 2 * time.Second
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	stopTimeout       = 8 * time.Second
	maxHeaderBytes    = 32 << 10
	// readHeaderBytes is up to where a head is read before it is refused: over HTTP/2 what is
	// longer ends the connection, and with it the requests of others whom a proxy sends over it.
	// Proxies pass on less.
	readHeaderBytes = 2 * maxHeaderBytes
)

// Options of a gateway.
type Options struct {
	// Coordinator is the address of the gRPC API: HOST:PORT, or several separated by
	// commas, or dns:///HOST:PORT for all addresses of HOST. Calls go round the ready
	// coordinators, any of which can answer every call; while none is ready, round all.
	Coordinator string
	// Client configures the connection to the coordinators. Its token or certificate proves the
	// gateway; the tokens of its callers go to the coordinators, which decide about them.
	Client rpc.ClientOptions
	// Listeners are the listeners for HTTP. Run closes them.
	Listeners []net.Listener
	// TLS makes it HTTPS, with HTTP/2; nil means plaintext.
	TLS *tls.Config
	// AllowedHosts are the hosts that requests may name: names, addresses, or "*" for all. What
	// arrives over loopback may always name loopback, and beyond it any address.
	AllowedHosts []string
	// CORSOrigins are the origins, such as https://status.example.com, whose pages may read
	// and write from a browser; none may by default.
	CORSOrigins []string
	// OpenAPI is the answer at /openapi.json; without it the path is unknown.
	OpenAPI []byte
	// NoUI leaves out the cockpit, the pages for people at /ui/.
	NoUI bool
	// StatusPages are the public pages; none by default. StatusToken is the token of the API with
	// which their sites are read: it needs sites:read and outages:read, and its blogs bound what they
	// can show. Empty where the coordinators ask nobody.
	StatusPages []StatusPage
	StatusToken string
	// Log gets failures; nil discards them.
	Log *slog.Logger
	// Metrics exports the counts of requests; nil exports none.
	Metrics prometheus.Registerer
}

// withDefaults returns o with a value for each field that has a default.
func (o Options) withDefaults() Options {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if o.Client.Metrics == nil {
		o.Client.Metrics = o.Metrics
	}
	return o
}

// Gateway is the gateway role.
type Gateway struct {
	addrs     []string // of the coordinators
	client    rpc.ClientOptions
	listeners []net.Listener
	log       *slog.Logger
	tls       *tls.Config
	fence     *fence
	openAPI   []byte
	noUI      bool
	statuses  atomic.Pointer[statusSet] // never nil
	routes    []*route
	metrics   *metrics
	// stopping is closed when no request is taken any more: streams without an end end then.
	stopping chan struct{}
	// coordinators is set while Run runs.
	coordinators atomic.Pointer[rpc.Pool]
}

// New makes a gateway. It opens nothing yet.
func New(o Options) (*Gateway, error) {
	addrs := strings.Split(o.Coordinator, ",")
	if slices.Contains(addrs, "") {
		return nil, errors.New("gateway: the address of the coordinator is empty")
	}
	if len(addrs) > 1 && strings.Contains(o.Coordinator, "dns:///") {
		return nil, errors.New("gateway: a name that stands for many coordinators must be the only address")
	}
	if len(o.OpenAPI) > 0 && !json.Valid(o.OpenAPI) {
		return nil, errors.New("gateway: the OpenAPI document is not JSON")
	}
	o = o.withDefaults()
	o.Client.Forwards = true
	fence, err := newFence(o.AllowedHosts, o.CORSOrigins)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	if o.TLS != nil {
		o.TLS = withHTTP2(o.TLS)
	}
	routes, err := routesOf(contract())
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g := &Gateway{
		addrs: addrs, client: o.Client, listeners: o.Listeners, log: o.Log,
		tls: o.TLS, fence: fence, openAPI: o.OpenAPI, noUI: o.NoUI, routes: routes, metrics: newMetrics(o.Metrics), stopping: make(chan struct{}),
	}
	return g, g.SetStatusPages(o.StatusPages, o.StatusToken)
}

// service is a service that the gateway translates.
type service struct {
	file protoreflect.FileDescriptor
	// translate adds the generated handlers of the service to a mux.
	translate func(*runtime.ServeMux, grpc.ClientConnInterface) error
}

// contract returns the services that the gateway translates, each in a file of its own.
func contract() []service {
	return []service{
		{monitorv1.File_jetmon_monitor_v1_site_service_proto, translating(monitorv1.RegisterSiteServiceHandlerClient, monitorv1.NewSiteServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_outage_service_proto, translating(monitorv1.RegisterOutageServiceHandlerClient, monitorv1.NewOutageServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_history_service_proto, translating(monitorv1.RegisterHistoryServiceHandlerClient, monitorv1.NewHistoryServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_advisory_service_proto, translating(monitorv1.RegisterAdvisoryServiceHandlerClient, monitorv1.NewAdvisoryServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_badge_service_proto, translating(monitorv1.RegisterBadgeServiceHandlerClient, monitorv1.NewBadgeServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_incident_service_proto, translating(monitorv1.RegisterIncidentServiceHandlerClient, monitorv1.NewIncidentServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_change_service_proto, translating(monitorv1.RegisterChangeServiceHandlerClient, monitorv1.NewChangeServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_maintenance_service_proto, translating(monitorv1.RegisterMaintenanceServiceHandlerClient, monitorv1.NewMaintenanceServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_fleet_service_proto, translating(monitorv1.RegisterFleetServiceHandlerClient, monitorv1.NewFleetServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_diagnosis_service_proto, translating(monitorv1.RegisterDiagnosisServiceHandlerClient, monitorv1.NewDiagnosisServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_probe_service_proto, translating(monitorv1.RegisterProbeServiceHandlerClient, monitorv1.NewProbeServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_access_service_proto, translating(monitorv1.RegisterAccessServiceHandlerClient, monitorv1.NewAccessServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_subscription_service_proto, translating(monitorv1.RegisterSubscriptionServiceHandlerClient, monitorv1.NewSubscriptionServiceClient)},
		{monitorv1.File_jetmon_monitor_v1_notification_service_proto, translating(monitorv1.RegisterNotificationServiceHandlerClient, monitorv1.NewNotificationServiceClient)},
		{wpcomv1.File_jetmon_wpcom_v1_jetpack_monitor_service_proto, translating(wpcomv1.RegisterJetpackMonitorServiceHandlerClient, wpcomv1.NewJetpackMonitorServiceClient)},
		{wpcomv1.File_jetmon_wpcom_v1_protect_dashboard_service_proto, translating(wpcomv1.RegisterProtectDashboardServiceHandlerClient, wpcomv1.NewProtectDashboardServiceClient)},
		{wpcomv1.File_jetmon_wpcom_v1_jetpack_agency_service_proto, translating(wpcomv1.RegisterJetpackAgencyServiceHandlerClient, wpcomv1.NewJetpackAgencyServiceClient)},
	}
}

// translating returns how the generated handlers of a service are added to a mux.
func translating[C any](register func(context.Context, *runtime.ServeMux, C) error, client func(grpc.ClientConnInterface) C) func(*runtime.ServeMux, grpc.ClientConnInterface) error {
	return func(mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
		return register(context.Background(), mux, client(conn))
	}
}

// transcoders returns the generated handlers of each service, by its name, which translate
// well-formed HTTP to gRPC and back. A mux tries its patterns one after the other, so each
// service has its own.
func transcoders(plain grpc.ClientConnInterface, fail runtime.ErrorHandlerFunc) (map[protoreflect.FullName]*runtime.ServeMux, error) {
	conn := conditional{plain}
	muxes := map[protoreflect.FullName]*runtime.ServeMux{}
	for _, s := range contract() {
		mux := runtime.NewServeMux(
			runtime.WithForwardResponseOption(noteETag),
			runtime.WithMarshalerOption(runtime.MIMEWildcard, newMarshaler(s.file)),
			runtime.WithErrorHandler(fail),
			runtime.WithWriteContentLength(),
			// Of the headers only Authorization passes through: the request message contains all
			// else that the coordinator needs.
			runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
			runtime.WithOutgoingHeaderMatcher(shownHeader),
			runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
			runtime.WithDisablePathLengthFallback(),
			runtime.WithDisableHTTPMethodOverride(),
			runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptSlash),
		)
		if err := s.translate(mux, conn); err != nil {
			return nil, fmt.Errorf("register the services of %s: %w", s.file.Path(), err)
		}
		for i := range s.file.Services().Len() {
			muxes[s.file.Services().Get(i).FullName()] = mux
		}
	}
	return muxes, nil
}

// shownHeader returns the name of a header of a coordinator's answer as callers see it.
func shownHeader(key string) (string, bool) {
	switch key {
	case "ratelimit":
		return "Ratelimit", true // as Go spells it: names of headers are alike in any case
	case "ratelimit-policy":
		return "Ratelimit-Policy", true
	}
	return "", false
}

// Run serves until ctx ends, and then waits up to 8 s for running requests. It closes the
// listeners and returns nil after an orderly stop.
func (g *Gateway) Run(ctx context.Context) (err error) {
	if len(g.listeners) == 0 {
		return errors.New("gateway: no listener")
	}
	conn, err := rpc.DialAny(g.addrs, g.client)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	g.coordinators.Store(conn)
	h, err := newHandler(g, conn)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	server := &http.Server{
		Handler:           h,
		Protocols:         new(http.Protocols),
		ConnContext:       visit,
		ConnState:         idle,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    readHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),

		DisableGeneralOptionsHandler: true,
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(g.tls != nil) // unencrypted behind door
	g.log.Info("started", "role", "gateway", "address", g.listeners[0].Addr().String(), "coordinators", g.addrs)
	steps := []stages.Step{{Name: "running requests", Run: func(ctx context.Context) error {
		<-ctx.Done()
		return g.stop(server)
	}}}
	for _, l := range g.listeners {
		steps = append(steps, stages.Step{Name: "listener " + l.Addr().String(), Run: func(context.Context) error {
			if err := server.Serve(door{l, g.tls}); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("gateway: serve: %w", err)
			}
			return nil
		}})
	}
	err = stages.Run(ctx, g.log, stages.Stage{Steps: steps})
	g.log.Info("stopped", "role", "gateway")
	return err
}

func (g *Gateway) stop(server *http.Server) error {
	bound, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	close(g.stopping)
	err := server.Shutdown(bound)
	if errors.Is(err, context.DeadlineExceeded) {
		g.log.Warn("running requests cut at stop", "waited", stopTimeout)
		return server.Close()
	}
	return err
}
