//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

// plan describes the measurement.
type plan struct {
	sites, checkers, inFlight, headers int
	rounds                             int
	length                             time.Duration
	only                               string
	cpuProfile, memProfile             string
}

func main() {
	var p plan
	flag.IntVar(&p.sites, "sites", 1_000_000, "number of sites on the schedule")
	flag.IntVar(&p.checkers, "checkers", 4, "number of checkers, each with its own stream")
	flag.IntVar(&p.inFlight, "in-flight", 5000, "in-flight limit of each checker")
	flag.IntVar(&p.headers, "headers", 2, "response headers in an observation, 0 to 4")
	flag.DurationVar(&p.length, "for", 10*time.Second, "length of each measurement")
	flag.IntVar(&p.rounds, "rounds", 3, "number of measurements of each, in turns")
	flag.StringVar(&p.only, "only", "", "measure one: engine, messages or bytes")
	flag.StringVar(&p.cpuProfile, "cpuprofile", "", "file for a CPU profile of the coordinator's side")
	flag.StringVar(&p.memProfile, "memprofile", "", "file for its allocations")
	address := flag.String("checkers-of", "", "internal: be the checkers of the coordinator at this address")
	flag.Parse()
	err := p.check()
	switch {
	case err != nil:
	case *address != "":
		err = beCheckers(p, *address)
	default:
		err = measureAll(p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "instant:", err)
		os.Exit(1)
	}
}

func (p plan) check() error {
	switch {
	case p.sites < 1 || p.sites > 20_000_000:
		return errors.New("-sites must be from 1 to 20000000")
	case p.checkers < 1 || p.checkers > 64:
		return errors.New("-checkers must be from 1 to 64")
	case p.inFlight < batchSize || p.inFlight > 1_000_000:
		return fmt.Errorf("-in-flight must be from %d to 1000000", batchSize)
	case p.headers < 0 || p.headers > len(headerFields):
		return fmt.Errorf("-headers must be from 0 to %d", len(headerFields))
	case p.rounds < 1 || p.rounds > 100:
		return errors.New("-rounds must be from 1 to 100")
	case p.length < time.Second || p.length > 10*time.Minute:
		return errors.New("-for must be from 1s to 10m")
	}
	return nil
}

// side holds the counters of one process since its start.
type side struct {
	Checks uint64
	CPU    time.Duration
}

func (s side) since(before side) side { return side{s.Checks - before.Checks, s.CPU - before.CPU} }

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// figures are the measurements of one way.
type figures struct {
	wall                  time.Duration
	coordinator, checkers side
	allocs, bytes         float64 // per check
}

func (f figures) rate() float64 { return float64(f.coordinator.Checks) / f.wall.Seconds() }

func (f figures) cost() time.Duration {
	return f.coordinator.CPU / time.Duration(max(1, f.coordinator.Checks))
}

// way is one way to serve checkers.
type way struct {
	name, title string
	serve       func(plan) (*served, error)
}

// served is a running server.
type served struct {
	address string
	checks  func() uint64 // number of check-ins since the start
	stop    func() error
}

func measureAll(p plan) error {
	fmt.Printf("%d checkers, %d checks each at once, batches of %d, %d headers; %d cores\n", p.checkers, p.inFlight, batchSize, p.headers, runtime.NumCPU())
	fmt.Printf("%-34s %10s %13s %13s %8s %8s %8s\n", "", "checks/s", "CPU ns/check", "checkers' ns", "allocs", "bytes", "ratio")
	all := map[string][]figures{}
	for range p.rounds {
		for _, w := range ways() {
			if p.only != "" && p.only != w.name {
				continue
			}
			f, err := measure(p, w)
			if err != nil {
				return err
			}
			all[w.name] = append(all[w.name], f)
			turn := len(all[w.name]) - 1
			print(w, f, ratio(all["engine"][min(turn, len(all["engine"])):], all[w.name][turn:]))
		}
	}
	if p.rounds > 1 {
		fmt.Println("medians; the ratio is the engine's cost to this one's, in turns side by side")
		for _, w := range ways() {
			if runs := all[w.name]; len(runs) > 0 {
				print(w, middle(runs), ratio(all["engine"], runs))
			}
		}
	}
	return nil
}

func ways() []way {
	return []way{
		{"engine", "engine behind the stream", serveEngine},
		{"messages", "bare stream of the same messages", serveMessages},
		{"bytes", "bare stream of the same bytes", serveBytes},
	}
}

func print(w way, f figures, ratio float64) {
	fmt.Printf("%-34s %10.0f %13d %13d %8.2f %8.0f %8.2f\n", w.title, f.rate(), f.cost().Nanoseconds(),
		int64(f.checkers.CPU)/int64(max(1, f.checkers.Checks)), f.allocs, f.bytes, ratio)
}

// middle returns the run with the median cost.
func middle(runs []figures) figures {
	sorted := slices.SortedFunc(slices.Values(runs), func(a, b figures) int { return cmp.Compare(a.cost(), b.cost()) })
	return sorted[len(sorted)/2]
}

// ratio returns the median of the ratios of cost, turn by turn; 0 when there is nothing to
// compare.
func ratio(engine, other []figures) float64 {
	var all []float64
	for i := range min(len(engine), len(other)) {
		all = append(all, float64(engine[i].cost())/float64(max(1, other[i].cost())))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// warmUp is how long everything runs before the measurement; measure then also waits until
// all sites have been checked once.
const warmUp = 3 * time.Second

func measure(p plan, w way) (f figures, err error) {
	s, err := w.serve(p)
	if err != nil {
		return f, err
	}
	defer func() {
		if e := s.stop(); err == nil {
			err = e
		}
	}()
	c, err := spawn(p, s.address)
	if err != nil {
		return f, err
	}
	defer c.stop()
	time.Sleep(warmUp)
	for s.checks() < uint64(p.sites) && w.name == "engine" {
		time.Sleep(100 * time.Millisecond)
	}
	stopProfile, err := p.profile()
	if err != nil {
		return f, err
	}
	defer stopProfile()
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	c0, err := c.mark()
	if err != nil {
		return f, err
	}
	begin, s0 := time.Now(), side{s.checks(), cpuTime()}
	time.Sleep(p.length)
	f.wall = time.Since(begin)
	f.coordinator = side{s.checks(), cpuTime()}.since(s0)
	c1, err := c.mark()
	if err != nil {
		return f, err
	}
	f.checkers = c1.since(c0)
	runtime.ReadMemStats(&m1)
	each := float64(max(1, f.coordinator.Checks))
	f.allocs, f.bytes = float64(m1.Mallocs-m0.Mallocs)/each, float64(m1.TotalAlloc-m0.TotalAlloc)/each
	return f, nil
}

// profile starts the requested profiles.
func (p plan) profile() (stop func(), err error) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	if p.cpuProfile != "" {
		out, err := os.Create(p.cpuProfile)
		if err != nil {
			return stop, fmt.Errorf("profile: %w", err)
		}
		if err := pprof.StartCPUProfile(out); err != nil {
			return stop, fmt.Errorf("profile: %w", err)
		}
		stops = append(stops, func() { pprof.StopCPUProfile(); _ = out.Close() })
	}
	if p.memProfile != "" {
		out, err := os.Create(p.memProfile)
		if err != nil {
			return stop, fmt.Errorf("profile: %w", err)
		}
		stops = append(stops, func() { _ = pprof.Lookup("allocs").WriteTo(out, 0); _ = out.Close() })
	}
	return stop, nil
}

// told answers a question about the checkers' counters.
func told(checks uint64) error {
	return json.NewEncoder(os.Stdout).Encode(side{checks, cpuTime()})
}
