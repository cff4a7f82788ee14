package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// fence keeps a browser from being used against the gateway: by a page whose name was
// pointed at us (DNS rebinding), and by a page of another site that sends us a request. It
// says nothing about who the caller is.
type fence struct {
	anyHost bool
	hosts   map[string]bool // in lower case, without port

	origins map[string]bool // those that may read and write from a browser
	cross   *http.CrossOriginProtection
}

// anyHost is the entry of Options.AllowedHosts that allows every host.
const anyHost = "*"

// newFence makes a fence with the hosts that are allowed everywhere and the origins of CORS.
func newFence(hosts, origins []string) (*fence, error) {
	f := &fence{hosts: map[string]bool{}, origins: map[string]bool{}, cross: http.NewCrossOriginProtection()}
	for _, host := range hosts {
		name := hostOf(host)
		if name == "" || strings.ContainsAny(host, "/ \t") || name != anyHost && strings.Contains(name, anyHost) {
			return nil, fmt.Errorf("allowed host %q: must be a name, an address or *", host)
		}
		f.hosts[name] = true
		f.anyHost = f.anyHost || name == anyHost
	}
	for _, origin := range origins {
		scheme, host, _ := strings.Cut(origin, "://")
		if scheme != "http" && scheme != "https" || host == "" || strings.ContainsAny(host, "/?#@* \t") || strings.ToLower(host) != host {
			return nil, fmt.Errorf("CORS origin %q: must be as a browser sends it, such as https://status.example.com", origin)
		}
		if err := f.cross.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("CORS origin: %w", err)
		}
		f.origins[origin] = true
	}
	return f, nil
}

// hostOf returns the host of HOST or HOST:PORT, in lower case, without brackets and without
// the dot that may end a name.
func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// check refuses a request that does not name us, or that a page of another site sends.
func (f *fence) check(req *http.Request) error {
	local, _ := req.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if host := hostOf(req.Host); !f.anyHost && !f.hosts[host] && !names(host, local) {
		return &refusal{http.StatusMisdirectedRequest, fault.InvalidField("Host",
			"%s is not a name of this gateway; --allowed-host adds one", printable(req.Host)).GRPCStatus()}
	}
	if err := f.cross.Check(req); err != nil {
		return &refusal{http.StatusForbidden, status.New(codes.PermissionDenied,
			"Origin: a page of another site may not send this; --cors-origin allows one")}
	}
	return nil
}

// names says whether a host is a name of the address at which a request arrived. What
// arrives over loopback may give every name and address of loopback. Beyond it every address
// will do: a page has an address for its origin only when it came from there, and which of
// ours are translated to others we cannot know.
func names(host string, local net.Addr) bool {
	tcp, ok := local.(*net.TCPAddr)
	if !ok {
		return local != nil && host == hostOf(local.String())
	}
	_, err := netip.ParseAddr(host)
	return rpc.Loopback(host) || err == nil && !tcp.IP.IsLoopback()
}

// share lets the page of an allowed origin read the answer. Vary keeps a cache from giving
// one origin what another was answered.
func (f *fence) share(h http.Header, req *http.Request) {
	if len(f.origins) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	if origin := req.Header.Get("Origin"); f.origins[origin] {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "Allow, ETag, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id")
	}
}

// isPreflight says whether a browser asks what a page of another origin may send.
func isPreflight(req *http.Request) bool {
	return req.Method == http.MethodOptions && req.Header.Get("Origin") != "" && req.Header.Get("Access-Control-Request-Method") != ""
}

// preflight answers a browser's question about a path that has these methods. It carries no
// token, and the answer shows nothing but the contract.
func (f *fence) preflight(w http.ResponseWriter, req *http.Request, methods []string) error {
	if !f.origins[req.Header.Get("Origin")] {
		return &refusal{http.StatusForbidden, status.New(codes.PermissionDenied,
			"Origin: is not one that may ask; --cors-origin allows one")}
	}
	allowed := allow(methods)
	if wanted := req.Header.Get("Access-Control-Request-Method"); !slices.Contains(strings.Split(allowed, ", "), wanted) {
		return &refusal{http.StatusForbidden, status.Newf(codes.PermissionDenied,
			"Access-Control-Request-Method: %s is not allowed here; allowed are: %s", printable(wanted), allowed)}
	}
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", allowed)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Content-Encoding, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}
