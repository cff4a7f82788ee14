package watchdog

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/coordinator/edge/notify"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/edge/peers"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/rules/alarm"
	"github.com/Automattic/jetmon/coordinator/rules/coverage"
	"github.com/Automattic/jetmon/coordinator/rules/dispatch"
	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/committer"
	"github.com/Automattic/jetmon/internal/check"
)

// parts play the coordinator that is watched. It is healthy until a test changes that.
type parts struct {
	mu        sync.Mutex
	summary   engine.Summary
	written   committer.Status
	delivery  notify.Status
	members   []panel.MemberStatus
	held      shard.Held
	directory shard.Directory
	silent    []peers.Silence
	strays    record.Strays
	asking    time.Duration // how long peers take to answer
}

func (p *parts) get(f func()) { p.mu.Lock(); defer p.mu.Unlock(); f() }

type (
	engineOf    struct{ *parts }
	committerOf struct{ *parts }
	notifyOf    struct{ *parts }
	panelOf     struct{ *parts }
	peersOf     struct{ *parts }
	shardsOf    struct{ *parts }
	upkeepOf    struct{ *parts }
)

func (p engineOf) Summary(time.Time) (s engine.Summary) { p.get(func() { s = p.summary }); return s }
func (p committerOf) Status() (s committer.Status)      { p.get(func() { s = p.written }); return s }
func (p panelOf) Status() (s []panel.MemberStatus)      { p.get(func() { s = p.members }); return s }
func (p notifyOf) Status() (s notify.Status)            { p.get(func() { s = p.delivery }); return s }

func (p upkeepOf) Strays() (s record.Strays, since time.Time) {
	p.get(func() {
		if s = p.strays; s.Rows > 0 {
			since = time.Now()
		}
	})
	return s, since
}

func (p peersOf) Silent(ctx context.Context) (out []peers.Silence) {
	var wait time.Duration
	p.get(func() { out, wait = p.silent, p.asking })
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
	return out
}

func (p shardsOf) Held() (h shard.Held)                 { p.get(func() { h = p.held }); return h }
func (p shardsOf) Directory() (d shard.Directory)       { p.get(func() { d = p.directory }); return d }
func (shardsOf) Fence(shard.ID) (f shard.Fence, _ bool) { return f, false }
func (shardsOf) Refresh() <-chan struct{}               { return nil }

// well returns a coordinator with one checker, whose shards all have owners.
func well(now time.Time) *parts {
	p := &parts{}
	p.summary.Checkers = []engine.CheckerView{{Node: "c"}}
	p.summary.Coverage = coverage.Report{Known: true, Coverage: 1, Stretch: 1}
	p.directory = p.directory.Read(nil, nil, now)
	for i := range p.directory.Entries {
		p.directory.Entries[i].Orphaned = time.Time{}
	}
	return p
}

// causes lists, for each kind, a change that raises it.
func causes(p *parts, now time.Time) map[alarm.Kind]func() {
	view := &p.summary.Checkers[0]
	return map[alarm.Kind]func(){
		alarm.KindInconclusive: func() {
			p.summary.Undecided, p.summary.UndecidedCount = []engine.Undecided{{Site: 7, URL: "http://x/", Since: now}}, 1
		},
		alarm.KindReadersDisagree: func() {
			p.summary.Disagreements = []engine.Disagreement{{Site: 7, URL: "http://x/", Since: now, Veriflier: "eu1"}}
		},
		alarm.KindStore:        func() { p.written.FailingSince, p.written.Err = now, "away" },
		alarm.KindDelivery:     func() { p.delivery.RefusedSince = now },
		alarm.KindNoCheckers:   func() { p.summary.NoCheckersSince = now.Add(-time.Minute) },
		alarm.KindQuarantine:   func() { view.Quarantined = now },
		alarm.KindConnectivity: func() { view.UnwellSince = now },
		alarm.KindOverload:     func() { p.summary.Coverage.Stretch = 2 },
		alarm.KindUnowned:      func() { p.directory.Entries[3].Orphaned = now.Add(-time.Minute) },
		alarm.KindPeer:         func() { p.silent = []peers.Silence{{Peer: peers.Peer{Node: "b"}, Since: now}} },
		alarm.KindVeriflier: func() {
			p.members = []panel.MemberStatus{{Member: panel.Member{Name: "eu1"}, State: panel.Unfit, Since: now.Add(-time.Minute)}}
		},
		alarm.KindNameTaken: func() {
			view.Rival = dispatch.Rival{Hello: dispatch.Hello{Node: "c", Instance: "2"}, Since: now}
		},
	}
}

// metric returns the value of jetmon_alarm for one kind.
func metric(t *testing.T, r prometheus.Gatherer, kind alarm.Kind) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "jetmon_alarm" && m.GetLabel()[0].GetValue() == kind.String() {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no jetmon_alarm of kind %s", kind)
	return 0
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.Write(b) }
func (l *lines) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.buf.String() }

func TestEachAlarmIsLoggedAndCountedWithinTwoSecondsThoughNobodyAsks(t *testing.T) {
	t.Parallel()
	for _, kind := range alarm.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, registry, text := well(time.Now()), prometheus.NewRegistry(), &lines{}
				p.asking = time.Hour // a peer that hangs holds up nothing
				w, err := New(Options{
					Engine: engineOf{p}, Committer: committerOf{p}, Notify: notifyOf{p}, Panel: panelOf{p}, Shards: shardsOf{p}, Upkeep: upkeepOf{p},
					Peers: peersOf{p},
					Log:   slog.New(slog.NewTextHandler(text, nil)), Metrics: registry,
				}, time.Now().Add(-time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- w.Run(ctx) }()

				renew := func() { p.get(func() { p.directory.At = time.Now() }) } // as ownership does
				time.Sleep(10*time.Second + 300*time.Millisecond)
				renew()
				if got := text.String(); got != "" || metric(t, registry, kind) != 0 {
					t.Fatalf("before: %v, log %q", metric(t, registry, kind), got)
				}
				raise := causes(p, time.Now())[kind]
				if raise == nil {
					t.Fatal("nothing raises it here")
				}
				p.get(raise)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if n := metric(t, registry, kind); n != 1 {
					t.Errorf("after two seconds the metric is %v", n)
				}
				began := `level=WARN msg="alarm raised" kind=` + kind.String()
				if got := text.String(); strings.Count(got, began) != 1 {
					t.Errorf("after two seconds the log has %q", got)
				}
				time.Sleep(5 * time.Second)
				p.get(func() { // it is well again
					fresh := well(time.Now())
					p.summary, p.written, p.delivery, p.directory, p.silent = fresh.summary, fresh.written, fresh.delivery, fresh.directory, nil
					p.members = nil
				})
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if n := metric(t, registry, kind); n != 0 {
					t.Errorf("well again, the metric is %v", n)
				}
				over := `level=INFO msg="alarm ended" kind=` + kind.String()
				if got := text.String(); strings.Count(got, over) != 1 || strings.Count(got, began) != 1 || strings.Count(got, "\n") != 2 {
					t.Errorf("well again, the log has %q", got)
				}
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Verifliers that have lost the network with all checkers are no alarm, nor while they have not
// been asked again.
func TestVerifliersWithoutANetworkRaiseAnAlarmOnlyWhenCheckersHaveOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := well(time.Now())
		w, err := New(Options{
			Engine: engineOf{p}, Committer: committerOf{p}, Notify: notifyOf{p}, Panel: panelOf{p}, Shards: shardsOf{p}, Upkeep: upkeepOf{p},
			Peers: peersOf{p}, Log: slog.New(slog.DiscardHandler),
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		kinds := func(after time.Duration) (kinds []alarm.Kind) {
			time.Sleep(after)
			w.look(t.Context())
			for _, a := range w.Report().Alarms {
				kinds = append(kinds, a.Kind)
			}
			return kinds
		}
		p.get(func() {
			p.summary.Checkers[0].UnwellSince = time.Now()
			p.members = []panel.MemberStatus{
				{Member: panel.Member{Name: "eu1"}, State: panel.Unfit, Since: time.Now(), Offline: true},
				{Member: panel.Member{Name: "us1"}, State: panel.Unfit, Since: time.Now(), Offline: true},
			}
		})
		if got := kinds(time.Minute); !slices.Equal(got, []alarm.Kind{alarm.KindConnectivity}) {
			t.Errorf("without a network: %v", got)
		}
		p.get(func() { p.summary.Checkers[0].UnwellSince = time.Time{} })
		if got := kinds(14 * time.Second); len(got) != 0 {
			t.Errorf("soon after: %v", got)
		}
		if got := kinds(2 * time.Second); !slices.Equal(got, []alarm.Kind{alarm.KindVeriflier, alarm.KindVeriflier}) {
			t.Errorf("later: %v", got)
		}
	})
}

func TestOfManySuspectsTheLogHasOneLineAndTheMetricTheirNumber(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, registry, text := well(time.Now()), prometheus.NewRegistry(), &lines{}
		w, err := New(Options{
			Engine: engineOf{p}, Committer: committerOf{p}, Notify: notifyOf{p}, Panel: panelOf{p}, Shards: shardsOf{p}, Upkeep: upkeepOf{p},
			Peers: peersOf{p},
			Log:   slog.New(slog.NewTextHandler(text, nil)), Metrics: registry,
		}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= 100; n++ {
			p.get(func() {
				p.summary.Undecided = append(p.summary.Undecided, engine.Undecided{Site: check.SiteID(n), Since: time.Now()})
				p.summary.UndecidedCount = 40 * n
			})
			w.look(t.Context())
		}
		if n := metric(t, registry, alarm.KindInconclusive); n != 4000 {
			t.Errorf("the metric is %v", n)
		}
		if got := text.String(); strings.Count(got, "\n") != 1 {
			t.Errorf("the log has %q", got)
		}
		if r := w.Report(); len(r.Alarms) != 100 || r.Unlisted != 3900 {
			t.Errorf("%d alarms, and %d more", len(r.Alarms), r.Unlisted)
		}
	})
}
