// Command quorum calculates how often the verifliers are wrong together. It lets the real
// packages, quorum and lifecycle, decide random escalations, and counts the results. The
// same seed gives the same table.
//
// Goroutines: one per share of a row, which ends when it has decided its escalations.
package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"text/tabwriter"

	"github.com/Automattic/jetmon/coordinator/rules/lifecycle"
)

// shares is the number of streams of random numbers per row. The result depends on it.
const shares = 8

func main() {
	seed := flag.Uint64("seed", 1, "seed of the random numbers")
	count := flag.Int("escalations", 2_000_000, "escalations per row: of sites that are up, and as many of sites that are down")
	flag.Parse()
	if err := printTable(os.Stdout, *seed, *count); err != nil {
		fmt.Fprintln(os.Stderr, "quorum:", err)
		os.Exit(1)
	}
}

// row is a layout of verifliers, and the operator's PEER_OFFLINE_LIMIT: how many of them
// confirm, or 0 for the default rule.
type row struct{ verifliers, regions, limit int }

// rows are ordered by rule, with newer ones last: a row's position determines its random
// numbers.
func rows() []row {
	return []row{
		{1, 1, 0}, {2, 2, 0}, {3, 1, 0}, {3, 3, 0}, {4, 2, 0}, {5, 3, 0}, {6, 1, 0}, {6, 2, 0}, {6, 3, 0}, {6, 6, 0},
		{7, 3, 0}, {8, 4, 0}, {10, 5, 0},
		{3, 3, 3}, {4, 2, 4}, {6, 2, 5}, {6, 3, 5}, {8, 2, 0}, {8, 2, 7},
	}
}

// The worlds in which a rule is evaluated.
func sound() world { return world{stray: 0.02, regional: 0.005} }
func deaf() world  { return world{unknown: 0.2} }
func worst() world { return world{stray: 0.02, regional: 0.005, unknown: 0.2} }

func printTable(w io.Writer, seed uint64, count int) error {
	fmt.Fprintf(w, "%d escalations each, seed %d\n\n", count, seed)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "rule\tregions\twrongly confirmed\tsame, 20 % unknown\theld, 20 % unknown\tdown: in 1 round\tin 2\tin 3\twrongly rejected\t")
	for i, l := range rows() {
		p, err := newPanel(l)
		if err != nil {
			return err
		}
		seed := seed + uint64(i)<<32
		up, upDeaf := p.run(false, sound(), seed, count), p.run(false, worst(), seed+1, count)
		down, wrong := p.run(true, deaf(), seed+2, count), p.run(true, worst(), seed+3, count)
		fmt.Fprintf(out, "%d of %d\t%d\t%s\t%s\t%.4f\t%.4f\t%.4f\t%.5f\t%.1e\t\n", p.rule.Need, p.rule.Voters, l.regions,
			rare(up), rare(upDeaf), share(upDeaf.held, count),
			share(down.byRound[1], count), share(down.byRound[2], count), share(down.byRound[3], count), share(wrong.rejected, count))
	}
	return out.Flush()
}

// rare formats a share of confirmations. Without any, it gives the bound that the number of
// escalations supports: three per total.
func rare(t tally) string {
	if t.confirmed == 0 {
		return fmt.Sprintf("< %.1e", 3/float64(t.total))
	}
	return fmt.Sprintf("%.1e", share(t.confirmed, t.total))
}

// run decides many escalations. The result depends only on the seed and the count.
func (p panel) run(down bool, w world, seed uint64, count int) tally {
	var parts [shares]tally
	var working sync.WaitGroup
	for i := range shares {
		working.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			policy := lifecycle.DefaultPolicy()
			for range (count + i) / shares {
				parts[i].add(p.escalate(down, w, r, policy))
			}
		})
	}
	working.Wait()
	var all tally
	for _, part := range parts {
		all.merge(part)
	}
	return all
}
