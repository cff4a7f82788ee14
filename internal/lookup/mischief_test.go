package lookup

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/Automattic/jetmon/test/seeds"
)

// mischief answers in a way that depends on the question alone.
func mischief(seed uint64) func(asked) [][]byte {
	return func(q asked) [][]byte {
		h := seed
		for _, c := range []byte(q.name) {
			h = h*31 + uint64(c)
		}
		r := rand.New(rand.NewPCG(h, uint64(q.qtype)<<8|uint64(q.nth)))
		switch r.IntN(12) {
		case 0:
			return nil
		case 1:
			return packets(q.code(dns.RcodeServerFailure))
		case 2:
			return packets(q.good(func(m *dns.Msg) { m.Truncated = true }))
		case 3:
			return packets(q.good(func(m *dns.Msg) { m.Question[0].Name = strings.ToUpper(m.Question[0].Name) }))
		case 4:
			return packets(q.good(func(m *dns.Msg) { m.Id++ }), q.good(), q.good())
		case 5:
			b := q.good()
			return packets(b[:r.IntN(len(b))])
		case 6:
			return packets(q.good(func(m *dns.Msg) {
				rr, _ := dns.NewRR(q.name + " 9 IN CNAME x" + q.name)
				m.Answer = []dns.RR{rr}
			}))
		case 7:
			if q.edns {
				return packets(q.code(dns.RcodeFormatError))
			}
		}
		return packets(q.good())
	}
}

// TestNothingStaysBehind has lookups with more or less time ask servers that do everything
// wrong. Each must end in its time, Close must end, and goleak must find nothing.
func TestNothingStaysBehind(t *testing.T) {
	seeds.Run(t, []uint64{1, 2, 3}, func(t *testing.T, seed uint64) {
		for _, portable := range []bool{false, true} {
			one, two := serve(t, "127.0.0.1:0", mischief(seed)), serve(t, "127.0.0.1:0", mischief(seed+1))
			gone := serve(t, "127.0.0.1:0", mischief(seed))
			r := newResolver(t, portable, one.addr)
			var changed atomic.Bool
			r.source = func(context.Context) ([]netip.AddrPort, error) {
				if changed.Load() {
					return []netip.AddrPort{two.addr, gone.addr}, nil
				}
				return []netip.AddrPort{one.addr, two.addr}, nil
			}
			var all sync.WaitGroup
			for n := range 400 {
				random := rand.New(rand.NewPCG(seed, uint64(n)))
				all.Go(func() {
					for n := range 5 {
						ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(100))*time.Millisecond)
						if random.IntN(4) == 0 {
							time.AfterFunc(time.Duration(random.IntN(20))*time.Millisecond, cancel)
						}
						start := time.Now()
						addrs, f := r.Lookup(ctx, fmt.Sprintf("n%d-%d.test", random.IntN(1000), n))
						if took := time.Since(start); took > 5*time.Second || (f == nil) != (len(addrs) > 0) {
							t.Errorf("%v %+v after %v", addrs, f, took)
						}
						cancel()
					}
				})
				changed.Store(n > 200)
			}
			all.Wait()
			r.Close()
		}
	})
}
