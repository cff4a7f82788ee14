package notify

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
	"github.com/Automattic/jetmon/internal/obs"
)

// metrics counts what endpoints answer. Those named jetmon_notify are about WordPress.com alone.
type metrics struct {
	attempts, all *prometheus.CounterVec
	seconds       prometheus.Histogram
	delay         prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, status func() Status) (*metrics, error) {
	m := &metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetmon_notify_attempts_total",
			Help: "Attempts to deliver a notification to WordPress.com, by result: accepted, refused (answered, but not with success) or failed (no answer).",
		}, []string{"result"}),
		all: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jetmon_delivery_attempts_total",
			Help: "Attempts to tell a subscription, by its id (0 is WordPress.com) and result: accepted, failed (tried again), hopeless (will never be accepted) or refused (the endpoint refuses us).",
		}, []string{"subscription", "result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jetmon_notify_attempt_seconds",
			Help:    "Duration of an attempt to deliver a notification.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 13),
		}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jetmon_delivery_delay_seconds",
			Help:    "Time from an event to its acceptance by a subscription, of what was accepted at the first attempt and has no delay.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 16),
		}),
	}
	for _, r := range []string{resultAccepted, resultRefused, resultFailed} {
		m.attempts.WithLabelValues(r)
	}
	if reg == nil {
		return m, nil
	}
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(status()) })
	}
	for _, c := range []prometheus.Collector{
		m.attempts, m.all, m.seconds, m.delay, newEndpoints(status),
		gauge("jetmon_notify_pending", "Notifications that WordPress.com has not accepted yet.", func(s Status) float64 { return float64(s.Pending) }),
		gauge("jetmon_notify_untold_sites", "Sites whose recorded status WordPress.com does not know because delivery is switched off; 0 while it is on.",
			func(s Status) float64 { return float64(s.Untold) }),
		gauge("jetmon_notify_refused_seconds", "How long the notification that has failed longest has been failing; 0 when none fails.",
			func(s Status) float64 { return age(s.RefusedSince) }),
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// age returns the seconds since a time, 0 for the zero time.
func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, time.Since(since).Seconds())
}

// endpoints collects what is known of each endpoint.
type endpoints struct {
	status                        func() Status
	pending, dead, oldest, paused *prometheus.Desc
}

func newEndpoints(status func() Status) endpoints {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help+", by the subscription's id (0 is WordPress.com).", []string{"subscription"}, nil)
	}
	return endpoints{
		status:  status,
		pending: desc("jetmon_delivery_pending", "Deliveries that are still to be told, in the shards of this coordinator"),
		dead:    desc("jetmon_delivery_dead_letters", "Deliveries that were given up and are kept, in the shards of this coordinator"),
		oldest:  desc("jetmon_delivery_oldest_seconds", "Age of the oldest delivery that is still to be told, in all shards, 0 when there is none"),
		paused:  desc("jetmon_delivery_paused", "1 while the subscription is paused because its endpoint refuses us, else 0"),
	}
}

// Describe implements prometheus.Collector.
func (c endpoints) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.pending, c.dead, c.oldest, c.paused} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c endpoints) Collect(to chan<- prometheus.Metric) {
	for _, e := range c.status().Endpoints {
		paused := 0.0
		if !e.PausedSince.IsZero() {
			paused = 1
		}
		id := strconv.FormatInt(e.Subscription, 10)
		to <- prometheus.MustNewConstMetric(c.pending, prometheus.GaugeValue, float64(e.Pending), id)
		to <- prometheus.MustNewConstMetric(c.dead, prometheus.GaugeValue, float64(e.Dead), id)
		to <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, age(e.Oldest), id)
		to <- prometheus.MustNewConstMetric(c.paused, prometheus.GaugeValue, paused, id)
	}
}

// The results of an attempt at WordPress.com.
const (
	resultAccepted = "accepted"
	resultRefused  = "refused"
	resultFailed   = "failed"
)

// resultOf names what comes of an attempt.
func resultOf(v channel.Verdict) string {
	switch v {
	case channel.Accepted:
		return resultAccepted
	case channel.Hopeless:
		return "hopeless"
	case channel.Refused:
		return resultRefused
	}
	return resultFailed
}

func (m *metrics) attempt(ctx context.Context, s *subscription.Subscription, o outcome) {
	m.all.WithLabelValues(strconv.FormatInt(s.ID, 10), resultOf(o.answer.Verdict)).Inc()
	accepted := o.answer.Verdict == channel.Accepted
	if accepted && o.due.Attempts == 0 && !o.due.Delayed {
		m.delay.Observe(max(0, time.Since(o.due.Created).Seconds()))
	}
	if s.ID != subscription.WordPressCom {
		return
	}
	result := resultFailed
	switch {
	case accepted:
		result = resultAccepted
	case o.answer.HTTPStatus != 0:
		result = resultRefused
	}
	m.attempts.WithLabelValues(result).Inc()
	obs.Observe(ctx, m.seconds, o.result.Took.Seconds())
}
