package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// sampler calls a function ten times a second until end is called.
type sampler struct {
	quit, done chan struct{}
	result     uint64
	counts     []int
	from       [2]uint64
}

func sample(look func(*sampler)) *sampler {
	s := &sampler{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				look(s)
			case <-s.quit:
				return
			}
		}
	}()
	return s
}

func (s *sampler) end() uint64 {
	close(s.quit)
	<-s.done
	return s.result
}

// watchHeap finds the largest heap.
func watchHeap() *sampler {
	return sample(func(s *sampler) { s.result = max(s.result, heap()) })
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchCores counts the threads that run or wait to run on this machine.
func watchCores() *sampler {
	from := cores()
	s := sample(func(s *sampler) { s.counts = append(s.counts, cores().running) })
	s.from = [2]uint64{from.idle, from.all}
	return s
}

// busy describes the load of the cores since watchCores.
func (s *sampler) busy() string {
	s.end()
	now := cores()
	all := now.all - s.from[1]
	if all == 0 || len(s.counts) == 0 {
		return "not known"
	}
	slices.Sort(s.counts)
	at := func(share float64) int { return s.counts[int(share*float64(len(s.counts)-1))] }
	return fmt.Sprintf("%.0f %% busy, %d cores, threads that run or wait for one: p50 %d, p99 %d",
		100-100*float64(now.idle-s.from[0])/float64(all), runtime.NumCPU(), at(0.5), at(0.99))
}

// load is the machine's load from /proc/stat: times in ticks since its start.
type load struct {
	idle, all uint64
	running   int
}

func cores() (l load) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return l // not Linux
	}
	for line := range bytes.Lines(text) {
		var t [8]uint64
		if n, _ := fmt.Sscanf(string(line), "cpu %d %d %d %d %d %d %d %d", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]); n == len(t) {
			l.idle = t[3] + t[4]
			for _, v := range t {
				l.all += v
			}
		}
		_, _ = fmt.Sscanf(string(line), "procs_running %d", &l.running)
	}
	return l
}

// writeProfile writes a heap profile, unless path is empty.
func writeProfile(path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
