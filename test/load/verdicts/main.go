// Command verdicts measures verification: the real panel asks six real verifliers over
// TCP on this machine, and their real probers check loopback sites that are down. It
// prints how long the verification of many sites at once takes, its memory, and the delay
// between a verdict and the slowest vote that it needs.
//
// Each veriflier and the sites have separate processes, so that it can measure the memory
// of the panel and of a veriflier; with -together all are in one.
//
// Goroutines: the verifliers, the panel, the servers of the sites and the anchor, and
// samplers. They all end before measure returns, and so do the processes.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/quorum"
)

// options describe the measurement.
type options struct {
	// still is how many verifliers are stopped from the beginning of the burst.
	sites, single, still int
	anchors              string
	delay                time.Duration
	start                starter
	// profile, when not empty, is the file for a heap profile in the middle of a burst.
	profile string
}

func main() {
	var o options
	flag.IntVar(&o.sites, "sites", 10_000, "how many sites go down at once")
	flag.IntVar(&o.single, "single", 300, "how many sites to verify one after another")
	flag.IntVar(&o.still, "still", 0, "how many verifliers to stop (SIGSTOP) at the beginning of the burst, at most 2")
	flag.StringVar(&o.anchors, "anchors", "both", "verifliers with an anchor: yes, no or both")
	flag.DurationVar(&o.delay, "delay", 0, "delay of a site's answer, twice per check: beyond a second the cores are not the limit")
	flag.StringVar(&o.profile, "profile", "", "write a heap profile of this process to this file in the middle of a burst")
	together := flag.Bool("together", false, "run all parts in one process")
	part := flag.Bool("part", false, "internal: be a part")
	flag.Parse()
	err := run(o, *together, *part)
	if err != nil {
		fmt.Fprintln(os.Stderr, "verdicts:", err)
		os.Exit(1)
	}
}

func run(o options, together, part bool) error {
	if part {
		return serve(os.Stdin, os.Stdout)
	}
	if o.still > verifliers-need {
		return fmt.Errorf("with %d of %d stopped nothing can be confirmed", o.still, verifliers)
	}
	o.start = here{}
	if !together {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		o.start = apart{program}
	}
	return measure(o)
}

func measure(o options) error {
	for _, anchored := range []bool{false, true} {
		if (o.anchors == "no" && anchored) || (o.anchors == "yes" && !anchored) {
			continue
		}
		fmt.Printf("verifliers with an anchor: %v\n", anchored)
		f, err := open(o, anchored)
		if err != nil {
			return err
		}
		if anchored {
			// Sites go down now and then, as in production. Controls have their own pace.
			err = one(f, o.single/5, time.Second)
		} else {
			err = one(f, o.single, 0)
		}
		if err == nil {
			err = burst(f, o)
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

// decision is the time of a verdict, and how long before it the panel had the votes.
type decision struct {
	site    int
	decided time.Time
	inside  time.Duration
}

func decisionOf(a engine.Answer) decision {
	var votes []time.Time
	for _, v := range a.Votes {
		if v.Value == quorum.Down {
			votes = append(votes, v.At)
		}
	}
	d := decision{site: int(a.Question.Site) - 1, decided: a.Decided}
	if slices.SortFunc(votes, time.Time.Compare); len(votes) >= need {
		d.inside = a.Decided.Sub(votes[need-1])
	}
	return d
}

// one verifies sites one after another.
func one(f *fleet, n int, pause time.Duration) error {
	var took []time.Duration
	var all []decision
	for i := range n {
		f.ask(i)
		a, err := f.wait(30 * time.Second)
		if err != nil {
			return err
		}
		time.Sleep(pause)
		took, all = append(took, a.Decided.Sub(a.Opened)), append(all, decisionOf(a))
	}
	told, err := f.reports()
	if err != nil {
		return err
	}
	fmt.Printf("  one after another, %d: verdict after %s\n", n, spread(took))
	fmt.Printf("    after the slowest check that it needs: %s\n", spread(after(told, all)))
	return nil
}

// inside returns how long the verdicts took after their votes had arrived.
func inside(all []decision) []time.Duration {
	var out []time.Duration
	for _, d := range all {
		out = append(out, d.inside)
	}
	return out
}

// after returns the delays of the verdicts after the checks that they need.
func after(told []report, all []decision) []time.Duration {
	var out []time.Duration
	for _, d := range all {
		if end := needed(told, d.site); !end.IsZero() {
			// Processes share only the wall clock.
			out = append(out, d.decided.Round(0).Sub(end))
		}
	}
	return out
}

// burst verifies all sites at once.
func burst(f *fleet, o options) error {
	runtime.GC()
	before, all := heap(), make([]decision, 0, o.sites)
	if err := f.still(o.still); err != nil {
		return err
	}
	high, machine := watchHeap(), watchCores()
	start := time.Now()
	for i := range o.sites {
		f.ask(i)
	}
	confirmed := 0
	for range o.sites {
		a, err := f.wait(time.Minute)
		if err != nil {
			return fmt.Errorf("after %d verdicts: %w", len(all), err)
		}
		if a.Verdict.String() == "CONFIRMED" {
			confirmed++
		}
		if all = append(all, decisionOf(a)); len(all) == o.sites/2 {
			if err := writeProfile(o.profile); err != nil {
				return err
			}
		}
	}
	took, most, busy := time.Since(start), high.end(), machine.busy()
	runtime.GC()
	left := heap()
	told, err := f.reports()
	if err != nil {
		return err
	}
	fmt.Printf("  %d at once: all decided after %s, %d confirmed, %.0f a second\n",
		o.sites, took.Round(10*time.Millisecond), confirmed, float64(o.sites)/took.Seconds())
	fmt.Printf("    after the slowest check that each needs: %s\n", spread(after(told, all)))
	fmt.Printf("    of that in the panel, from the vote to the verdict: %s\n", spread(inside(all)))
	fmt.Printf("    heap %s before, %s at most, %s afterwards\n", mebi(before), mebi(most), mebi(left))
	if r := slices.MaxFunc(told, func(a, b report) int { return int(a.Heap) - int(b.Heap) }); r.Heap > 0 {
		fmt.Printf("    heap of the largest veriflier: %s at most, %s afterwards\n", mebi(r.Heap), mebi(r.After))
	}
	fmt.Printf("    the machine: %s\n", busy)
	return nil
}

func mebi(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

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
