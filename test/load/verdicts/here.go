package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/internal/selfcheck"
	"github.com/Automattic/jetmon/veriflier"
)

// starter starts the parts of a fleet.
type starter interface {
	web(delay time.Duration) (web, error)
	voter(identity) (voter, error)
}

// identity is the configuration of a veriflier.
type identity struct {
	Name, Region string
	Anchors      []string
}

// web serves the sites, which are down, and the anchor.
type web interface {
	Close() error
	sites() string
	anchor() string
}

func siteURL(base string, site int) string { return fmt.Sprintf("%s?site=%d", base, site) }

// siteOf returns the site of a URL, or false for the anchor's.
func siteOf(text string) (int, bool) {
	u, err := url.Parse(text)
	if err != nil {
		return 0, false
	}
	site, err := strconv.Atoi(u.Query().Get("site"))
	return site, err == nil
}

// here starts everything in this process.
type here struct{}

func (here) web(delay time.Duration) (web, error) { return newPages(delay) }
func (here) voter(i identity) (voter, error)      { return newWitness(i) }

// pages are two servers: one answers that it is down, after a delay; the other one works.
type pages struct {
	servers []*http.Server
	urls    []string
	group   errgroup.Group
}

func newPages(delay time.Duration) (*pages, error) {
	p := &pages{}
	for _, handler := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(delay)
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		p.servers, p.urls = append(p.servers, s), append(p.urls, "http://"+l.Addr().String()+"/")
		p.group.Go(func() error {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	return p, nil
}

func (p *pages) sites() string  { return p.urls[0] }
func (p *pages) anchor() string { return p.urls[1] }

// Close ends the servers.
func (p *pages) Close() error {
	for _, s := range p.servers {
		_ = s.Close()
	}
	return p.group.Wait()
}

// witness is a veriflier that records when its checks end.
type witness struct {
	addr string
	stop context.CancelFunc
	ran  chan error

	mu   sync.Mutex
	ends []int64
}

func newWitness(i identity) (*witness, error) {
	prober, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		return nil, err
	}
	monitor, err := selfcheck.New(selfcheck.Options{Prober: prober, Anchors: i.Anchors})
	if err != nil {
		return nil, errors.Join(err, prober.Close())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, prober.Close())
	}
	w := &witness{addr: l.Addr().String(), ran: make(chan error, 1)}
	v, err := veriflier.New(veriflier.Options{
		Server: rpc.ServerOptions{Access: rpc.Open()},
		Name:   i.Name, Region: i.Region, Listeners: []net.Listener{l}, Prober: noted{prober, w}, SelfCheck: monitor,
	})
	if err != nil {
		return nil, errors.Join(err, l.Close(), prober.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	go func() { w.ran <- errors.Join(v.Run(ctx), prober.Close()) }()
	return w, nil
}

func (w *witness) address() string { return w.addr }

func (w *witness) report() (report, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := report{Ends: w.ends}
	w.ends = nil
	return r, nil
}

// Close ends the veriflier.
func (w *witness) Close() error {
	w.stop()
	return <-w.ran
}

// noted is a prober that records when the checks of a site end.
type noted struct {
	*probe.Prober
	w *witness
}

// Probe probes and records the end.
func (n noted) Probe(ctx context.Context, t check.Target) check.Observation {
	o := n.Prober.Probe(ctx, t)
	end := time.Now().UnixNano()
	if site, ok := siteOf(t.URL); ok {
		n.w.mu.Lock()
		defer n.w.mu.Unlock()
		for len(n.w.ends) <= site {
			n.w.ends = append(n.w.ends, 0)
		}
		n.w.ends[site] = end
	}
	return o
}
