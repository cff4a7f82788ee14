package sqlstore

import (
	"context"
	"errors"
	"log/slog"
)

// Standing is how one of several servers is.
type Standing struct {
	// Server is its address.
	Server   string
	Engine   Engine
	ReadOnly bool
	// Err is why no session with it can begin.
	Err error
}

// Survey asks each server of a DSN how it is, whichever of them would serve; none for a DSN of one
// server. The error is one of the DSN.
func Survey(ctx context.Context, dsn string) ([]Standing, error) {
	d, err := ParseDSN(dsn)
	if err != nil || len(d.hosts) < 2 {
		return nil, err
	}
	c, err := d.dialect.connectors(ctx, d, purpose{replicas: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	var all []Standing
	for _, h := range c.read.(*servers).all {
		one := Standing{Server: h.address}
		one.Engine, one.ReadOnly, one.Err = c.read.(*servers).survey(ctx, h)
		all = append(all, one)
	}
	return all, nil
}

// survey begins a session with a server, as others will be, and asks it what it is.
func (s *servers) survey(ctx context.Context, h *server) (Engine, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, hostPatience)
	defer cancel()
	conn, err := s.open(ctx, h)
	if err != nil {
		return Engine{}, false, err
	}
	g, err := ask(ctx, conn)
	return g.Engine, g.readOnly, errors.Join(err, conn.Close())
}
