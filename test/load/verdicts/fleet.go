package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/coordinator/panel"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/veriflier"
)

const (
	verifliers = 6
	regions    = 3
	need       = 4
)

// fleet is a panel with its verifliers.
type fleet struct {
	panel   *panel.Panel
	answers chan engine.Answer
	end     context.CancelFunc
	group   *errgroup.Group
	servers []*http.Server
	sites   string

	mu sync.Mutex
	// probed holds when each site's probes ended, in their order.
	probed map[string][]time.Time
}

func open(anchored bool) (*fleet, error) {
	ctx, end := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	f := &fleet{answers: make(chan engine.Answer, 1024), end: end, group: group, probed: map[string][]time.Time{}}
	var err error
	if f.sites, err = f.serve(http.StatusServiceUnavailable); err != nil {
		return nil, errors.Join(err, f.close())
	}
	var anchors []string
	if anchored {
		anchor, err := f.serve(http.StatusOK)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		anchors = []string{anchor}
	}
	var members []panel.Member
	for i := range verifliers {
		m, err := f.join(ctx, i, anchors)
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		members = append(members, m)
	}
	f.panel, err = panel.New(panel.Options{
		Members: members, Client: rpc.ClientOptions{Network: rpc.TCP()}, Instance: "load", Log: slog.New(slog.DiscardHandler),
		Decided: func(a engine.Answer) { f.answers <- a },
		Looked:  func(engine.Look) {},
	})
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	group.Go(func() error { return f.panel.Run(ctx) })
	return f, nil
}

// serve answers every request with a status.
func (f *fleet) serve(status int) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }),
		ReadHeaderTimeout: 10 * time.Second,
	}
	f.servers = append(f.servers, s)
	f.group.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return "http://" + l.Addr().String() + "/", nil
}

// join starts one veriflier.
func (f *fleet) join(ctx context.Context, i int, anchors []string) (panel.Member, error) {
	m := panel.Member{Name: fmt.Sprint("v", i), Region: fmt.Sprint("r", i%regions)}
	prober, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		return m, err
	}
	monitor, err := selfcheck.New(selfcheck.Options{Prober: prober, Anchors: anchors})
	if err != nil {
		return m, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return m, err
	}
	m.Address = l.Addr().String()
	v, err := veriflier.New(veriflier.Options{
		Name: m.Name, Region: m.Region, Listeners: []net.Listener{l}, Prober: noted{prober, f}, SelfCheck: monitor,
	})
	if err != nil {
		return m, errors.Join(err, l.Close())
	}
	f.group.Go(func() error { return errors.Join(v.Run(ctx), prober.Close()) })
	return m, nil
}

// noted notes when the probes of a site end.
type noted struct {
	*probe.Prober
	f *fleet
}

// Probe probes.
func (n noted) Probe(ctx context.Context, t check.Target) check.Observation {
	o := n.Prober.Probe(ctx, t)
	n.f.mu.Lock()
	defer n.f.mu.Unlock()
	n.f.probed[t.URL] = append(n.f.probed[t.URL], time.Now())
	return o
}

func (f *fleet) ask(i int) {
	f.panel.Ask(engine.Question{
		Site: check.SiteID(i + 1), Ballot: 1, Round: 1,
		Target: check.Target{URL: fmt.Sprintf("%s?site=%d", f.sites, i), Timeout: check.VerifyTimeout},
	})
}

func (f *fleet) wait(within time.Duration) (engine.Answer, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case a := <-f.answers:
		return a, nil
	case <-timer.C:
		return engine.Answer{}, fmt.Errorf("no verdict within %s", within)
	}
}

// needed is when the probe ended that completed the votes that a verdict needs. All see
// the same, so that these are the first.
func (f *fleet) needed(a engine.Answer) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	ends := f.probed[a.Question.Target.URL]
	if len(ends) < need {
		return a.Decided
	}
	return ends[need-1]
}

func (f *fleet) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.probed)
}

func (f *fleet) close() error {
	f.end()
	for _, s := range f.servers {
		_ = s.Close()
	}
	return f.group.Wait()
}
