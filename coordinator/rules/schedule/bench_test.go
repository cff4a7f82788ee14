package schedule

import (
	"fmt"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/Automattic/jetmon/internal/check"
)

func TestAnEntryIsSmallAndHasNoPointer(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(entry{}); size != 8 {
		t.Errorf("an entry takes %d bytes, want 8", size)
	}
}

// BenchmarkWheel turns a full wheel second by second: every due site is removed and
// added again for its next check, as the coordinator does.
func BenchmarkWheel(b *testing.B) {
	for _, sites := range []int{100_000, 10_000_000} {
		b.Run(fmt.Sprintf("sites=%d", sites), func(b *testing.B) {
			const interval = 5 * time.Minute
			now := time.Unix(1_700_000_000, 0)
			heap := heapBytes()
			w := New(now, 100*time.Millisecond, 4096)
			w.Grow(sites)
			for i := range sites {
				w.Add(Slot(i), Next(check.SiteID(i), interval, now))
			}
			perEntry := float64(heapBytes()-heap) / float64(sites)
			var due []Slot
			checks, left := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				// One operation is one check.
				if left == 0 {
					for left == 0 {
						now = now.Add(time.Second)
						due = w.Advance(now, due[:0])
						left = len(due)
					}
					for _, s := range due {
						w.Add(s, Next(check.SiteID(s), interval, now))
					}
					checks += len(due)
				}
				left--
			}
			b.ReportMetric(perEntry, "B/entry")
			if w.Len() != sites || checks == 0 {
				b.Fatalf("%d on the wheel, %d checks", w.Len(), checks)
			}
		})
	}
}

// BenchmarkNext is the cost of the phase alone.
func BenchmarkNext(b *testing.B) {
	now, id := time.Unix(1_700_000_000, 0), check.SiteID(0)
	for b.Loop() {
		id++
		now = Next(id, 5*time.Minute, now)
	}
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
