package probe

import (
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/test/fakesite"
)

// pours sends first and then repeats the same block, with hardly any allocation.
func pours(site *fakesite.Site, first, block string) {
	b := []byte(block)
	site.SetConn(func(c net.Conn) {
		var in [4096]byte
		_, _ = c.Read(in[:])
		_, err := io.WriteString(c, first)
		for err == nil {
			_, err = c.Write(b)
		}
	})
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// leastAllocated returns how many bytes f makes the process allocate at the least of three
// times. What others do at the same time does not happen thrice; what f needs does. Nor do
// one-time allocations count.
func leastAllocated(f func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 3 {
		before := allocated()
		f()
		least = min(least, allocated()-before)
	}
	return least
}

// TestFloodsStayWithinMemory runs alone, since it measures the whole process.
func TestFloodsStayWithinMemory(t *testing.T) {
	for _, name := range []string{fast, portable} {
		t.Run(name, func(t *testing.T) { floodsStayWithinMemory(t, makerOf(name)) })
	}
}

func floodsStayWithinMemory(t *testing.T, newProber maker) {
	const limit = 1 << 20
	bomb := zipped(strings.Repeat("\x00", 16<<20))
	block := strings.Repeat("x", 64<<10)
	fields := strings.Repeat("Set-Cookie: "+strings.Repeat("x", 200)+"\r\n", 100)
	for _, c := range []struct{ name, first, block string }{
		{"header line", "HTTP/1.1 200 OK\r\nX: ", block},
		{"header fields", "HTTP/1.1 200 OK\r\n", fields},
		{"1xx", "", strings.Repeat("HTTP/1.1 103 Hint\r\n\r\n", 1000)},
		{"1xx of large heads", "", "HTTP/1.1 103 Hint\r\n" + fields + "\r\n"},
		{"body", "HTTP/1.1 200 OK\r\n\r\n", block},
		{"error page", "HTTP/1.1 403 No\r\n\r\n", block},
		{"chunks of one byte", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 10_000)},
		{"chunk header", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", block},
		{"gzip bomb", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", string(bomb)},
		{"gzip of nothing", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", strings.Repeat(string(zipped("")), 1000)},
		{"br bomb", "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", compressed("br", strings.Repeat("\x00", 16<<20))},
		{"zstd bomb", "HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\n\r\n", compressed("zstd", strings.Repeat("\x00", 16<<20))},
		{"cookies on the way", "HTTP/1.1 302 Found\r\nLocation: ?x\r\n" + fields + "\r\n", ""},
		{"banner", "", "220 hello\r\n"},
	} {
		site := fakesite.New(t)
		if c.block == "" {
			site.SetRaw(c.first)
		} else {
			pours(site, c.first, c.block)
		}
		p := newProber(t)
		target := check.Target{URL: site.URL(), Timeout: 5 * time.Second, Settings: check.Settings{
			Method: check.MethodGet, RequiredTexts: []string{"not there"}}}
		got := leastAllocated(func() {
			if o := probeInTime(t.Context(), t, p, target); o.Outcome != check.OutcomeDown {
				t.Errorf("%s: got %+v", c.name, o)
			}
		})
		if got > limit {
			t.Errorf("%s: %d KiB", c.name, got>>10)
		}
		t.Logf("%s: %d KiB", c.name, got>>10)
	}
}

// TestNothingIsLeft shows that after many concurrent checks of every kind no goroutine
// remains.
func TestNothingIsLeft(t *testing.T) {
	for _, name := range []string{fast, portable} {
		t.Run(name, func(t *testing.T) { nothingIsLeft(t, makerOf(name)) })
	}
}

func nothingIsLeft(t *testing.T, newProber maker) {
	good, bad, hang := fakesite.New(t), fakesite.New(t), fakesite.New(t)
	bad.Reset()
	hang.Hang()
	secure := fakesite.NewTLS(t, fakesite.Valid)
	names := fakesite.NewDNS(t)
	names.Host("both.test", "127.0.0.1", "::1")
	p := newProber(t, func(o *Options) { o.RootCAs, o.Resolver = secure.Roots(), names.Addr() })
	urls := []string{good.URL(), bad.URL(), hang.URL(), secure.URL(), fmt.Sprintf("http://both.test:%d/", good.Port()), "http://none.test/"}
	before := runtime.NumGoroutine()
	var work sync.WaitGroup
	for i := range 300 {
		work.Go(func() {
			timeout := 30 * time.Second // a loaded machine takes its time over 300 checks at once
			if urls[i%len(urls)] == hang.URL() {
				timeout = 4 * short
			}
			o := p.Probe(t.Context(), check.Target{URL: urls[i%len(urls)], Timeout: timeout})
			wellFormed(t, o)
			if up := i%len(urls) == 0 || i%len(urls) >= 3 && i%len(urls) < 5; up != (o.Outcome == check.OutcomeUp) {
				t.Errorf("%s: %+v", urls[i%len(urls)], o)
			}
		})
	}
	work.Wait()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+5 { // the sites' own, which end as they notice
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		runtime.Gosched()
	}
}
