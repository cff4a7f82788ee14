package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/rpc"
)

// askTimeout is how long one question to a coordinator may take.
const askTimeout = 10 * time.Second

// clientFlags say which coordinator a command asks, and how it prints the answer.
type clientFlags struct {
	Coordinator string `default:"127.0.0.1:7800" help:"HOST:PORT of the coordinator."`
	JSON        bool   `name:"json" help:"Print the answer as JSON, as the API has it."`

	CoordinatorDial dialFlags `embed:"" prefix:"coordinator-"`
}

// ask dials the coordinator and has question asked over the connection.
func (f clientFlags) ask(ctx context.Context, question func(context.Context, *grpc.ClientConn) error) error {
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
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return f.clear(question(ctx, conn))
}

// clear says in words what a coordinator refused: what was asked for wrongly is a
// mistake of the command line.
func (f clientFlags) clear(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	switch s.Code() {
	case codes.InvalidArgument:
		return usagef("%s", s.Message())
	case codes.NotFound, codes.FailedPrecondition:
		return fmt.Errorf("%s", s.Message())
	}
	return fmt.Errorf("the coordinator at %s: %s (%s)", f.Coordinator, s.Message(), s.Code())
}

// show prints an answer: as JSON if that is wanted, else in words.
func (f clientFlags) show(p *program, answer proto.Message, words func(io.Writer) error) error {
	if f.JSON {
		return format.JSON(p.Out, answer)
	}
	return words(p.Out)
}
