//go:build linux

package main

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

// The choices among the cores that this process may use.
const (
	firstCore = iota
	lastCore
)

type coreSet [16]uint64

func affinity(call uintptr, set *coreSet) error {
	_, _, errno := syscall.RawSyscall(call, 0, unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	if errno != 0 {
		return os.NewSyscallError("sched_affinity", errno)
	}
	return nil
}

// startOn starts a process on one core, which we do not use ourselves. A child inherits the
// cores of the thread that forks it.
func startOn(which int, c *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one coreSet
	if err := affinity(syscall.SYS_SCHED_GETAFFINITY, &all); err != nil {
		return err
	}
	for core := range 64 * len(all) {
		if all[core/64]>>(core%64)&1 == 0 {
			continue
		}
		one = coreSet{}
		one[core/64] = 1 << (core % 64)
		if which == firstCore {
			break
		}
	}
	if err := affinity(syscall.SYS_SCHED_SETAFFINITY, &one); err != nil {
		return err
	}
	defer func() { _ = affinity(syscall.SYS_SCHED_SETAFFINITY, &all) }()
	return c.Start()
}
