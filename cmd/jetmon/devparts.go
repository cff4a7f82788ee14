package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/Automattic/jetmon/coordinator/store/sqlstore"
	"github.com/Automattic/jetmon/internal/demo"
)

func (d *development) openStore(ctx context.Context) (err error) {
	d.path = d.command.DB
	if d.path == "" {
		if d.temporary, err = os.MkdirTemp("", "jetmon-dev-"); err != nil {
			return fmt.Errorf("make a place for the database: %w", err)
		}
		d.path = filepath.Join(d.temporary, "jetmon.db")
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	d.store, err = sqlstore.Open(ctx, "sqlite:"+d.path, sqlstore.Options{LegacyWrites: true, Migrate: true, Log: d.process.log})
	if err != nil {
		return databaseError(err)
	}
	return nil
}

// openDemo returns the addresses of the demo's sites, which may be probed although
// they are on loopback.
func (d *development) openDemo() (sites []netip.AddrPort, err error) {
	o := demo.Options{Log: d.process.log}
	if d.command.Demo {
		if o.Sites, err = d.listen("demo", "127.0.0.1:0"); err != nil {
			return nil, err
		}
		sites = append(sites, o.Sites.Addr().(*net.TCPAddr).AddrPort())
	}
	if d.command.WPCOM == "" {
		if o.Inbox, err = d.listen("wpcom", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	d.demo, err = demo.New(o)
	return sites, err
}

func (d *development) listen(flag, addr string) (net.Listener, error) {
	l, err := listen(flag, addr)
	if err == nil {
		d.unused = append(d.unused, l)
	}
	return l, err
}
