package watchdog

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/rules/alarm"
)

// desc describes jetmon_alarm; docs/operations.md documents it.
func desc() *prometheus.Desc {
	return prometheus.NewDesc("jetmon_alarm", "Alarms of this coordinator by kind, 0 when there is none.", []string{"kind"}, nil)
}

// Describe implements prometheus.Collector.
func (w *Watchdog) Describe(ch chan<- *prometheus.Desc) { ch <- desc() }

// Collect implements prometheus.Collector.
func (w *Watchdog) Collect(ch chan<- prometheus.Metric) {
	r := w.Report()
	count := map[alarm.Kind]int{alarm.KindInconclusive: r.Unlisted}
	for _, a := range r.Alarms {
		count[a.Kind]++
	}
	for _, k := range alarm.Kinds() {
		ch <- prometheus.MustNewConstMetric(desc(), prometheus.GaugeValue, float64(count[k]), k.String())
	}
}
