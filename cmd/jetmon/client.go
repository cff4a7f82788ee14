package main

import (
	"github.com/Automattic/jetmon/internal/cli"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// clientFlags select the coordinator that a command asks, and the form of its output.
type clientFlags struct {
	serverFlags `embed:""`
	outputFlags `embed:""`
}

// serverFlags select the coordinator that a command asks.
type serverFlags struct {
	Server  string `aliases:"coordinator" default:"127.0.0.1:7800" placeholder:"HOST:PORT" help:"HOST:PORT of the coordinator. Also: --coordinator."`
	Context string `placeholder:"NAME" help:"Ask the coordinator of this context: see jetmon context. Without it the context in use, unless --server names a coordinator."`

	CoordinatorDial dialFlags `embed:"" prefix:"coordinator-"`
}

// outputFlags select the form of the output.
type outputFlags struct {
	Output string `short:"o" enum:"table,json,ndjson" default:"table" help:"Form of the output: table for people, json as the REST API answers, ndjson for a line of JSON a row."`
	JSON   bool   `name:"json" help:"The same as --output=json."`
}

// form returns the form of the output.
func (f outputFlags) form() cli.Output {
	if f.JSON && f.Output == string(cli.Text) {
		return cli.JSON
	}
	return cli.Output(f.Output)
}

// client returns a client without a connection.
func (f outputFlags) client(p *program) cli.Client {
	return cli.Client{Out: p.Out, Err: p.Err, Output: f.form(), Width: terminalWidth(p.Out)}
}

// ask connects to the coordinator and calls question with the connection.
func (f clientFlags) ask(p *program, question func(cli.Client) error) error {
	return f.connect(f.client(p), question)
}

// connect connects the client to the coordinator and calls question with it.
func (f serverFlags) connect(client cli.Client, question func(cli.Client) error) error {
	if err := checkAddr(f.Server, 1); err != nil {
		return usagef("--server: %w", err)
	}
	o, err := f.CoordinatorDial.options("coordinator")
	if err != nil {
		return err
	}
	conn, err := rpc.Dial(f.Server, o)
	if err != nil {
		return usagef("--server %s: %w", f.Server, err)
	}
	defer conn.Close()
	client.Conn, client.Address = conn, f.Server
	client.Plain = o.TLS == nil && (o.Plaintext || rpc.CheckExposure(f.Server, false) == nil)
	return mistake(question(client))
}

// mistake turns a fault of kind Invalid into a usage error.
func mistake(err error) error {
	if fault.Is(err, fault.Invalid) {
		return usageError{err}
	}
	return err
}
