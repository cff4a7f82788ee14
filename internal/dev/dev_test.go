package dev

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/demo"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are those of a system on free ports that judges quickly, with the database at path.
func options(t *testing.T, path string) Options {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := OpenDatabase(t.Context(), path, log)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Database: db, Interval: time.Second, Recheck: 100 * time.Millisecond, AllowPrivate: true,
		Out: &terminal{}, Log: log, Metrics: prometheus.NewRegistry(),
	}
	for _, l := range []*net.Listener{&o.Gateway, &o.Coordinator, &o.Veriflier} {
		if *l, err = rpc.TCP().Listen("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// terminal keeps what is written to it.
type terminal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *terminal) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *terminal) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// seeded makes a system on the database at path, which it never runs, and returns the URLs
// that are in the database then.
func seeded(t *testing.T, path string, change func(*Options)) (*System, []string) {
	t.Helper()
	o := options(t, path)
	change(&o)
	d, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	sites, err := d.known(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, s := range sites {
		urls = append(urls, s.URL)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	return d, urls
}

func TestAKeptDatabaseGetsNoSiteTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "kept.db")
	given := func(o *Options) {
		o.Demo, o.Sites = true, []string{"http://site.example", "HTTP://site.example/"}
	}
	_, before := seeded(t, path, given)
	if len(before) != 4 || before[3] != "http://site.example/" {
		t.Fatalf("sites %v, want the demo's three and http://site.example/ once", before)
	}
	again, after := seeded(t, path, given)
	if want := append(again.demo.URLs(), "http://site.example/"); !slices.Equal(after, want) {
		t.Errorf("sites after a second start: %v, want %v, the demo's at their new place", after, want)
	}
	_, without := seeded(t, path, func(o *Options) { o.Sites = []string{"http://site.example/"} })
	if !slices.Equal(without, []string{"http://site.example/"}) {
		t.Errorf("sites without the demo: %v, want http://site.example/ only", without)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the database is not kept: %v", err)
	}
}

func TestSitesArePlacedWhereTheAPIPlacesThem(t *testing.T) {
	t.Parallel()
	o := options(t, "")
	o.Demo, o.Sites = true, []string{"http://site.example/", "http://site.example/x"}
	d, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	sites, err := d.known(t.Context())
	if err != nil || len(sites) != 5 {
		t.Fatalf("%d sites, %v; want the demo's three and two", len(sites), err)
	}
	for _, s := range sites {
		if want := shard.Place(s.BlogID, s.URL); s.Bucket != want {
			t.Errorf("%s of blog %d is in bucket %d, want %d", s.URL, s.BlogID, s.Bucket, want)
		}
	}
}

func TestASystemThatCannotBeMadeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	o := options(t, "")
	o.Demo, o.Sites = true, []string{"ftp://site.example/"}
	if _, err := New(t.Context(), o); err == nil {
		t.Fatal("a site that is no URL is watched")
	}
	if _, err := os.Stat(filepath.Dir(o.Database.path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary database is still there: %v", err)
	}
	for _, l := range []net.Listener{o.Gateway, o.Coordinator, o.Veriflier} {
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the listener at %s is open: %v", l.Addr(), err)
		}
	}
}

func TestADatabaseThatCannotBeOpenedIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := OpenDatabase(t.Context(), t.TempDir(), slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a directory was opened as a database")
	}
}

func TestTheSystemReportsToWhomItIsTold(t *testing.T) {
	t.Parallel()
	inbox := demo.NewInbox()
	wpcom := httptest.NewServer(inbox)
	t.Cleanup(wpcom.Close)
	site := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(site.Close)
	o := options(t, "")
	o.Sites, o.WPCOM = []string{site.URL}, wpcom.URL+"/jetmon/"
	d, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ran := make(chan error, 1)
	go func() { ran <- d.Run(ctx) }()
	waiting, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	err = inbox.Wait(waiting, func(list []demo.Received) bool { return len(list) == 1 })
	cancel()
	if err := errors.Join(err, <-ran, d.Close()); err != nil {
		t.Fatalf("%v; the terminal has:\n%s", err, o.Out)
	}
	// The ticker prints what happened before the end, too.
	out := o.Out.(*terminal).String()
	if !strings.Contains(out, "DOWN        "+site.URL+"/  (client: 404 Not Found, outage 1)\n") {
		t.Errorf("the terminal does not tell of the outage:\n%s", out)
	}
	if strings.Contains(out, "WPCOM inbox") || strings.Contains(out, "demo site") {
		t.Errorf("there is an inbox or a demo that nobody wanted:\n%s", out)
	}
}

func TestALineTellsWhenWhatWhereAndWhy(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 13, 12, 30, 0, 0, time.UTC)
	change := func(to check.Status, cause check.Observation) coordinator.StatusChange {
		return coordinator.StatusChange{URL: "http://a.example/", To: to, At: at, Start: at.Add(-90 * time.Second), Cause: cause, OutageID: 7}
	}
	down := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureServer, HTTPStatus: 502, Reason: "http_502"}
	dns := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureDNS, Reason: "no_such_host"}
	bare := change(check.StatusRunning, check.Observation{})
	bare.Start = time.Time{}
	inherited := bare
	inherited.OutageID = 0
	broken := check.Observation{Outcome: check.OutcomeDown, Failure: check.FailureContent, HTTPStatus: 200, Reason: "wordpress_fatal_error"}
	tests := []struct {
		name string
		c    coordinator.StatusChange
		want string
	}{
		{"down with an answer", change(check.StatusDown, down), "12:30:00  DOWN        http://a.example/  (server: 502 Bad Gateway, outage 7)"},
		{"down without one", change(check.StatusDown, dns), "12:30:00  DOWN        http://a.example/  (dns: no_such_host, outage 7)"},
		{"still down", change(check.StatusConfirmedDown, down), "12:30:00  STILL DOWN  http://a.example/  (server: 502 Bad Gateway, outage 7)"},
		{"back", change(check.StatusRunning, check.Observation{}), "12:30:00  UP          http://a.example/  (after 1m30s, outage 7)"},
		{"back from nobody knows when", bare, "12:30:00  UP          http://a.example/  (outage 7)"},
		{"back without an outage", inherited, "12:30:00  UP          http://a.example/"},
		{"down behind a good status", change(check.StatusDown, broken), "12:30:00  DOWN        http://a.example/  (content: wordpress_fatal_error, outage 7)"},
	}
	for _, tt := range tests {
		if got := changeLine(tt.c); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Whoever commits a change never waits for the terminal.
func TestATickerWhoseTerminalIsStuckDropsLines(t *testing.T) {
	t.Parallel()
	k := newTicker(&terminal{})
	for range tickerBuffer + 10 {
		k.changed(coordinator.StatusChange{URL: "http://a.example/", To: check.StatusDown})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(k.out.(*terminal).String(), "DOWN"); n != tickerBuffer {
		t.Errorf("%d lines, want %d", n, tickerBuffer)
	}
}
