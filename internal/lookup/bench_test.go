package lookup

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/net/dns/dnsmessage"
)

// BenchmarkLookup looks a new name up each time. The name server shares the machine, and
// does as little as it can.
func BenchmarkLookup(b *testing.B) {
	for name, portable := range map[string]bool{"batches": false, "one by one": true} {
		b.Run(name, func(b *testing.B) {
			r := newResolver(b, portable, answersAtOnce(b))
			var serial atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					host := "n" + strconv.FormatInt(serial.Add(1), 10) + ".test"
					if _, f := r.Lookup(b.Context(), host); f != nil {
						b.Error(f)
						return
					}
				}
			})
		})
	}
}

// answersAtOnce starts a name server that answers 127.0.0.1 for A and nothing for AAAA,
// without decoding anything.
func answersAtOnce(b *testing.B) netip.AddrPort {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		packet := make([]byte, 512)
		for {
			_, from, err := c.ReadFromUDPAddrPort(packet)
			if err != nil {
				return
			}
			end := headerBytes + bytes.IndexByte(packet[headerBytes:], 0) + 1 + endBytes
			copy(packet[2:headerBytes], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
			answer := packet[:end]
			if packet[end-3] == byte(dnsmessage.TypeA) {
				answer[7] = 1
				answer = append(answer, 0xc0, headerBytes, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
			}
			_, _ = c.WriteToUDPAddrPort(answer, from)
		}
	})
	b.Cleanup(func() {
		_ = c.Close()
		work.Wait()
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// BenchmarkRead compares reading a usual answer with decoding it whole by miekg/dns.
func BenchmarkRead(b *testing.B) {
	packet := message(b, dns.RcodeSuccess, "site.test. 300 IN CNAME x.cdn.test.", "x.cdn.test. 60 IN A 127.0.0.1", "x.cdn.test. 60 IN A 127.0.0.2")
	b.Run("lookup", func(b *testing.B) {
		var name dnsmessage.Name
		setName(&name, "site.test")
		var r reading
		b.ReportAllocs()
		for b.Loop() {
			if err := r.read(packet, &name, dnsmessage.TypeA); err != nil || len(r.addrs) != 2 {
				b.Fatal(err, r.addrs)
			}
		}
	})
	b.Run("miekg", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m := new(dns.Msg)
			if err := m.Unpack(packet); err != nil || len(m.Answer) != 3 {
				b.Fatal(err)
			}
		}
	})
}
