//go:build linux

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/Automattic/jetmon/test/load/machine"
)

// bill is the CPU time that calls cost, in each process.
type bill struct {
	calls int
	cpu   [len(billed)]time.Duration
}

// billed names the processes.
var billed = [...]string{"this program", "gateway", "coordinator", "MariaDB"}

// cpu reads the CPU times of the processes, in the order of billed.
func (h *house) cpu() (out [len(billed)]time.Duration, err error) {
	for i, pid := range []int{os.Getpid(), h.gateway.PID(), h.coordinator.PID(), h.database} {
		if out[i], err = machine.CPUOf(pid); err != nil {
			return out, err
		}
	}
	return out, nil
}

func (b *bill) add(before, after [len(billed)]time.Duration, calls int) {
	b.calls += calls
	for i := range billed {
		b.cpu[i] += after[i] - before[i]
	}
}

func (b *bill) perCall() (out string) {
	for i, name := range billed {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%s %.0f", name, float64(b.cpu[i].Microseconds())/float64(max(b.calls, 1)))
	}
	return out
}
