package probe

import (
	"crypto/tls"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/fakesite"
)

// BenchmarkKeyShare measures what the first key share of a full handshake costs the client in
// CPU time of its thread: one that the server takes, and one for which the server asks for a
// second hello. Servers take the share that they get when they know its curve.
func BenchmarkKeyShare(b *testing.B) {
	var site *tls.Config
	fakesite.NewTLSWith(b, fakesite.Valid, func(c *tls.Config) { site = c.Clone() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	p256, x25519 := tls.CurveP256, tls.X25519
	for _, c := range []struct {
		name          string
		offer, server []tls.CurveID
	}{
		{"P-256, taken", []tls.CurveID{p256, tls.CurveP384}, []tls.CurveID{p256, x25519}},
		{"X25519, taken", []tls.CurveID{x25519, p256}, []tls.CurveID{p256, x25519}},
		{"X25519, then P-256", []tls.CurveID{x25519, p256}, []tls.CurveID{p256}},
		{"P-256, then P-384", []tls.CurveID{p256, tls.CurveP384}, []tls.CurveID{tls.CurveP384}},
		{"P-384, taken", []tls.CurveID{tls.CurveP384}, []tls.CurveID{tls.CurveP384}},
		{"P-256, refused, then X25519", nil, []tls.CurveID{x25519}},
	} {
		b.Run(c.name, func(b *testing.B) {
			server := site.Clone()
			server.CurvePreferences = c.server
			b.ReportAllocs()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			before := threadTime()
			for b.Loop() {
				if c.offer != nil {
					shakeOnce(b, l, server, c.offer, true)
					continue
				}
				shakeOnce(b, l, server, cheapCurves(), false)
				shakeOnce(b, l, server, allCurves(), true)
			}
			b.ReportMetric(float64((threadTime()-before).Microseconds())/float64(b.N), "us-cpu/op")
		})
	}
}

// shakeOnce does a handshake; good says whether it should succeed.
func shakeOnce(b *testing.B, l net.Listener, server *tls.Config, offer []tls.CurveID, good bool) {
	go func() {
		if theirs, err := l.Accept(); err == nil {
			_ = tls.Server(theirs, server).Handshake()
			_ = theirs.Close()
		}
	}()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	err = tls.Client(ours, &tls.Config{ServerName: "localhost", CurvePreferences: offer, InsecureSkipVerify: true}).Handshake()
	_ = ours.Close()
	if good != (err == nil) {
		b.Fatal(err)
	}
}

// threadTime is the CPU time of the calling thread.
func threadTime() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	_ = syscall.Getrusage(thread, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
