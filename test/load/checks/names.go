//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// serveNames answers questions for names such as n17.h3.test: with 127.0.0.3 for A, with
// nothing for other types. It returns its address.
func serveNames() (string, error) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	_ = c.SetReadBuffer(4 << 20)
	go func() {
		b := make([]byte, 1024)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if answer := answerName(b[:n]); answer != nil {
				_, _ = c.WriteToUDPAddrPort(answer, from)
			}
		}
	}()
	return c.LocalAddr().String(), nil
}

// answerName turns a question into its answer, in place.
func answerName(q []byte) []byte {
	const header, end = 12, 4
	at, host := header, byte(0)
	for at < len(q) && q[at] != 0 {
		label := q[at+1:][:q[at]]
		if label[0]|0x20 == 'h' {
			n, _ := strconv.Atoi(string(label[1:]))
			host = byte(n)
		}
		at += 1 + len(label)
	}
	if at+1+end > len(q) {
		return nil
	}
	isA := q[at+2] == 1
	q = q[:at+1+end]
	q[2], q[3] = 0x81, 0x80
	copy(q[6:header], make([]byte, 6))
	if !isA {
		return q
	}
	q[7] = 1
	return append(q, 0xc0, header, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, host)
}

// url returns the URL of a check: one of the target's, or a name that nobody has asked for.
func (p plan) url(urls []string, n int) string {
	url := urls[n%len(urls)]
	if p.Kind != "names" {
		return url
	}
	host, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"))
	return "http://n" + strconv.FormatInt(p.serial.Add(1), 10) + ".h" + host[strings.LastIndexByte(host, '.')+1:] + ".test:" + port + "/"
}

// resolver asks the target's name server.
func (p plan) resolver() *net.Resolver {
	var d net.Dialer
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, p.Target.Names)
	}}
}
