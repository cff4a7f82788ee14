// Command verdicts measures verification: the real panel asks six real verifliers over
// TCP on this machine, whose real probers check sites on loopback that are down. It
// prints how long many sites take that go down at once, what memory that takes, and how
// much later a verdict stands than the slowest vote that it needs.
//
// Goroutines: the verifliers, the panel, and the servers of the sites and the anchor, all
// ended before measure returns.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

func main() {
	sites := flag.Int("sites", 10_000, "how many sites go down at once")
	single := flag.Int("single", 300, "how many sites are verified one after the other")
	flag.Parse()
	if err := measure(*sites, *single); err != nil {
		fmt.Fprintln(os.Stderr, "verdicts:", err)
		os.Exit(1)
	}
}

func measure(sites, single int) error {
	for _, anchored := range []bool{false, true} {
		fmt.Printf("verifliers with an anchor: %v\n", anchored)
		f, err := open(anchored)
		if err != nil {
			return err
		}
		if anchored {
			// As sites go down: now and then. Controls have a pace of their own.
			err = one(f, single/5, time.Second)
		} else {
			err = one(f, single, 0)
		}
		if err == nil {
			err = burst(f, sites)
		}
		if err := f.close(); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// one verifies sites one after the other.
func one(f *fleet, n int, pause time.Duration) error {
	var took, after []time.Duration
	for i := range n {
		f.ask(i)
		a, err := f.wait(30 * time.Second)
		if err != nil {
			return err
		}
		time.Sleep(pause)
		took = append(took, a.Decided.Sub(a.Opened))
		after = append(after, a.Decided.Sub(f.needed(a)))
	}
	fmt.Printf("  one after the other, %d: verdict after %s\n", n, spread(took))
	fmt.Printf("    after the slowest probe that it needs: %s\n", spread(after))
	return nil
}

// burst verifies all at once.
func burst(f *fleet, n int) error {
	runtime.GC()
	before := heap()
	watch, stop := context.WithCancel(context.Background())
	peak := make(chan uint64, 1)
	go func() { peak <- highest(watch) }()
	start := time.Now()
	for i := range n {
		f.ask(1_000_000 + i)
	}
	confirmed := 0
	var after []time.Duration
	for range n {
		a, err := f.wait(5 * time.Minute)
		if err != nil {
			stop()
			<-peak
			return err
		}
		if a.Verdict.String() == "CONFIRMED" {
			confirmed++
			after = append(after, a.Decided.Sub(f.needed(a)))
		}
	}
	took := time.Since(start)
	stop()
	high := <-peak
	f.forget()
	runtime.GC()
	fmt.Printf("  %d at once: all decided after %s, %d confirmed, %.0f a second\n", n, took.Round(10*time.Millisecond), confirmed, float64(n)/took.Seconds())
	fmt.Printf("    after the slowest probe that each needs: %s\n", spread(after))
	fmt.Printf("    heap %d MiB before, %d MiB at most, %d MiB afterwards\n", before>>20, high>>20, heap()>>20)
	return nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// highest is the largest heap until ctx ends.
func highest(ctx context.Context) (most uint64) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			most = max(most, heap())
		case <-ctx.Done():
			return most
		}
	}
}

func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	slices.Sort(all)
	at := func(share float64) time.Duration {
		return all[int(share*float64(len(all)-1))].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s, p99 %s, most %s", at(0.5), at(0.99), at(1))
}
