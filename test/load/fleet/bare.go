//go:build linux

package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// bareReaders read at once, as a coordinator loads four shards at once.
	bareReaders = 4
	buckets     = 512
	// bareWithin bounds a bare scan.
	bareWithin = 10 * time.Minute
)

// bareScan reads what a coordinator has to know of all sites, a bucket at a time, and
// drops it: what the driver and the server can do at most. It answers rows a second.
func (d *database) bareScan(ctx context.Context) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, bareWithin)
	defer cancel()
	var rows atomic.Int64
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(bareReaders)
	for b := range buckets {
		group.Go(func() error {
			n, err := d.scanBucket(ctx, b)
			rows.Add(n)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return 0, fmt.Errorf("scan the table: %w", err)
	}
	return float64(rows.Load()) / time.Since(began).Seconds(), nil
}

func (d *database) scanBucket(ctx context.Context, bucket int) (n int64, err error) {
	rows, err := d.db.QueryContext(ctx, `SELECT jetpack_monitor_site_id, blog_id, monitor_url, check_interval, site_status, last_status_change
	FROM jetpack_monitor_sites WHERE bucket_no = ? AND monitor_active = 1 ORDER BY jetpack_monitor_site_id`, bucket)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var id, blog, interval, status int64
	var url, since string
	for ; rows.Next(); n++ {
		if err := rows.Scan(&id, &blog, &url, &interval, &status, &since); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}
