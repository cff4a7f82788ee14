package fakesite

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"testing"
)

// maxLog is how many requests a site remembers.
const maxLog = 10_000

// Request is one request that a site received.
type Request struct {
	Method, Host, URI string
	Header            http.Header
}

// Site is one web site. Its methods may be called at any time from any goroutine, and
// take effect for the next request or connection.
type Site struct {
	t     testing.TB
	addr  netip.AddrPort
	tls   *tls.Config
	roots *x509.CertPool
	// name is the host in the URL, when it is not the address.
	name string

	server *http.Server
	feed   chan net.Conn
	closed chan struct{}
	work   sync.WaitGroup

	mu       sync.Mutex
	mode     mode
	listener net.Listener
	// held keeps the port while the site refuses connections.
	held  io.Closer
	conns map[net.Conn]struct{}
	log   []Request
	count map[string]int
}

// mode is the behaviour of a site: conn handles raw connections, handler requests.
type mode struct {
	handler http.Handler
	conn    func(net.Conn)
}

// New starts a site on 127.0.0.1 that answers 200.
func New(t testing.TB) *Site {
	t.Helper()
	return NewOn(t, netip.MustParseAddrPort("127.0.0.1:0"))
}

// NewOn starts a site on a loopback address, such as [::1]:0.
func NewOn(t testing.TB, addr netip.AddrPort) *Site {
	t.Helper()
	return start(t, addr, nil)
}

func start(t testing.TB, addr netip.AddrPort, config *tls.Config) *Site {
	t.Helper()
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatalf("fakesite: %v", err)
	}
	s := &Site{
		t: t, tls: config, listener: l,
		addr:   l.Addr().(*net.TCPAddr).AddrPort(),
		feed:   make(chan net.Conn),
		closed: make(chan struct{}),
		conns:  make(map[net.Conn]struct{}),
		count:  make(map[string]int),
	}
	s.SetStatus(http.StatusOK)
	s.server = &http.Server{Handler: http.HandlerFunc(s.serveHTTP), ErrorLog: silent()}
	s.work.Go(func() { _ = s.server.Serve(fed{s}) })
	s.work.Go(func() { s.accept(l) })
	t.Cleanup(s.close)
	return s
}

// URL returns the site's address as a URL that ends in a slash.
func (s *Site) URL() string {
	scheme, host := "http://", s.addr.String()
	if s.tls != nil {
		scheme = "https://"
	}
	if s.name != "" {
		host = net.JoinHostPort(s.name, strconv.Itoa(int(s.addr.Port())))
	}
	return scheme + host + "/"
}

// Addr returns the address on which the site listens.
func (s *Site) Addr() netip.AddrPort { return s.addr }

// Port returns the port on which the site listens.
func (s *Site) Port() uint16 { return s.addr.Port() }

// SetStatus makes the site answer with a status and a short body.
func (s *Site) SetStatus(code int) { s.SetPage(code, "status "+strconv.Itoa(code)+"\n") }

// SetPage makes the site answer with a status and a body.
func (s *Site) SetPage(code int, body string) {
	s.SetHandler(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	})
}

// SetHandler makes the site answer with a handler function.
func (s *Site) SetHandler(h http.HandlerFunc) { s.set(mode{handler: h}) }

// SetRaw makes the site answer each request with these bytes and close the connection.
func (s *Site) SetRaw(answer string) {
	s.SetConn(func(c net.Conn) {
		if s.ReadRequest(c) != nil {
			_, _ = io.WriteString(c, answer)
		}
	})
}

// SetConn makes the site pass each connection to a function, after the TLS handshake if
// there is one. It closes the connection afterwards.
func (s *Site) SetConn(f func(net.Conn)) { s.set(mode{conn: f}) }

// Hang makes the site accept and read, and never answer.
func (s *Site) Hang() {
	s.SetConn(func(c net.Conn) {
		s.ReadRequest(c)
		s.WaitGone(c)
	})
}

// CutBody makes the site promise a longer body than it sends. HEAD succeeds.
func (s *Site) CutBody() {
	s.SetConn(func(c net.Conn) {
		r := s.ReadRequest(c)
		if r == nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\n")
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(c, "<html><body>cut")
		}
	})
}

// Reset makes the site reset each connection after the request.
func (s *Site) Reset() {
	s.SetConn(func(c net.Conn) {
		s.ReadRequest(c)
		Abort(c)
	})
}

// Refuse makes the site refuse connections, until its behaviour is set again.
func (s *Site) Refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return
	}
	_ = s.listener.Close()
	s.listener = nil
	held, err := hold(s.addr)
	if err != nil {
		s.t.Errorf("fakesite: keep port: %v", err)
		return
	}
	s.held = held
}

func (s *Site) set(m mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
	if s.listener != nil || s.held == nil {
		return
	}
	_ = s.held.Close()
	s.held = nil
	l, err := net.Listen("tcp", s.addr.String())
	if err != nil {
		s.t.Errorf("fakesite: listen again: %v", err)
		return
	}
	s.listener = l
	s.work.Go(func() { s.accept(l) })
}

// Requests counts the requests by method; "" counts all.
func (s *Site) Requests(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[method]
}

// Log returns the requests received so far.
func (s *Site) Log() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.log...)
}

// ReadRequest reads and records a request on a connection from SetConn; it returns nil when
// none came.
func (s *Site) ReadRequest(c net.Conn) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return nil
	}
	s.note(r)
	return r
}

// WaitGone blocks until the peer has closed the connection or the test is over.
func (s *Site) WaitGone(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func (s *Site) note(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[""]++
	s.count[r.Method]++
	if len(s.log) < maxLog {
		s.log = append(s.log, Request{r.Method, r.Host, r.RequestURI, r.Header.Clone()})
	}
}

func (s *Site) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.note(r)
	s.mu.Lock()
	h := s.mode.handler
	s.mu.Unlock()
	if h == nil {
		panic(http.ErrAbortHandler) // the behaviour changed under an open connection
	}
	h.ServeHTTP(w, r)
}

func (s *Site) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		m := s.mode
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.work.Go(func() { s.handle(c, m) })
	}
}

func (s *Site) handle(raw net.Conn, m mode) {
	c := net.Conn(raw)
	if s.tls != nil {
		c = tls.Server(raw, s.tls)
	}
	if m.conn == nil {
		select {
		case s.feed <- tracked{c, func() { s.forget(raw) }}:
		case <-s.closed:
			_ = raw.Close()
		}
		return
	}
	defer s.forget(raw)
	defer func() { _ = c.Close() }()
	m.conn(c)
}

func (s *Site) forget(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Site) close() {
	close(s.closed)
	s.mu.Lock()
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
	if s.held != nil {
		_ = s.held.Close()
		s.held = nil
	}
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.server.Shutdown(ctx)
	_ = s.server.Close()
	s.work.Wait()
}

// Abort closes a connection with a reset.
func Abort(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// tracked is a connection that calls gone when it is closed.
type tracked struct {
	net.Conn
	gone func()
}

func (t tracked) Close() error {
	t.gone()
	return t.Conn.Close()
}

// fed is the listener of the HTTP server: it returns the connections that accept passes on.
type fed struct{ s *Site }

func (f fed) Accept() (net.Conn, error) {
	select {
	case c := <-f.s.feed:
		return c, nil
	case <-f.s.closed:
		return nil, errors.New("fakesite: closed")
	}
}

func (f fed) Close() error   { return nil }
func (f fed) Addr() net.Addr { return net.TCPAddrFromAddrPort(f.s.addr) }
