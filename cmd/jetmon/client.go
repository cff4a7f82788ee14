package main

import (
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// clientFlags select the coordinator that a command queries, and the format of its output.
type clientFlags struct {
	Coordinator string `default:"127.0.0.1:7800" help:"HOST:PORT of the coordinator."`
	JSON        bool   `name:"json" help:"Print the API's answer as JSON."`

	CoordinatorDial dialFlags `embed:"" prefix:"coordinator-"`
}

// ask connects to the coordinator and calls question with the connection.
func (f clientFlags) ask(p *program, question func(cli.Client) error) error {
	if err := checkAddr(f.Coordinator, 1); err != nil {
		return usagef("--coordinator: %w", err)
	}
	o, err := f.CoordinatorDial.options("coordinator")
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(f.Coordinator, o)
	if err != nil {
		return usagef("--coordinator %s: %w", f.Coordinator, err)
	}
	defer conn.Close()
	plain := o.TLS == nil && (o.Plaintext || rpc.CheckExposure(f.Coordinator, false) == nil)
	return mistake(question(cli.Client{Conn: conn, Address: f.Coordinator, Out: p.Out, JSON: f.JSON, Plain: plain}))
}

// mistake turns a fault of kind Invalid into a usage error.
func mistake(err error) error {
	if fault.Is(err, fault.Invalid) {
		return usageError{err}
	}
	return err
}
