//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// The clients.
const (
	ours     = "probe"
	portable = "portable"
	netHTTP  = "net/http"
	// tunedHTTP offers no post-quantum curves, and p256HTTP no X25519 either: it fails where a
	// server knows nothing else, but P-256 costs less.
	tunedHTTP = "net/http, tuned"
	p256HTTP  = "net/http, P-256"
	bare      = "bare"
)

// The kinds of checks.
const (
	plain      = "plain"
	named      = "names" // plain, each check under a new name
	full       = "tls"
	resumed    = "resumed"
	mix        = "mix" // no session resumed
	mixResumed = "mix, resumed"
	circle     = "circle" // many TLS sites in a circle
)

// plan is the work of a client process.
type plan struct {
	Client   string
	Kind     string
	Count    int // checks to do, or to hold in flight
	InFlight int
	Hold     bool
	Burst    int // checks started every 5 ms, with Hold
	Flat     bool
	Quick    bool // without the sites of the mix that fail
	Timeout  time.Duration
	CacheMiB int    // for sessions, 0 for the default
	GC       int    // the client's GOGC, 0 for the default of its kind
	Profile  string // file for a CPU profile of the run; one of allocations is put beside it
	Target   target
}

func (p plan) isMix() bool     { return p.Kind == mix || p.Kind == mixResumed }
func (p plan) usesNames() bool { return p.isMix() || p.Kind == named || p.Kind == circle }
func (p plan) resumes() bool   { return p.Kind == resumed || p.Kind == mixResumed || p.Kind == circle }

// target holds the URLs of the sites.
type target struct {
	Plain, TLS, Slow, SlowTLS []string
	Root                      string
	// Sites is the number of sites in the mix, and Names the name server's address.
	Sites int
	Mix   mixPorts
	Names string
}

// figures are the measurements of a client process.
type figures struct {
	Checks, Failed int
	CPU, Wall      time.Duration
	Collector      time.Duration // the part of CPU that collections took
	Allocs, Bytes  float64       // per check
	RSS, GoMemory  float64       // KiB per check in flight
	Live           float64       // bytes of the heap in use before the measurement
	// Handshakes are the mix's, and Resumed those that resumed a session.
	Handshakes, Resumed int
}

func (f figures) perCPUSecond() float64 { return float64(f.Checks) / f.CPU.Seconds() }

// amounts are the numbers of rounds, checks and sites to measure.
type amounts struct {
	rounds, count, held, flat, mix, mixInFlight, circle, gc int
	// only selects the pairs whose name, and the other measurements whose kind, contain it.
	only       string
	mixTimeout time.Duration
	together   bool
}

// plan returns the plan of checks of one kind, without their number.
func (a amounts) plan(client, kind string, at target) plan {
	p := plan{Client: client, Kind: kind, InFlight: pureInFlight, Timeout: timeout, GC: a.gc, Target: at}
	if p.isMix() {
		p.Count, p.InFlight, p.Timeout = at.Sites, a.mixInFlight, a.mixTimeout
	}
	return p
}

func main() {
	role := flag.String("role", "", "internal: target or client")
	told := flag.String("plan", "", "internal: the client's plan")
	var amount amounts
	flag.IntVar(&amount.rounds, "rounds", 5, "number of measurements of each pair")
	flag.IntVar(&amount.count, "count", 10_000, "plain checks per round; TLS does a tenth; 0 skips both")
	flag.StringVar(&amount.only, "only", "", "measure only the pairs whose name contains this, and of the rest only what is of such a kind: mix, circle")
	flag.IntVar(&amount.mix, "mix", 6000, "sites of the mix, each checked once per round; 0 skips it")
	flag.IntVar(&amount.mixInFlight, "mix-in-flight", 1000, "checks of the mix in flight; its sites take 0.4 s on average")
	flag.BoolVar(&amount.together, "together", false, "the mix's clients share the core at the same time, so that a busy neighbour costs all of them the same")
	flag.DurationVar(&amount.mixTimeout, "mix-timeout", 8*time.Second, "timeout of the mix's checks, some of whose sites never answer")
	flag.IntVar(&amount.circle, "circle", 60_000, "TLS sites to visit in a circle, to count the sessions that are kept; 0 skips that")
	flag.IntVar(&amount.held, "hold", 5000, "checks in flight on slow targets; 0 skips that")
	flag.IntVar(&amount.flat, "flat", 50_000, "checks to do at the end, to show what they leave behind; 0 skips that")
	flag.IntVar(&amount.gc, "gc", 0, "GOGC of all clients; 0 is a checker's for ours and Go's own for others")
	profile := flag.String("profile", "", "instead of the table, write a CPU profile of -count checks to this file, and one of allocations beside it")
	kind := flag.String("kind", plain, "kind of checks for -profile: plain, names, tls, resumed, mix, or mix, resumed")
	client := flag.String("client", ours, "client for -profile: probe, portable, net/http, net/http, tuned, or net/http, P-256")
	flag.Parse()
	var err error
	switch *role {
	case "target":
		err = serveTargets(os.Stdin, os.Stdout, amount.mix)
	case "client":
		err = runClient(*told)
	default:
		err = measure(amount.mix, func(at target) error {
			if *profile != "" {
				return amount.profile(amount.plan(*client, *kind, at), *profile)
			}
			return printTable(at, amount)
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "checks:", err)
		os.Exit(1)
	}
}

// profile runs one client with its profile in a file.
func (a amounts) profile(p plan, file string) error {
	if p.Profile = file; p.Count == 0 {
		p.Count = a.count
	}
	f, err := spawn(p)
	fmt.Printf("%.1f us CPU, %.0f allocations, %.0f bytes a check, %d of %d handshakes resumed, %.1f %% for collections\n",
		1e6/f.perCPUSecond(), f.Allocs, f.Bytes, f.Resumed, f.Handshakes, 100*f.Collector.Seconds()/f.CPU.Seconds())
	return err
}

// measure calls what while the target runs, whose mix has this many sites.
func measure(sites int, what func(target) error) error {
	at, stop, err := startTarget(sites)
	if err != nil {
		return err
	}
	defer stop()
	return what(at)
}

// startTarget starts the target on the last core.
func startTarget(sites int) (at target, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return at, nil, fmt.Errorf("find the program: %w", err)
	}
	c := exec.Command(self, "-role=target", "-mix="+strconv.Itoa(sites))
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
	if float64(f.Failed) > p.tolerance()*float64(f.Checks) {
		return f, fmt.Errorf("client %s, %s: %d checks had a wrong result", p.Client, p.Kind, f.Failed)
	}
	return f, nil
}

// tolerance is the share of checks whose result may be wrong. The sites of the mix answer
// late when a neighbour takes the machine; nothing else may fail.
func (p plan) tolerance() float64 {
	if p.isMix() {
		return 0.02
	}
	return 0
}
