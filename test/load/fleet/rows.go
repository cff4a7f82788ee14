//go:build linux

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/Automattic/jetmon/test/load/machine"
)

// fillRows is the number of rows per statement.
const fillRows = 250_000

// fillWithin limits one such statement.
const fillWithin = 5 * time.Minute

// fill writes the sites 1 to n, with URLs of 40 bytes, spread over the buckets by number as
// blogs are. down percent of them have long been confirmed down.
func fill(ctx context.Context, d *machine.Database, n int, interval time.Duration, down int) error {
	for from := 1; from <= n; from += fillRows {
		to := min(from+fillRows-1, n)
		text := fmt.Sprintf(`INSERT INTO jetpack_monitor_sites
	(jetpack_monitor_site_id, blog_id, bucket_no, monitor_url, monitor_active, site_status, last_status_change, check_interval)
	SELECT seq, seq, seq %% 512, CONCAT('https://www.a-web-site-', LPAD(seq, 8, '0'), '.example/'), 1, IF(seq %% 100 < %d, 2, 1), '2026-01-02 03:04:05', %d
	FROM seq_%d_to_%d`, down, interval/time.Minute, from, to)
		call, cancel := context.WithTimeout(ctx, fillWithin)
		_, err := d.DB.ExecContext(call, text)
		cancel()
		if err != nil {
			return fmt.Errorf("make the sites %d to %d: %w", from, to, err)
		}
	}
	if _, err := d.DB.ExecContext(ctx, "ANALYZE TABLE jetpack_monitor_sites"); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	return nil
}

// work holds the server's counters.
type work struct {
	writes, reads, sent uint64 // statements, statements, bytes
}

func (w work) since(before work) work {
	return work{w.writes - before.writes, w.reads - before.reads, w.sent - before.sent}
}

// counts reads the server's counters.
func counts(ctx context.Context, d *machine.Database) (work, error) {
	var w work
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	rows, err := d.DB.QueryContext(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN "+
		"('Com_insert','Com_insert_select','Com_update','Com_update_multi','Com_delete','Com_delete_multi','Com_replace','Com_replace_select','Com_select','Bytes_sent')")
	if err != nil {
		return w, fmt.Errorf("read the server's counters: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return w, fmt.Errorf("read the server's counters: %w", err)
		}
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return w, fmt.Errorf("read the server's counter %s: %w", name, err)
		}
		switch name {
		case "Com_select":
			w.reads = n
		case "Bytes_sent":
			w.sent = n
		default:
			w.writes += n
		}
	}
	return w, rows.Err()
}
