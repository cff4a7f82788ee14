//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// slowPath asks any site to answer after slowness.
	slowPath = "/slow"
	// countPath asks for the number of handshakes so far.
	countPath = "/count"
	// ticketPadding brings tickets to the size of those of usual servers.
	ticketPadding = 100
)

// mixTarget serves the sites of the mix.
type mixTarget struct {
	sites  []mixSite
	ports  mixPorts
	config *tls.Config

	handshakes, resumed atomic.Int64
}

func newMixTarget(a *authority, sites []mixSite) (*mixTarget, error) {
	t := &mixTarget{sites: sites}
	leaves := make([]*tls.Certificate, mixLeaves)
	for i := range leaves {
		var err error
		if leaves[i], err = a.leaf(i, leafTemplate(fmt.Sprintf("*.c%d%s", i, mixDomain))); err != nil {
			return nil, err
		}
	}
	endedLeaf, err := a.leaf(0, t.endedTemplate())
	if err != nil {
		return nil, err
	}
	t.config = &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		n, leaf, ok := readMixHost(hello.ServerName)
		switch {
		case !ok:
			return nil, errors.New("no such site")
		case n < len(sites) && sites[n].does == ended:
			return endedLeaf, nil
		}
		return leaves[leaf], nil
	}}
	t.config.WrapSession = func(state tls.ConnectionState, s *tls.SessionState) ([]byte, error) {
		s.Extra = append(s.Extra, make([]byte, ticketPadding))
		return t.config.EncryptTicket(state, s)
	}
	return t, nil
}

func (t *mixTarget) endedTemplate() *x509.Certificate {
	c := leafTemplate("ended" + mixDomain)
	for _, s := range t.sites {
		if s.does == ended {
			c.DNSNames = append(c.DNSNames, s.host())
		}
	}
	c.NotAfter = time.Now().AddDate(0, 0, -1)
	return c
}

// listen serves on all addresses until the process ends.
func (t *mixTarget) listen() error {
	hosts := []netip.Addr{netip.IPv6Loopback()}
	for i := range addresses {
		hosts = append(hosts, address(i))
	}
	plain, port, err := listenAll(hosts)
	if err != nil {
		return err
	}
	t.ports.Plain = port
	secure, port, err := listenAll(hosts)
	if err != nil {
		return err
	}
	t.ports.TLS = port
	if t.ports.Closed, err = closedPort(); err != nil {
		return err
	}
	for _, l := range plain {
		go accept(l, t.redirect)
	}
	for _, l := range secure {
		go accept(tls.NewListener(l, t.config), t.serve)
	}
	return nil
}

// listenAll listens on the same port of all hosts.
func listenAll(hosts []netip.Addr) (all []net.Listener, port int, err error) {
	for range 50 {
		all, port = nil, 0
		for _, h := range hosts {
			var l net.Listener
			if l, err = net.Listen("tcp", netip.AddrPortFrom(h, uint16(port)).String()); err != nil {
				break
			}
			all, port = append(all, l), l.Addr().(*net.TCPAddr).Port
		}
		if err == nil {
			return all, port, nil
		}
		for _, l := range all {
			_ = l.Close()
		}
	}
	return nil, 0, fmt.Errorf("find a port that is free on all addresses: %w", err)
}

// closedPort keeps a port that refuses connections, until the process ends.
func closedPort() (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return name.(*syscall.SockaddrInet4).Port, nil
}

// request is what the target reads of a request.
type request struct{ path, host string }

func readRequest(c net.Conn) (r request, err error) {
	in := bufio.NewReaderSize(c, 1024)
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			return r, err
		}
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			return r, nil
		case n == 0:
			if f := strings.Fields(line); len(f) > 1 {
				r.path = f[1]
			}
		case len(line) > 5 && strings.EqualFold(line[:5], "host:"):
			r.host, _, _ = strings.Cut(strings.TrimSpace(line[5:]), ":")
		}
	}
}

// site returns the site of a host name. Hosts beyond the mix answer at once.
func (t *mixTarget) site(host string) mixSite {
	n, _, ok := readMixHost(host)
	if !ok || n >= len(t.sites) {
		return mixSite{number: n, head: mixSmall}
	}
	return t.sites[n]
}

// redirect answers one plain request.
func (t *mixTarget) redirect(c net.Conn) {
	defer c.Close()
	r, err := readRequest(c)
	if err != nil {
		return
	}
	if r.path == countPath {
		fmt.Fprintf(c, "HTTP/1.0 200 OK\r\n\r\n%d %d\n", t.handshakes.Load(), t.resumed.Load())
		return
	}
	time.Sleep(mixQuick)
	fmt.Fprintf(c, "HTTP/1.1 301 Moved Permanently\r\nLocation: %s\r\nServer: nginx\r\nConnection: close\r\n\r\n", t.site(r.host).location(t.ports, r.path))
}

// serve answers one request under TLS.
func (t *mixTarget) serve(c net.Conn) {
	defer c.Close()
	r, err := readRequest(c)
	if err != nil {
		return
	}
	t.handshakes.Add(1)
	if c.(*tls.Conn).ConnectionState().DidResume {
		t.resumed.Add(1)
	}
	s := t.site(r.host)
	switch {
	case s.does == silent:
		_, _ = io.Copy(io.Discard, c)
		return
	case r.path == slowPath:
		time.Sleep(slowness)
	default:
		time.Sleep(s.wait)
	}
	status := "200 OK"
	if s.does == broken {
		status = "503 Service Unavailable"
	}
	_, _ = io.WriteString(c, head(status, s.head))
}

// head returns a head of about this size.
func head(status string, size int) string {
	var b strings.Builder
	b.WriteString("HTTP/1.1 " + status + answer[strings.Index(answer, "\r\n"):len(answer)-2])
	for b.Len() < size {
		b.WriteString("X-Padding: " + strings.Repeat("v", min(100, max(1, size-b.Len()-15))) + "\r\n")
	}
	return b.String() + "\r\n"
}
