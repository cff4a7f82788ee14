package logbook

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counters are what the metrics show.
type counters struct {
	// written are bytes, dropped rows or strips.
	written, dropped atomic.Uint64
	// logged is when a dropped row was logged last, in seconds of Unix time.
	logged atomic.Int64
}

// register shows the figures. They are documented in docs/operations.md.
func (l *Logbook) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	counter := func(name, help string, n *atomic.Uint64) error {
		return r.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(n.Load()) }))
	}
	gauge := func(name, help string, read func() int) error {
		return r.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
	}
	return errors.Join(
		counter("jetmon_history_written_bytes_total", "Bytes of checks that were added to the journal, compressed.", &l.count.written),
		counter("jetmon_history_dropped_total", "Rows of checks that were not kept: too many waited, or their shard was lost.", &l.count.dropped),
		counter("jetmon_history_damaged_total", "Rows of checks that the fold could not read.", &l.shelf.damaged),
		gauge("jetmon_history_waiting_rows", "Rows of checks that wait for the database.", func() int { rows, _ := l.waiting.size(); return rows }),
		gauge("jetmon_history_waiting_bytes", "Bytes of checks that wait for the database.", func() int { _, bytes := l.waiting.size(); return bytes }),
	)
}
