package docs

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inside is the variable that a test in a network of its own finds set, to the directory with
// the programs that were built for it.
const inside = "JETMON_DOCS_PROGRAMS"

// alone runs the calling test again in a network of its own, and says in which of the two runs
// it is: in the inner one it returns the directory with the programs.
func alone(t *testing.T) (programs string, isInside bool) {
	t.Helper()
	if dir := os.Getenv(inside); dir != "" {
		raiseLoopback(t)
		return dir, true
	}
	dir := build(t)
	run := func(flags uintptr) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL}
		if flags&unix.CLONE_NEWUSER != 0 {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
		return cmd.CombinedOutput()
	}
	out, err := run(unix.CLONE_NEWNET | unix.CLONE_NEWUSER)
	if errors.Is(err, os.ErrPermission) {
		out, err = run(unix.CLONE_NEWNET)
	}
	if errors.Is(err, os.ErrPermission) {
		t.Fatal("this test needs a network of its own: run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1)")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("in a network of its own:\n%s", out)
	return "", false
}

// raiseLoopback makes 127.0.0.1 and ::1 reachable in a new network.
func raiseLoopback(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	request := struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{name: [unix.IFNAMSIZ]byte{'l', 'o'}, flags: unix.IFF_UP | unix.IFF_RUNNING}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(errno)
	}
}
