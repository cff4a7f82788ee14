//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// row is one line of the table: a client and the one that it is compared with.
type row struct {
	name         string
	client, kind string
	against      string
	// theirs is the kind of the other client's checks.
	theirs string
	wanted string
}

func rows() []row {
	const full = "tls"
	return []row{
		{"plain HTTP", "probe", "plain", "net/http", "plain", ">= 2"},
		{"plain HTTP, portable engine", "portable", "plain", "net/http", "plain", ""},
		{"plain HTTP, against a bare epoll loop", "probe", "plain", "bare", "plain", "1 is the mark"},
		{"plain HTTP, a new name each", "probe", "names", "net/http", "names", ">= 2"},
		{"plain HTTP, a new name each, portable engine", "portable", "names", "net/http", "names", ""},
		{"plain HTTP, a new name each, against ours by address", "probe", "names", "probe", "plain", ">= 0.74"},
		{"TLS 1.3, full handshake", "probe", full, "net/http", full, ">= 1.3"},
		{"TLS 1.3, full, both X25519", "probe", full, "net/http, X25519", full, ""},
		{"TLS 1.3, resumed, against full", "probe", "resumed", "net/http", full, ">= 2"},
	}
}

// printTable measures all rows, in turns.
func printTable(at target, amount amounts) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "load before: %s\n\n", load())
	if amount.rounds > 0 {
		fmt.Fprintln(w, "checks\tours/CPU s\tus CPU\tallocs\tcompared with\tits/CPU s\tus CPU\tallocs\tratio\trange\twanted")
	}
	for _, r := range rows()[:min(len(rows()), amount.rounds*len(rows()))] {
		if !strings.Contains(r.name, amount.only) {
			continue
		}
		n := amount.count
		if r.theirs == "tls" {
			n /= 10
		}
		var ratios []float64
		var ours, theirs []figures
		for range amount.rounds {
			a, err := spawn(plan{Client: r.client, Kind: r.kind, Count: n, InFlight: 256, Target: at})
			if err != nil {
				return err
			}
			b, err := spawn(plan{Client: r.against, Kind: r.theirs, Count: n, InFlight: 256, Target: at})
			if err != nil {
				return err
			}
			ours, theirs = append(ours, a), append(theirs, b)
			ratios = append(ratios, a.perCPUSecond()/b.perCPUSecond())
		}
		slices.Sort(ratios)
		a, b := middle(ours), middle(theirs)
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.0f\t%s\t%.0f\t%.1f\t%.0f\t%.2f\t%.2f-%.2f\t%s\n", r.name,
			a.perCPUSecond(), 1e6/a.perCPUSecond(), a.Allocs, r.against, b.perCPUSecond(), 1e6/b.perCPUSecond(), b.Allocs,
			ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1], r.wanted)
	}
	if amount.held > 0 {
		if err := printHeld(w, at, amount); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\nload after: %s\n", load())
	if err := w.Flush(); err != nil || amount.flat == 0 {
		return err
	}
	return printFlat(at, amount.flat)
}

func printHeld(w *tabwriter.Writer, at target, amount amounts) error {
	held := amount.held
	fmt.Fprintf(w, "\n%d checks in flight\tclient\tKiB each, resident\tKiB each, heap and stacks\twanted\n", held)
	// The bursts are what the core can do: as many plain checks as the target's backlog
	// allows, and 2,000 handshakes per second.
	for _, kind := range []string{"plain", "names", "tls"} {
		if !strings.Contains(kind, amount.only) {
			continue
		}
		burst := map[string]int{"plain": 200, "names": 100, "tls": 10}[kind]
		for _, client := range []string{"probe", "net/http"} {
			f, err := spawn(plan{Client: client, Kind: kind, Count: held, Hold: true, Burst: burst, Target: at})
			if err != nil {
				return err
			}
			wanted := ""
			if client == "probe" {
				wanted = map[string]string{"plain": "<= 8", "tls": "<= 36"}[kind]
			}
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%s\n", kind, client, f.RSS, f.GoMemory, wanted)
		}
	}
	return nil
}

// printFlat prints the resources in use after many checks.
func printFlat(at target, count int) error {
	for _, kind := range []string{"plain", "resumed"} {
		fmt.Printf("\n%s: what is left after each tenth of the checks\n", kind)
		if kind != "plain" {
			count /= 10
		}
		if _, err := spawn(plan{Client: "probe", Kind: kind, Count: count, InFlight: 256, Flat: true, Target: at}); err != nil {
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
