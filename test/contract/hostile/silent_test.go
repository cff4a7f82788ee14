package hostile

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// A connection that does not become one of HTTP/2 is closed in time.
func TestConnectionsThatSayNothingEnd(t *testing.T) {
	w := open(t)
	var all sync.WaitGroup
	for name, said := range map[string]string{
		"nothing":                     "",
		"half a preface":              http2.ClientPreface[:10],
		"a preface and nothing more":  http2.ClientPreface,
		"half a frame of settings":    http2.ClientPreface + "\x00\x00\x00\x04",
		"HTTP/1.1":                    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"the beginning of TLS":        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"a preface and another frame": http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678",
	} {
		for _, addr := range []string{w.coordinator, w.veriflier} {
			all.Go(func() {
				conn, err := net.DialTimeout("tcp", addr, patience)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				defer conn.Close()
				if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
					t.Error(err)
				}
				if _, err := io.WriteString(conn, said); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				_, err = io.Copy(io.Discard, conn)
				if late, ok := err.(net.Error); ok && late.Timeout() {
					t.Errorf("%s: still open after %s", name, patience)
				}
			})
		}
	}
	all.Wait()
}
