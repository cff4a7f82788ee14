//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// plan is the work of a client process.
type plan struct {
	Client   string
	Kind     string // plain, names, tls or resumed
	Count    int    // checks to do, or to hold in flight
	InFlight int
	Hold     bool
	Burst    int // checks started every 5 ms, with Hold
	Flat     bool
	Profile  string // file for a CPU profile of the run
	Target   target
	serial   *atomic.Int64 // numbers the names that were asked for
}

// target holds the URLs of the sites.
type target struct {
	Plain, TLS, Slow, SlowTLS []string
	Root                      string
	// Names is the address of the name server.
	Names string
}

// figures are the measurements of a client process.
type figures struct {
	Checks, Failed int
	CPU, Wall      time.Duration
	Allocs, Bytes  float64 // per check
	RSS, GoMemory  float64 // KiB per check in flight
}

func (f figures) perCPUSecond() float64 { return float64(f.Checks) / f.CPU.Seconds() }

// amounts are the numbers of rounds and checks to measure.
type amounts struct {
	rounds, count, held, flat int
	// only selects the rows whose name, and the kinds of held checks, contain it.
	only string
}

func main() {
	role := flag.String("role", "", "internal: target or client")
	told := flag.String("plan", "", "internal: the client's plan")
	var amount amounts
	flag.IntVar(&amount.rounds, "rounds", 5, "number of measurements of each pair")
	flag.IntVar(&amount.count, "count", 10_000, "plain checks per round; TLS does a tenth")
	flag.IntVar(&amount.held, "hold", 5000, "checks in flight on slow targets; 0 skips that")
	flag.IntVar(&amount.flat, "flat", 50_000, "checks to do at the end, to show what they leave behind; 0 skips that")
	flag.StringVar(&amount.only, "only", "", "measure only the rows whose name contains this")
	profile := flag.String("profile", "", "instead of the table, write a CPU profile of -count checks to this file")
	kind := flag.String("kind", "plain", "kind of checks for -profile: plain, names, tls or resumed")
	client := flag.String("client", "probe", "client for -profile: probe, portable or net/http")
	flag.Parse()
	var err error
	switch *role {
	case "target":
		err = serveTargets(os.Stdin, os.Stdout)
	case "client":
		err = runClient(*told)
	default:
		err = measure(func(at target) error {
			if *profile != "" {
				f, err := spawn(plan{Client: *client, Kind: *kind, Count: amount.count, InFlight: 256, Profile: *profile, Target: at})
				fmt.Printf("%.1f us CPU, %.0f allocations, %.0f bytes a check\n", 1e6/f.perCPUSecond(), f.Allocs, f.Bytes)
				return err
			}
			return printTable(at, amount)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "checks:", err)
		os.Exit(1)
	}
}

// measure calls what while the target runs.
func measure(what func(target) error) error {
	at, stop, err := startTarget()
	if err != nil {
		return err
	}
	defer stop()
	return what(at)
}

// startTarget starts the target on the last core.
func startTarget() (at target, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return at, nil, fmt.Errorf("find the program: %w", err)
	}
	c := exec.Command(self, "-role=target")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return at, nil, fmt.Errorf("target: %w", err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return at, nil, fmt.Errorf("target: %w", err)
	}
	if err := startOn(lastCore, c); err != nil {
		return at, nil, fmt.Errorf("start the target: %w", err)
	}
	stop = func() {
		_ = in.Close() // makes the target end
		_ = c.Wait()
	}
	if err := json.NewDecoder(out).Decode(&at); err != nil {
		stop()
		return at, nil, fmt.Errorf("hear from the target: %w", err)
	}
	return at, stop, nil
}

// spawn runs one client on the first core.
func spawn(p plan) (figures, error) {
	var f figures
	self, err := os.Executable()
	if err != nil {
		return f, fmt.Errorf("find the program: %w", err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		return f, fmt.Errorf("encode the plan: %w", err)
	}
	c := exec.Command(self, "-role=client", "-plan="+string(text))
	c.Stderr = os.Stdout
	out, err := c.StdoutPipe()
	if err != nil {
		return f, fmt.Errorf("client: %w", err)
	}
	if err := startOn(firstCore, c); err != nil {
		return f, fmt.Errorf("start a client: %w", err)
	}
	decodeErr := json.NewDecoder(out).Decode(&f)
	if err := errors.Join(decodeErr, c.Wait()); err != nil {
		return f, fmt.Errorf("client %s, %s: %w", p.Client, p.Kind, err)
	}
	if f.Failed > 0 {
		return f, fmt.Errorf("client %s, %s: %d checks failed", p.Client, p.Kind, f.Failed)
	}
	return f, nil
}
