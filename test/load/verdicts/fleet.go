package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/engine"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	verifliers = 6
	regions    = 3
	need       = 4
)

// fleet is a panel with its verifliers, and sites that are down.
type fleet struct {
	panel   *panel.Panel
	answers chan engine.Answer
	voters  []voter
	sites   string
	stop    context.CancelFunc
	ran     chan error
	closers []io.Closer
}

// voter is a veriflier, in this process or in a separate one.
type voter interface {
	io.Closer
	address() string
	// report returns what it did since the last report.
	report() (report, error)
}

// report is a voter's report about itself.
type report struct {
	// Ends are the ends of its newest checks by site, in Unix nanoseconds.
	Ends []int64
	// Heap is the largest heap of its process, After the heap now; zero without a separate
	// process.
	Heap, After uint64
}

// open starts the sites, the verifliers and the panel.
func open(o options, anchored bool) (f *fleet, err error) {
	f = &fleet{answers: make(chan engine.Answer, 1024), ran: make(chan error, 1), stop: func() {}}
	defer func() {
		if err != nil {
			f.ran <- nil // there is no panel
			err = errors.Join(err, f.close())
		}
	}()
	web, err := o.start.web(o.delay)
	if err != nil {
		return f, err
	}
	f.closers = append(f.closers, web)
	f.sites = web.sites()
	var members []panel.Member
	for i := range verifliers {
		v := identity{Name: fmt.Sprint("v", i), Region: fmt.Sprint("r", i%regions)}
		if anchored {
			v.Anchors = []string{web.anchor()}
		}
		started, err := o.start.voter(v)
		if err != nil {
			return f, err
		}
		f.voters, f.closers = append(f.voters, started), append(f.closers, started)
		members = append(members, panel.Member{Name: v.Name, Region: v.Region, Address: started.address()})
	}
	f.panel, err = panel.New(panel.Options{
		Members: members, Client: rpc.ClientOptions{Network: rpc.TCP()}, Instance: "load", Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return f, err
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() { f.ran <- f.panel.Run(ctx, f) }()
	return f, nil
}

// Decided implements panel.Answers.
func (f *fleet) Decided(a engine.Answer) { f.answers <- a }

// Looked implements panel.Answers; nobody asks for a second look here.
func (f *fleet) Looked(engine.Look) {}

func (f *fleet) ask(site int) {
	f.panel.Ask(engine.Question{
		Site: check.SiteID(site + 1), Ballot: 1, Round: 1,
		Target: check.Target{URL: siteURL(f.sites, site), Timeout: check.VerifyTimeout},
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

// still stops the last n verifliers. From then on they report nothing.
func (f *fleet) still(n int) error {
	for range n {
		last := len(f.voters) - 1
		p, ok := f.voters[last].(*part)
		if !ok {
			return errors.New("only a separate process can be stopped")
		}
		if err := p.stop(); err != nil {
			return err
		}
		f.voters = f.voters[:last]
	}
	return nil
}

// reports collects the reports of the verifliers.
func (f *fleet) reports() ([]report, error) {
	var all []report
	for _, v := range f.voters {
		r, err := v.report()
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// needed returns the end of the check that completed the votes for a verdict. All
// verifliers see the same, so these are the first votes.
func needed(all []report, site int) time.Time {
	var ends []int64
	for _, r := range all {
		if site < len(r.Ends) && r.Ends[site] > 0 {
			ends = append(ends, r.Ends[site])
		}
	}
	slices.Sort(ends)
	if len(ends) < need {
		return time.Time{}
	}
	return time.Unix(0, ends[need-1])
}

// close ends everything, the panel first.
func (f *fleet) close() error {
	f.stop()
	err := <-f.ran
	for _, c := range slices.Backward(f.closers) {
		err = errors.Join(err, c.Close())
	}
	return err
}
