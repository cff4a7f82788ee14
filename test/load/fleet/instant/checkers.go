//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/Automattic/jetmon/gen/jetmon/coordinator/v1"
)

// child is the process of the checkers.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func spawn(p plan, address string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the program: %w", err)
	}
	c := &child{cmd: exec.Command(self, "-checkers-of="+address, "-checkers="+strconv.Itoa(p.checkers),
		"-in-flight="+strconv.Itoa(p.inFlight), "-headers="+strconv.Itoa(p.headers))}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("checkers: %w", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("checkers: %w", err)
	}
	c.out = json.NewDecoder(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the checkers: %w", err)
	}
	return c, nil
}

// mark returns the checkers' counters so far.
func (c *child) mark() (s side, err error) {
	if _, err := io.WriteString(c.in, "\n"); err != nil {
		return s, fmt.Errorf("ask the checkers: %w", err)
	}
	if err := c.out.Decode(&s); err != nil {
		return s, fmt.Errorf("hear from the checkers: %w", err)
	}
	return s, nil
}

// stop ends the checkers by closing their input.
func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// beCheckers runs the checkers until the input ends; each line of the input asks for their
// counters.
func beCheckers(p plan, address string) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	var checks atomic.Uint64
	for i := range p.checkers {
		group.Go(func() error { return instantChecker(ctx, conn, i, p, &checks) })
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := told(checks.Load()); err != nil {
			break
		}
	}
	cancel()
	err = group.Wait()
	_ = conn.Close()
	if errors.Is(err, context.Canceled) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// instantChecker runs one stream and answers every check at once.
func instantChecker(ctx context.Context, conn *grpc.ClientConn, i int, p plan, checks *atomic.Uint64) error {
	st, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true},
		coordinatorv1.AssignmentService_StreamAssignments_FullMethodName, grpc.ForceCodecV2(bytesCodec{}))
	if err != nil {
		return err
	}
	send := func(b []byte) error { return st.SendMsg(&b) }
	name := []byte("instant-" + strconv.Itoa(i))
	hello := number(number(text(text(nil, 1, name), 2, name), 4, uint64(p.inFlight)), 5, 1)
	beat := text(nil, requestHeartbeat, text(nil, 3, number(nil, 1, 1)))
	err = errors.Join(send(text(nil, requestHello, hello)), send(beat), send(text(nil, requestCredit, number(nil, 1, uint64(p.inFlight)))))
	if err != nil {
		return err
	}
	a := newAnswers(p.headers)
	owed := 0
	var message []byte
	for {
		if err := st.RecvMsg(&message); err != nil {
			if ctx.Err() != nil {
				return context.Canceled
			}
			return err
		}
		f, _, value, _, err := field(message)
		if err != nil {
			return err
		}
		if f != responseAssignments {
			continue
		}
		request, n, err := a.answer(value)
		if err != nil {
			return err
		}
		if owed += n; owed >= p.inFlight/8 {
			// These are two messages: the credit must come after the results.
			if err := send(request); err != nil {
				return err
			}
			request = text(nil, requestCredit, number(nil, 1, uint64(owed)))
			owed = 0
		}
		if err := send(request); err != nil {
			return err
		}
		checks.Add(uint64(n))
	}
}

// within waits up to d for done.
func within(d time.Duration, what string, done <-chan error) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("%s takes more than %s", what, d)
	}
}
