package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// stopTime is how long running requests may continue after Run's context has ended.
const stopTime = 2 * time.Second

// Options configure a Demo.
type Options struct {
	// Sites and Inbox are the listeners of the demo sites and the inbox. A part whose
	// listener is nil is not served. Run closes them.
	Sites, Inbox net.Listener
	// Up and Down are how long the flapping site is up and down; 0 means 45 s.
	Up, Down time.Duration
	// Now is the sites' clock; nil means time.Now.
	Now func() time.Time
	Log *slog.Logger
}

// withDefaults returns o with a value for each field that has a default. NewSites has that
// of Now.
func (o Options) withDefaults() Options {
	o.Up = cmp.Or(o.Up, 45*time.Second)
	o.Down = cmp.Or(o.Down, 45*time.Second)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// Demo serves the demo sites and the inbox.
type Demo struct {
	o     Options
	sites *Sites
	inbox *Inbox
}

// New makes a demo.
func New(o Options) (*Demo, error) {
	o = o.withDefaults()
	if o.Up < 0 || o.Down < 0 {
		return nil, errors.New("demo: times up and down must be positive")
	}
	return &Demo{o: o, sites: NewSites(o.Up, o.Down, o.Now), inbox: NewInbox()}, nil
}

// Inbox returns the inbox, whether it is served or not.
func (d *Demo) Inbox() *Inbox { return d.inbox }

// Sites returns the demo sites, whether they are served or not.
func (d *Demo) Sites() *Sites { return d.sites }

// URLs returns the URLs of the demo sites: healthy, flapping, blocked; none when they are
// not served.
func (d *Demo) URLs() []string {
	if d.o.Sites == nil {
		return nil
	}
	var urls []string
	for _, p := range paths() {
		urls = append(urls, baseURL(d.o.Sites)+p)
	}
	return urls
}

// InboxURL returns the URL at which the inbox shows and accepts notifications; "" when it
// is not served.
func (d *Demo) InboxURL() string {
	if d.o.Inbox == nil {
		return ""
	}
	return baseURL(d.o.Inbox) + "/"
}

// baseURL returns a URL at which this machine reaches a listener.
func baseURL(l net.Listener) string {
	addr, ok := l.Addr().(*net.TCPAddr)
	if ok && addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", addr.Port)
	}
	return "http://" + l.Addr().String()
}

// Run serves until ctx ends and returns nil, or the error of a listener that failed.
func (d *Demo) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { <-ctx.Done(); return nil }) // Run lasts until ctx ends, even without listeners.
	if d.o.Sites != nil {
		group.Go(func() error { return d.serve(ctx, "sites", d.o.Sites, d.sites) })
	}
	if d.o.Inbox != nil {
		group.Go(func() error { return d.serve(ctx, "inbox", d.o.Inbox, d.inbox) })
	}
	return group.Wait()
}

func (d *Demo) serve(ctx context.Context, name string, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          d.errorLog(name),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if err := srv.Shutdown(bound); err != nil {
			srv.Close()
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-stopped
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve demo %s: %w", name, err)
	}
	return nil
}

func (d *Demo) errorLog(name string) *log.Logger {
	return slog.NewLogLogger(d.o.Log.With("demo", name).Handler(), slog.LevelDebug)
}
