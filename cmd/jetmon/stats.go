package main

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/v1stats"
)

// statsFlags configure what watched v1.
type statsFlags struct {
	StatsD          string        `name:"statsd" placeholder:"HOST:PORT" help:"StatsD server for v1's metrics (v1: 127.0.0.1:8125); none by default."`
	StatsDPrefix    string        `name:"statsd-prefix" placeholder:"PREFIX" help:"Prefix of these metrics; by default v1's, made of the first two labels of the host name."`
	StatsDMemory    bool          `name:"statsd-memory" help:"Send the resident memory as well (STATSD_SEND_MEM_USAGE)."`
	StatsDir        string        `placeholder:"DIR" help:"Directory for v1's files sitespersec, sitesqueue and totals; none by default."`
	StatsInterval   time.Duration `default:"10s" help:"Time between two reports to StatsD and the files (STATS_UPDATE_INTERVAL_MS)."`
	StatusChangeLog string        `placeholder:"FILE" help:"File for a line in v1's form about each status change; none by default."`
}

// apply completes the options, whose Node and Verifliers must already be set. The caller
// closes the change log.
func (f statsFlags) apply(o *coordinator.Options) error {
	if f.StatsInterval < time.Second {
		return usagef("--stats-interval: must be at least 1s, is %s", f.StatsInterval)
	}
	o.Stats = v1stats.Options{StatsD: f.StatsD, Prefix: f.StatsDPrefix, Dir: f.StatsDir, Every: f.StatsInterval}
	if f.StatsDPrefix == "" {
		host, err := nodeName("")
		if err != nil {
			return err
		}
		o.Stats.Prefix = v1stats.Prefix(host)
	}
	if f.StatsDMemory {
		o.Stats.Resident = resident
	}
	if f.StatsDir != "" {
		if info, err := os.Stat(f.StatsDir); err != nil || !info.IsDir() {
			return usagef("--stats-dir: %s is no directory", f.StatsDir)
		}
	}
	return nil
}

// resident returns the resident bytes of this process, 0 where the system does not say.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}
