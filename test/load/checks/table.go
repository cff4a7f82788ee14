//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/sync/errgroup"
)

// pureInFlight is the number of checks in flight, except in the mix.
const pureInFlight = 256

// row is one line of the table: a client and the one that it is compared with.
type row struct {
	name         string
	client, kind string
	against      string
	// theirKind is the kind of the other's checks, if it is another one.
	theirKind string
	// costs makes the ratio that of our cost to theirs; otherwise it is theirs to ours.
	costs  bool
	wanted string
}

func rows() []row {
	return []row{
		{name: "plain HTTP", client: ours, kind: plain, against: netHTTP, wanted: ">= 2"},
		{name: "plain HTTP, portable engine", client: portable, kind: plain, against: netHTTP},
		{name: "plain HTTP, against a bare epoll loop", client: ours, kind: plain, against: bare, wanted: "1 is the mark"},
		{name: "a new name each, against ours by address", client: ours, kind: named, against: ours, theirKind: plain, costs: true, wanted: "<= 1.35"},
		{name: "plain HTTP, a new name each", client: ours, kind: named, against: netHTTP, wanted: ">= 2"},
		{name: "the same, portable engine", client: portable, kind: named, against: netHTTP},
		{name: "TLS 1.3, full handshake", client: ours, kind: full, against: netHTTP, wanted: ">= 1.3"},
		{name: "TLS 1.3, full, the same curve", client: ours, kind: full, against: p256HTTP},
		{name: "TLS 1.3, resumed, against full", client: ours, kind: resumed, against: netHTTP, theirKind: full, wanted: ">= 2"},
	}
}

// printTable measures all rows, in turns.
func printTable(at target, amount amounts) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "load before: %s\n", load())
	if amount.mix > 0 && amount.rounds > 0 && strings.Contains(mix, amount.only) {
		if err := printMix(w, at, amount); err != nil {
			return err
		}
	}
	if amount.rounds > 0 && amount.count > 0 {
		if err := printPairs(w, at, amount); err != nil {
			return err
		}
	}
	if amount.held > 0 {
		if err := printHeld(w, at, amount); err != nil {
			return err
		}
	}
	if amount.circle > 0 && strings.Contains(circle, amount.only) {
		if err := printCircle(w, at, amount); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\nload after: %s\n", load())
	if err := w.Flush(); err != nil || amount.flat == 0 {
		return err
	}
	return printFlat(at, amount)
}

// printMix measures our engines and net/http on the mix, in turns.
func printMix(w *tabwriter.Writer, at target, amount amounts) error {
	fmt.Fprintf(w, "\nmix of %d sites, %d in flight\tclient\tchecks/CPU s\tus CPU\tallocs\tKB\tcollections\tresumed\tnet/http, tuned / it\trange\twanted\n", at.Sites, amount.mixInFlight)
	for _, kind := range []string{mixResumed, mix} {
		clients := []string{ours, portable, tunedHTTP, p256HTTP}
		got := make(map[string][]figures)
		for range amount.rounds {
			if err := amount.round(clients, kind, at, got); err != nil {
				return err
			}
		}
		for _, c := range clients {
			wanted := ""
			if c == ours {
				wanted = map[string]string{mixResumed: ">= 1.5", mix: ">= 1.7"}[kind]
			}
			low, mid, high := spread(got[c], got[tunedHTTP])
			f := middle(got[c])
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.1f\t%.0f\t%.1f\t%.1f %%\t%.1f %%\t%.2f\t%.2f-%.2f\t%s\n", kind, c, f.perCPUSecond(), 1e6/f.perCPUSecond(),
				f.Allocs, f.Bytes/1000, 100*f.Collector.Seconds()/f.CPU.Seconds(), 100*float64(f.Resumed)/float64(f.Handshakes), mid, low, high, wanted)
		}
		if err := w.Flush(); err != nil { // what follows may fail
			return err
		}
	}
	return nil
}

// round measures each client once: one after the other, or all at once if they are to share
// the core.
func (a amounts) round(clients []string, kind string, at target, got map[string][]figures) error {
	var group errgroup.Group
	if !a.together {
		group.SetLimit(1)
	}
	figure := make([]figures, len(clients))
	for i, c := range clients {
		group.Go(func() (err error) {
			figure[i], err = spawn(a.plan(c, kind, at))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, c := range clients {
		got[c] = append(got[c], figure[i])
	}
	return nil
}

// printPairs measures the rows.
func printPairs(w io.Writer, at target, amount amounts) error {
	fmt.Fprintln(w, "\nchecks\tours/CPU s\tus CPU\tallocs\tcompared with\tits/CPU s\tus CPU\tallocs\tratio\trange\twanted")
	for _, r := range rows() {
		if !strings.Contains(r.name, amount.only) {
			continue
		}
		n := amount.count
		if r.kind == full || r.kind == resumed {
			n /= 10
		}
		p := amount.plan(r.client, r.kind, at)
		p.Count = n
		other := p
		other.Client, other.Kind = r.against, cmp.Or(r.theirKind, r.kind)
		var our, their []figures
		for range amount.rounds {
			a, err := spawn(p)
			if err != nil {
				return err
			}
			b, err := spawn(other)
			if err != nil {
				return err
			}
			our, their = append(our, a), append(their, b)
		}
		low, mid, high := spread(our, their)
		against := r.against
		if r.costs {
			low, mid, high = 1/high, 1/mid, 1/low
			against += ", " + other.Kind
		}
		a, b := middle(our), middle(their)
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.0f\t%s\t%.0f\t%.1f\t%.0f\t%.2f\t%.2f-%.2f\t%s\n", r.name,
			a.perCPUSecond(), 1e6/a.perCPUSecond(), a.Allocs, against, b.perCPUSecond(), 1e6/b.perCPUSecond(), b.Allocs,
			mid, low, high, r.wanted)
	}
	return nil
}

// spread returns the least, the median and the greatest ratio of their cost to ours in one
// turn.
func spread(our, their []figures) (low, mid, high float64) {
	var all []float64
	for i := range our {
		all = append(all, our[i].perCPUSecond()/their[i].perCPUSecond())
	}
	slices.Sort(all)
	return all[0], all[len(all)/2], all[len(all)-1]
}

func printHeld(w *tabwriter.Writer, at target, amount amounts) error {
	fmt.Fprintf(w, "\n%d checks in flight\tclient\tKiB each, resident\tKiB each, heap and stacks\twanted\n", amount.held)
	// The bursts are what the core can do: as many plain checks as the target's backlog
	// allows, and 2,000 handshakes per second.
	for _, r := range []struct {
		kind   string
		burst  int
		wanted string
	}{{plain, 200, "<= 8"}, {named, 100, ""}, {full, 10, "<= 36"}, {mix, 10, "<= 30"}} {
		if !strings.Contains(r.kind, amount.only) || r.kind == mix && at.Sites == 0 {
			continue
		}
		for _, client := range []string{ours, tunedHTTP} {
			p := amount.plan(client, r.kind, at)
			p.Count, p.Hold, p.Burst, p.Timeout = amount.held, true, r.burst, 2*timeout
			f, err := spawn(p)
			if err != nil {
				return err
			}
			wanted := ""
			if client == ours {
				wanted = r.wanted
			}
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%s\n", r.kind, client, f.RSS, f.GoMemory, wanted)
			if err := w.Flush(); err != nil { // what follows may fail
				return err
			}
		}
	}
	return nil
}

// printCircle visits many TLS sites twice, and prints how many resume in the second circle:
// with the default cache, and with one that is too small for them.
func printCircle(w io.Writer, at target, amount amounts) error {
	fmt.Fprintln(w, "\nsites in a circle\tcache, MiB\tresumed in the second circle\theap after the first, MiB\twanted")
	for _, r := range []struct {
		sites, cache int
		wanted       string
	}{{amount.circle, 64, ">= 40000"}, {amount.circle / 2, max(1, amount.circle/10_000), "> 0"}} {
		p := amount.plan(ours, circle, at)
		p.Count, p.CacheMiB = r.sites, r.cache
		f, err := spawn(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%d\t%d\t%d\t%.0f\t%s\n", f.Checks, r.cache, f.Resumed, f.Live/(1<<20), r.wanted)
	}
	return nil
}

// printFlat prints the resources in use after many checks.
func printFlat(at target, amount amounts) error {
	for _, kind := range []string{plain, resumed} {
		p := amount.plan(ours, kind, at)
		p.Count, p.Flat = amount.flat, true
		fmt.Printf("\n%s: what is left after each tenth of the checks\n", kind)
		if kind != plain {
			p.Count /= 10
		}
		if _, err := spawn(p); err != nil {
			return err
		}
	}
	return nil
}

// middle returns the run with the median cost.
func middle(all []figures) figures {
	slices.SortFunc(all, func(a, b figures) int { return int(a.CPU - b.CPU) })
	return all[len(all)/2]
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:2], " ")
}
