package main

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/address"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/lookup"
	"github.com/Automattic/jetmon/internal/obs"
	"github.com/Automattic/jetmon/internal/probe"
	"github.com/Automattic/jetmon/internal/selfcheck"
)

// anchorEvery is how often a node probes its own anchors.
const anchorEvery = 10 * time.Second

// nodeFlags configure the process of a node that probes: checker or veriflier.
type nodeFlags struct {
	engineFlags  `embed:""`
	Anchor       []string `sep:"none" placeholder:"URL" help:"Site that always works (repeatable; preferably several hosts, one by name, one by IPv4 and one by IPv6 address). While no anchor answers, or no name resolves, this node's failures count as unknown."`
	processFlags `embed:""`
}

// node is a process with its check engine and self-check. Its prober must be closed.
type node struct {
	*process
	name    string
	prober  *probe.Prober
	monitor *selfcheck.Monitor
	// addresses are the special addresses that prober visits.
	addresses address.Options
}

// open makes the node. An empty name stands for the host name.
func (f nodeFlags) open(name string, p *program) (*node, error) {
	name, err := nodeName(name)
	if err != nil {
		return nil, err
	}
	n := &node{name: name}
	if n.process, err = f.processFlags.open(p); err != nil {
		return nil, err
	}
	if err := checkAnchors(f.Anchor); err != nil {
		return nil, err
	}
	options, err := f.engineFlags.options()
	if err != nil {
		return nil, err
	}
	options.Log, n.addresses = n.log, options.Addresses()
	if n.prober, err = newProber(options); err != nil {
		return nil, err
	}
	countLookups(n.metrics, n.prober)
	n.monitor, err = selfcheck.New(selfcheck.Options{Prober: n.prober, Anchors: f.Anchor, Every: anchorEvery, Log: n.log})
	if err != nil {
		return nil, usageError{err}
	}
	return n, nil
}

// countLookups makes a metric of each of the prober's counts.
func countLookups(r prometheus.Registerer, p *probe.Prober) {
	for _, m := range []struct {
		name, help string
		value      func(lookup.Counts) int64
	}{
		{"jetmon_dns_questions_total", "Packets that asked name servers, with repetitions.",
			func(c lookup.Counts) int64 { return c.Questions }},
		{"jetmon_dns_over_tcp_total", "Questions that were repeated over TCP because the answer did not fit into a datagram.",
			func(c lookup.Counts) int64 { return c.OverTCP }},
		{"jetmon_dns_passed_over_total", "Packets that answered no open question to a name server: late, forged or garbled.",
			func(c lookup.Counts) int64 { return c.PassedOver }},
	} {
		obs.Register(r, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: m.name, Help: m.help},
			func() float64 { return float64(m.value(p.Lookups())) }))
	}
}

func checkAnchors(urls []string) error {
	for _, url := range urls {
		if _, err := check.ParseURL(url); err != nil {
			return usagef("--anchor %s: %w", url, err)
		}
	}
	if len(urls) > selfcheck.MaxAnchors {
		return usagef("--anchor: at most %d, not %d", selfcheck.MaxAnchors, len(urls))
	}
	return nil
}

// nodeName returns the given name, or the host name if there is none.
func nodeName(given string) (string, error) {
	host, err := os.Hostname()
	if given == "" && err != nil {
		return "", fmt.Errorf("name of this host: %w", err)
	}
	return cmp.Or(given, host), nil
}
