package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/Automattic/jetmon/internal/restjson"
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
func (f clientFlags) show(p *program, answer proto.Message, words func(*page)) error {
	if f.JSON {
		return writeJSON(p.Out, answer)
	}
	return writePage(p.Out, words)
}

func writeJSON(w io.Writer, m proto.Message) error {
	text, err := restjson.Indented(m)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	_, err = w.Write(text)
	return err
}

// page is a text for people, in columns where a line has tabs.
type page struct{ w *tabwriter.Writer }

func writePage(w io.Writer, words func(*page)) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	words(&page{columns})
	return columns.Flush()
}

// line adds a line. What comes from sites and nodes cannot speak to the terminal.
func (p *page) line(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = strings.Map(printable, s)
		}
	}
	fmt.Fprintf(p.w, format+"\n", args...) // the error is Flush's
}

// word is the name of an enum's value without its prefix, in lower case.
func word(value fmt.Stringer, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(value.String(), prefix))
}

// moment is a time for people, "-" when there is none.
func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().UTC().Format("2006-01-02 15:04:05Z")
}
