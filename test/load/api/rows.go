//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/test/load/machine"
)

// fillAtOnce is how many rows one statement writes.
const fillAtOnce = 5000

// fill writes sites into the legacy table: ten a blog, each with a host of its own, paused but for
// one in a thousand, which is known as down.
func fill(ctx context.Context, d *machine.Database, n int) error {
	for first := 0; first < n; first += fillAtOnce {
		var rows []string
		for i := first; i < min(first+fillAtOnce, n); i++ {
			active, status, since := 0, 1, "NULL"
			if i%1000 == 0 {
				active, status, since = 1, 0, fmt.Sprintf("'%s'", time.Now().UTC().Add(-time.Duration(i)*time.Second).Format(time.DateTime))
			}
			rows = append(rows, fmt.Sprintf("(%d, %d, '%s', %d, %d, %s, 5)", i/10+1, i%512, siteURL(i), active, status, since))
		}
		_, err := d.DB.ExecContext(ctx, `INSERT INTO jetpack_monitor_sites
	(blog_id, bucket_no, monitor_url, monitor_active, site_status, last_status_change, check_interval) VALUES `+strings.Join(rows, ", "))
		if err != nil {
			return fmt.Errorf("fill the table: %w", err)
		}
	}
	_, err := d.DB.ExecContext(ctx, "ANALYZE TABLE jetpack_monitor_sites")
	return err
}

func siteURL(i int) string { return fmt.Sprintf("https://site-%d.example/", i) }

// indexWithin bounds the time in which a coordinator has indexed all hosts.
const indexWithin = 5 * time.Minute

// indexed waits until the coordinator has indexed all hosts, as it does once.
func (h *house) indexed(ctx context.Context, d *machine.Database) error {
	ctx, cancel := context.WithTimeout(ctx, indexWithin)
	defer cancel()
	for {
		var left int
		if err := d.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM jetmon_shards WHERE hosts_ms = 0").Scan(&left); err != nil {
			return fmt.Errorf("wait until hosts are indexed: %w", err)
		}
		var all int
		if err := d.DB.QueryRowContext(ctx, "SELECT COUNT(*) FROM jetmon_shards").Scan(&all); err != nil {
			return fmt.Errorf("wait until hosts are indexed: %w", err)
		}
		if left == 0 && all > 0 {
			_, err := d.DB.ExecContext(ctx, "ANALYZE TABLE jetmon_site_hosts, jetmon_site_status")
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("hosts of %d shards of %d are not indexed: %w", left, all, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}
