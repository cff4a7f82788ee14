//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/test/load/machine"
)

const (
	buckets = 512
	// barePage is how many rows of the table a coordinator reads at once when it starts.
	barePage = 20_000
	// bareRounds is how often each way is tried: the best time of each counts.
	bareRounds = 2
	// bareWithin limits a bare scan.
	bareWithin = 10 * time.Minute
)

// bareWay is one way to read the whole table and drop the rows, which shows the maximum of
// driver and server. It is a list of statements, of which readers run at once.
type bareWay struct {
	name       string
	readers    int
	statements []string
	// alike is true for the way in which a coordinator reads.
	alike bool
}

// bareRead selects what a coordinator has to know about a site.
const bareRead = `SELECT jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, check_interval, site_status, last_status_change
	FROM jetpack_monitor_sites WHERE monitor_active = 1 AND `

// bareWays are the plain ways to read the sites 1 to n.
func bareWays(n int) []bareWay {
	var byBucket, pages []string
	for b := range buckets {
		byBucket = append(byBucket, fmt.Sprintf("%s bucket_no = %d", bareRead, b))
	}
	parts := func(size int) (out []string) {
		for first := 1; first <= n; first += size {
			// Adding 0 keeps the server from the index on buckets.
			out = append(out, fmt.Sprintf("%s bucket_no + 0 < %d AND jetpack_monitor_site_id BETWEEN %d AND %d", bareRead, buckets, first, first+size-1))
		}
		return out
	}
	pages = parts(barePage)
	return []bareWay{
		{name: "by bucket, four at once", readers: 4, statements: byBucket},
		{name: "the table, in one go", readers: 1, statements: parts(n)},
		{name: "the table, two halves at once", readers: 2, statements: parts((n + 1) / 2)},
		{name: "the table, page by page", readers: 1, statements: pages, alike: true},
	}
}

// bareScan is the result of one way.
type bareScan struct {
	way       bareWay
	rate      float64       // rows per second
	cpu, base time.Duration // per row, of the client and of the database
}

// bareScans tries all ways.
func bareScans(ctx context.Context, d *machine.Database, n int) ([]bareScan, error) {
	var out []bareScan
	for _, way := range bareWays(n) {
		var best bareScan
		for range bareRounds {
			s, err := scanBare(ctx, d, way, n)
			if err != nil {
				return nil, fmt.Errorf("scan %s: %w", way.name, err)
			}
			if s.rate > best.rate {
				best = s
			}
		}
		out = append(out, best)
	}
	return out, nil
}

func scanBare(ctx context.Context, d *machine.Database, way bareWay, n int) (s bareScan, err error) {
	ctx, cancel := context.WithTimeout(ctx, bareWithin)
	defer cancel()
	server, err := d.PID()
	if err != nil {
		return s, err
	}
	before, err := cpuOfAll(os.Getpid(), server)
	if err != nil {
		return s, err
	}
	began := time.Now()
	counts := make([]int, len(way.statements))
	group, scanning := errgroup.WithContext(ctx)
	group.SetLimit(way.readers)
	for i, statement := range way.statements {
		group.Go(func() (err error) {
			counts[i], err = drop(scanning, d, statement)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return s, err
	}
	took := time.Since(began)
	after, err := cpuOfAll(os.Getpid(), server)
	if err != nil {
		return s, err
	}
	rows := 0
	for _, c := range counts {
		rows += c
	}
	if rows != n {
		return s, fmt.Errorf("%d rows of %d", rows, n)
	}
	return bareScan{
		way: way, rate: float64(n) / took.Seconds(),
		cpu: (after[0] - before[0]) / time.Duration(n), base: (after[1] - before[1]) / time.Duration(n),
	}, nil
}

// drop reads the rows of a statement and drops them.
func drop(ctx context.Context, d *machine.Database, statement string) (n int, err error) {
	rows, err := d.DB.QueryContext(ctx, statement)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var id, blog, bucket, interval, status int64
	var url, since string
	for ; rows.Next(); n++ {
		if err := rows.Scan(&id, &blog, &bucket, &url, &interval, &status, &since); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

// cpuOfAll returns the CPU times of some processes.
func cpuOfAll(pids ...int) (out []time.Duration, err error) {
	for _, pid := range pids {
		cpu, err := machine.CPUOf(pid)
		if err != nil {
			return nil, err
		}
		out = append(out, cpu)
	}
	return out, nil
}

// beside prints a rate beside those of the bare scans.
func beside(scans []bareScan, rate float64) {
	for _, s := range scans {
		fmt.Printf("bare scan, %-30s %9.0f rows/s; CPU a row: %.2f us here, %.2f us of the database\n",
			s.way.name+":", s.rate, 1e6*s.cpu.Seconds(), 1e6*s.base.Seconds())
	}
	fastest := slices.MaxFunc(scans, func(a, b bareScan) int { return int(a.rate - b.rate) })
	alike := scans[slices.IndexFunc(scans, func(s bareScan) bool { return s.way.alike })]
	fmt.Printf("the load alone: %.0f rows/s, %.2f of the fastest bare scan (%s), %.2f of the one that reads alike (%s)\n",
		rate, rate/fastest.rate, fastest.way.name, rate/alike.rate, alike.way.name)
}
