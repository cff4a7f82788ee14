//go:build linux

package main

import (
	"context"
	"net"
	"net/http"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
	"github.com/Automattic/jetmon/test/load/machine"
)

// house is a coordinator and a gateway.
type house struct {
	coordinator, gateway *machine.Role
	conn                 *grpc.ClientConn
	sites                monitorv1.SiteServiceClient
	rest                 *http.Client
	base                 string
	database             int // the process id of MariaDB
}

func openHouse(ctx context.Context, program, dsn string) (h *house, err error) {
	h = &house{}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	h.coordinator, err = machine.Start(ctx, program, "coordinator", "--db="+dsn, "--node=api", "--listen=127.0.0.1:0", "--insecure",
		"--db-updates", "--no-notify", "--diagnose-metadata-url=none", "--veriflier=name=nobody,region=loopback,addr=127.0.0.1:1")
	if err != nil {
		return h, err
	}
	h.gateway, err = machine.Start(ctx, program, "gateway", "--coordinator="+h.coordinator.Address, "--listen=127.0.0.1:0", "--insecure")
	if err != nil {
		return h, err
	}
	if h.conn, err = rpc.Dial(h.coordinator.Address, rpc.ClientOptions{}); err != nil {
		return h, err
	}
	h.sites = monitorv1.NewSiteServiceClient(h.conn)
	h.base = "http://" + h.gateway.Address
	h.rest = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 64, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext,
	}}
	return h, nil
}

func (h *house) close() {
	if h.conn != nil {
		_ = h.conn.Close() // nothing is left to lose
	}
	for _, p := range []*machine.Role{h.gateway, h.coordinator} {
		if p != nil {
			p.Stop()
		}
	}
}
