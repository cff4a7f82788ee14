package v1stats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/engine/tally"
	"github.com/Automattic/jetmon/internal/obs"
)

// Engine has what is reported.
type Engine interface {
	Summary(now time.Time) engine.Summary
	// TakeResults returns the results since the last call.
	TakeResults() *tally.Counts
}

// Options for New.
type Options struct {
	Engine Engine
	// StatsD is the HOST:PORT of a StatsD server; empty for none.
	StatsD string
	// Prefix is before each name, with a dot at its end.
	Prefix string
	// Dir is where the stats files are written; empty for nowhere.
	Dir string
	// Every is the time between two reports.
	Every time.Duration
	// Resident, optional, returns the resident bytes of this process, to be sent.
	Resident func() int64
	Log      *slog.Logger
}

// Enabled reports whether there is anything to do.
func (o *Options) Enabled() bool { return o.StatsD != "" || o.Dir != "" }

// The bytes of a datagram: what fits into an Ethernet frame, and on loopback into any.
const (
	frameBytes    = 1500 - 29
	loopbackBytes = 65536 - 29
	// flushEvery is how long a metric waits for others.
	flushEvery = time.Second
)

// Reporter reports. New makes one.
type Reporter struct {
	o      Options
	client statsd.StatSender // nil without StatsD
	close  func() error
	sent   obs.Edge
	files  obs.Edge
	// reloads counts those that are not reported yet.
	reloads atomic.Int64
}

// New makes a Reporter; it sends nothing before Run.
func New(o Options) (*Reporter, error) {
	r := &Reporter{
		o: o, close: func() error { return nil },
		sent:  obs.Edge{Log: o.Log, What: "sending to StatsD", Level: slog.LevelWarn},
		files: obs.Edge{Log: o.Log, What: "writing stats files", Level: slog.LevelWarn},
	}
	if o.StatsD == "" {
		return r, nil
	}
	client, err := statsd.NewClientWithConfig(&statsd.ClientConfig{
		Address: o.StatsD, Prefix: strings.TrimSuffix(o.Prefix, "."),
		UseBuffered: true, FlushInterval: flushEvery, FlushBytes: datagram(o.StatsD),
	})
	if err != nil {
		return nil, fmt.Errorf("statsd: %w", err)
	}
	r.client, r.close = client, client.Close
	return r, nil
}

// datagram returns how many bytes to send at once to an address.
func datagram(addr string) int {
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return loopbackBytes
	}
	return frameBytes
}

// Run reports each interval until ctx ends, and once more then.
func (r *Reporter) Run(ctx context.Context) error {
	if !r.o.Enabled() {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(r.o.Every)
	defer ticker.Stop()
	var checkers []string
	last := time.Now()
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-ticker.C:
		}
		var s sample
		now := time.Now()
		s, checkers = sampled(now.Sub(last), r.o.Engine.TakeResults(), r.o.Engine.Summary(now), checkers)
		last = now
		r.report(&s)
	}
	return r.close()
}

// Reloaded notes that the configuration was read again.
func (r *Reporter) Reloaded() { r.reloads.Add(1) }

// report sends and writes a sample.
func (r *Reporter) report(s *sample) {
	if r.o.Dir != "" {
		r.files.Note(writeFiles(r.o.Dir, s))
	}
	if r.client == nil {
		return
	}
	resident := int64(0)
	if r.o.Resident != nil {
		resident = r.o.Resident()
	}
	var errs []error
	if n := r.reloads.Swap(0); n > 0 {
		errs = append(errs, r.client.Inc("config_reload.count", n, 1))
	}
	for _, m := range s.metrics(resident) {
		if m.timing {
			errs = append(errs, r.client.Timing(m.name, m.value, 1))
		} else {
			errs = append(errs, r.client.Inc(m.name, m.value, 1))
		}
	}
	r.sent.Note(errors.Join(errs...))
}

// Prefix returns v1's prefix for the name of a host: its first two labels, the second first.
func Prefix(host string) string {
	const root = "com.jetpack.jetmon."
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return root + labels[0] + "."
	}
	return root + labels[1] + "." + labels[0] + "."
}
