// Package watchdog watches the coordinator itself. Once a second, whether or not there is a
// request, it gathers the reports of the parts and evaluates them by coordinator/rules/alarm.
// It logs the alarms that began and ended, and keeps the present ones for the API and the
// metric jetmon_alarm.
//
// It decides nothing: coordinator/rules/alarm has the thresholds and the words. It does not
// change the parts that it watches.
//
// Goroutines: Run's caller; and while it asks the peers, one for each of at most 16 at a
// time, all of which end within askTimeout.
package watchdog

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/alarm"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/internal/pause"
)

const (
	// every is the time between two looks.
	every = time.Second
	// askTimeout bounds the answers of the peers; together with every it keeps an alarm
	// within two seconds of its cause.
	askTimeout = 800 * time.Millisecond
	// directoryAge bounds the age of a directory that unowned trusts.
	directoryAge = 10 * time.Second
)

// Options for New. All but Metrics are required.
type Options struct {
	Engine interface {
		Summary(time.Time) engine.Summary
	}
	Committer interface{ Status() committer.Status }
	Notify    interface{ Status() notify.Status }
	Panel     interface{ Status() []panel.MemberStatus }
	Shards    shard.Holder
	Upkeep    interface {
		Strays() (record.Strays, time.Time)
	}
	Peers interface {
		Silent(context.Context) []peers.Silence
	}
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Watchdog holds the present alarms. New makes one.
type Watchdog struct {
	o       Options
	started time.Time

	// book belongs to Run's caller.
	book alarm.Book
	// sitesSince belongs to Run's caller too: when the first of the present alarms about
	// single sites began, by kind.
	sitesSince map[alarm.Kind]time.Time
	// cutOff too: when it last was so that no checker reached its anchors.
	cutOff time.Time

	mu  sync.Mutex
	now Report
}

// Report holds the findings of one moment.
type Report struct {
	// Alarms are in the order of alarm.Evaluate.
	Alarms []alarm.Alarm
	// Unlisted counts the undecided suspects that have no alarm of their own.
	Unlisted int
}

// New makes a watchdog without findings for a coordinator that starts now.
func New(o Options, now time.Time) (*Watchdog, error) {
	w := &Watchdog{o: o, started: now, sitesSince: make(map[alarm.Kind]time.Time)}
	if o.Metrics == nil {
		return w, nil
	}
	return w, o.Metrics.Register(w)
}

// Run looks every second until ctx ends.
func (w *Watchdog) Run(ctx context.Context) error {
	for next := time.Now(); pause.Until(ctx, next); {
		w.look(ctx)
		next = next.Add(every)
		if now := time.Now(); next.Before(now) {
			next = now.Add(every) // the process was suspended: missed looks are not made up for
		}
	}
	return nil
}

// Report returns the findings of the last look.
func (w *Watchdog) Report() Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Report{Alarms: slices.Clone(w.now.Alarms), Unlisted: w.now.Unlisted}
}

// look gathers the facts once, evaluates them and logs the edges.
func (w *Watchdog) look(ctx context.Context) {
	silent := w.silent(ctx)
	if ctx.Err() != nil {
		return // a question cut off by our own end tells nothing about a peer
	}
	now := time.Now()
	facts := w.facts(now)
	facts.Peers = silent
	conditions := alarm.Evaluate(facts, now)
	alarms, edges := w.book.Note(now, conditions)
	w.mu.Lock()
	w.now = Report{Alarms: alarms, Unlisted: alarm.Unlisted(facts)}
	w.mu.Unlock()
	w.log(now, edges, alarms)
}

// log logs the edges. There may be many suspects, and the engine logs each, so log reports
// only when the first of their alarms of a kind begins and when the last one ends.
func (w *Watchdog) log(now time.Time, edges alarm.Edges, present []alarm.Alarm) {
	sites := make(map[alarm.Kind]int)
	for _, a := range present {
		if a.Site != 0 {
			sites[a.Kind]++
		}
	}
	for _, k := range alarm.Kinds() {
		since, before := w.sitesSince[k]
		switch n := sites[k]; {
		case n > 0 && !before:
			w.sitesSince[k] = now
			w.o.Log.Warn("alarm raised", "kind", k.String(), "sites", n)
		case n == 0 && before:
			delete(w.sitesSince, k)
			w.o.Log.Info("alarm ended", "kind", k.String(), "after", now.Sub(since).Round(time.Second))
		}
	}
	for _, a := range edges.Began {
		if a.Site == 0 {
			w.o.Log.Warn("alarm raised", "kind", a.Kind.String(), "subject", a.Subject, "message", a.Message)
		}
	}
	for _, a := range edges.Ended {
		if a.Site == 0 {
			w.o.Log.Info("alarm ended", "kind", a.Kind.String(), "subject", a.Subject, "after", now.Sub(a.Raised).Round(time.Second))
		}
	}
}
