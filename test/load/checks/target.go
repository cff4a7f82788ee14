//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// answer resembles the answer of a small site.
const answer = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
	"Content-Type: text/html; charset=UTF-8\r\nConnection: close\r\nVary: Accept-Encoding\r\n" +
	"X-Powered-By: PHP/8.3\r\nLink: <https://example.com/wp-json/>; rel=\"https://api.w.org/\"\r\n\r\n"

// slowness is how long the slow sites take to answer: long enough for a client to have all
// its checks in flight.
const slowness = 12 * time.Second

// addresses is the number of addresses: enough that the client never needs a port twice at
// once.
const addresses = 16

// serveTargets serves until in ends. The mix has this many sites.
func serveTargets(in io.Reader, out io.Writer, sites int) error {
	a, err := newAuthority(mixIssuers)
	if err != nil {
		return err
	}
	at := target{Root: a.pem(), Sites: sites}
	if err := at.serveAddresses(a); err != nil {
		return err
	}
	if err := at.serveMix(a); err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(at); err != nil {
		return fmt.Errorf("tell where: %w", err)
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

// serveMix serves the names and the sites of the mix.
func (at *target) serveMix(a *authority) error {
	sites := newMix(at.Sites)
	t, err := newMixTarget(a, sites)
	if err != nil {
		return err
	}
	if err := t.listen(); err != nil {
		return err
	}
	at.Mix = t.ports
	at.Names, err = nameServer{sites}.listen()
	return err
}

// serveAddresses serves the sites without names.
func (at *target) serveAddresses(a *authority) error {
	leaf, err := a.leaf(0, addressTemplate())
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{*leaf}}
	slow := func(c net.Conn) { talkTo(c, slowness) }
	fast := func(c net.Conn) { talkTo(c, 0) }
	for i := range addresses {
		host := address(i).String() + ":0"
		for _, s := range []struct {
			scheme string
			serve  func(net.Conn)
			urls   *[]string
		}{{"http", nil, &at.Plain}, {"https", fast, &at.TLS}, {"http", slow, &at.Slow}, {"https", slow, &at.SlowTLS}} {
			l, err := net.Listen("tcp", host)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			*s.urls = append(*s.urls, s.scheme+"://"+l.Addr().String()+"/")
			switch {
			case s.serve == nil:
				err = serveRaw(l)
			case s.scheme == "https":
				go accept(tls.NewListener(l, config), s.serve)
			default:
				go accept(l, s.serve)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c)
	}
}

// talkTo answers one request.
func talkTo(c net.Conn, wait time.Duration) {
	defer c.Close()
	r := bufio.NewReaderSize(c, 512)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) == "" {
			break
		}
	}
	time.Sleep(wait)
	_, _ = io.WriteString(c, answer)
}
