package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
	"github.com/Automattic/jetmon/coordinator/rules/shard"
	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
)

// checkTimeout bounds each trial of --check-config.
const checkTimeout = 10 * time.Second

// findings are the lines of --check-config.
type findings struct {
	out    *tabwriter.Writer
	failed bool
}

// add adds a line: what was tried, and how it went.
func (f *findings) add(what, subject, good string, err error) {
	verdict, detail := "ok", good
	if err != nil {
		f.failed = true
		verdict, detail = "FAIL", inLine(err)
	}
	f.line(verdict, what, subject, detail)
}

// inLine is an error's text in one line.
func inLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func (f *findings) line(verdict, what, subject, detail string) {
	fmt.Fprintf(f.out, "%s\t%s\t%s\t%s\n", verdict, what, subject, detail)
}

// check tries everything that a coordinator with these settings needs.
func (c *coordinatorCommand) check(ctx context.Context, p *program) error {
	f := &findings{out: tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)}
	f.ignored(p)
	var o coordinator.Options
	for _, step := range c.steps(p) {
		if err := step(&o); err != nil {
			f.add("settings", c.Config, "", err)
		}
	}
	if !f.failed {
		f.add("settings", c.Config, "understood", nil)
		f.add("buckets", fmt.Sprintf("%d..%d", o.BucketMin, o.BucketMax),
			fmt.Sprintf("%d of %d shards", shard.Of(o.BucketMax)-shard.Of(o.BucketMin)+1, shard.Count), nil)
	}
	c.checkPanel(ctx, f, o)
	checkWordPress(ctx, f, o)
	c.checkDatabase(ctx, f, o)
	l, err := listen("listen", c.Listen)
	if err == nil {
		err = l.Close()
	}
	f.add("listen", c.Listen, "free", err)
	if err := f.out.Flush(); err != nil {
		return err
	}
	if f.failed {
		return exitCode(exitFailed)
	}
	return nil
}

// ignored tells what of v1's file has no effect; that is no failure.
func (f *findings) ignored(p *program) {
	if p.files.config == nil {
		return
	}
	for _, s := range p.files.config.Ignored("coordinator") {
		f.line("note", "key", s.Key.Name, s.Key.Here)
	}
}

func (c *coordinatorCommand) checkPanel(ctx context.Context, f *findings, o coordinator.Options) {
	if len(o.Verifliers) == 0 {
		f.add("verifliers", "-", "", errors.New("there is none: no outage could ever be confirmed"))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for _, st := range panel.Greet(ctx, o.Verifliers, o.VeriflierClient) {
		var err error
		if st.State != panel.OK {
			err = errors.New(st.Detail)
		}
		f.add("veriflier", st.Member.Name+" "+st.Member.Address, "answers under its name, accepts the token, is well", err)
	}
}

func (c *coordinatorCommand) checkDatabase(ctx context.Context, f *findings, o coordinator.Options) {
	dsn, err := c.dsn()
	if err != nil {
		f.add("database", "-", "", err)
		return
	}
	parsed, err := sqlstore.ParseDSN(dsn)
	if err != nil {
		f.add("database", "-", "", err)
		return
	}
	f.limits(c.needs(parsed, len(o.Verifliers)))
	f.servers(ctx, dsn, "read-only, and passed over as long as it is")
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	db, err := sqlstore.Open(ctx, dsn, sqlstore.Options{})
	if err != nil {
		f.add("database", parsed.String(), "", err)
		return
	}
	members, err := db.ListMembers(ctx, time.Now())
	err = errors.Join(err, db.Close())
	f.add("database", parsed.String(), fmt.Sprintf("%s, its schema is up to date, %d coordinators work on it", db.Engine(), len(members)), err)
	if replicas, err := c.replicas(); err != nil {
		f.add("replicas", "-", "", err)
	} else if replicas != "" {
		checkReplicas(ctx, f, replicas)
	}
}

// checkReplicas opens what --db-read names.
func checkReplicas(ctx context.Context, f *findings, dsn string) {
	parsed, err := sqlstore.ParseDSN(dsn)
	if err != nil {
		f.add("replicas", "-", "", err)
		return
	}
	f.servers(ctx, dsn, "read-only")
	db, err := sqlstore.Open(ctx, dsn, sqlstore.Options{Replica: true})
	if err != nil {
		f.add("replicas", parsed.String(), "", err)
		return
	}
	f.add("replicas", parsed.String(), fmt.Sprintf("%s, with our schema", db.Engine()), db.Close())
}

// servers tells how each of several servers is. One that is away is no failure, since the others
// stand in for it.
func (f *findings) servers(ctx context.Context, dsn, readOnly string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	all, err := sqlstore.Survey(ctx, dsn)
	if err != nil {
		return // the line of all of them tells it
	}
	for _, one := range all {
		switch {
		case one.Err != nil && sqlstore.IsAway(one.Err):
			f.line("note", "server", one.Server, "passed over: "+inLine(one.Err))
		case one.ReadOnly:
			f.line("ok", "server", one.Server, one.Engine.String()+", "+readOnly)
		default:
			f.add("server", one.Server, one.Engine.String(), one.Err)
		}
	}
}

// checkWordPress makes a TLS handshake with WordPress.com, and sends nothing.
func checkWordPress(ctx context.Context, f *findings, o coordinator.Options) {
	if o.Notify.Disabled {
		f.add("wordpress.com", "-", "nobody is notified (--no-notify)", nil)
		return
	}
	u, err := url.Parse(o.Notify.URL)
	if err != nil || u.Hostname() == "" {
		f.add("wordpress.com", "-", "", errors.New("--wpcom-url is no URL with a host"))
		return
	}
	subject := u.Scheme + "://" + u.Host
	if o.Notify.Token == "" {
		f.add("wordpress.com", subject, "", errors.New("there is no token: --wpcom-token-file, or AUTH_TOKEN of v1's config.json"))
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	good, err := shakeHands(ctx, u, o.Notify.TLS)
	f.add("wordpress.com", subject, good, err)
}

// refusedWithin is how long a server may take to refuse a client's certificate: in TLS 1.3
// it does so after the handshake.
const refusedWithin = time.Second

func shakeHands(ctx context.Context, u *url.URL, config *tls.Config) (good string, err error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	address := net.JoinHostPort(u.Hostname(), port)
	if u.Scheme == "http" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return "", err
		}
		return "reachable, without TLS", conn.Close()
	}
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(refusedWithin)); err != nil {
		return "", err
	}
	switch _, err := conn.Read(make([]byte, 1)); {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF):
	default:
		return "", fmt.Errorf("the server refuses the connection after the handshake: %w", err)
	}
	good = "TLS handshake done, no notification sent"
	if len(config.Certificates) > 0 {
		good += "; the client's certificate is valid until " + until(config.Certificates[0])
	}
	return good, expired(config)
}

func until(c tls.Certificate) string {
	if c.Leaf == nil {
		return "an unknown day"
	}
	return c.Leaf.NotAfter.UTC().Format(time.DateOnly)
}

// expired returns an error for a client's certificate whose days are over.
func expired(config *tls.Config) error {
	for _, c := range config.Certificates {
		if c.Leaf != nil && time.Now().After(c.Leaf.NotAfter) {
			return fmt.Errorf("the client's certificate expired on %s", until(c))
		}
	}
	return nil
}
