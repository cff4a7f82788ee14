package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/fault"
)

// readyCommand is `jetmon ready`. Its flags have the variables of a role's flags, so that it
// asks the role that has the same environment.
type readyCommand struct {
	DebugListen   string        `placeholder:"HOST:PORT" help:"The role's --debug-listen."`
	MetricsListen string        `placeholder:"HOST:PORT" help:"The role's --metrics-listen, asked when there is no --debug-listen. A host that stands for every address is asked on loopback."`
	Timeout       time.Duration `default:"2s" help:"How long to wait for the answer."`
}

// maxReason bounds what is read of a role's answer.
const maxReason = 4 << 10

// Run asks the role once. A role that does not answer is not ready.
func (c *readyCommand) Run(ctx context.Context, p *program) error {
	addr, err := c.address()
	if err != nil {
		return err
	}
	if c.Timeout <= 0 {
		return usagef("--timeout: must be longer than 0")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return usageError{err}
	}
	transport := &http.Transport{DisableKeepAlives: true} // without a proxy: the role is here
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("nothing answers at %s: %w", addr, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReason))
	if err != nil {
		return fmt.Errorf("the answer of %s ends early: %w", addr, err)
	}
	said := fault.Clip(strings.TrimSpace(string(text)), maxReason)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready (%d): %s", response.StatusCode, said)
	}
	if said != "ok" { // as every role says
		return fmt.Errorf("another program answers at %s, no role of Jetmon", addr)
	}
	_, err = fmt.Fprintln(p.Out, said)
	return err
}

// address returns where the role answers, from here.
func (c *readyCommand) address() (string, error) {
	addr := cmp.Or(c.DebugListen, c.MetricsListen)
	if addr == "" {
		return "", usageError{errors.New("which role? give the --debug-listen or --metrics-listen that it was started with, or the variable of either")}
	}
	if err := checkAddr(addr, 1); err != nil {
		return "", usageError{err}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", usageError{err}
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.Is4() && ip.IsUnspecified() {
		host = "127.0.0.1"
	} else if err == nil && ip.IsUnspecified() {
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}
