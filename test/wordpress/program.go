package wordpress

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience limits each step: installing, starting, one call of PHP.
const patience = time.Minute

// guard is a shell script that runs a program and ends it when its input ends, however the
// test process ends.
const guard = `"$@" & pid=$!
read -r word
kill -TERM "$pid"; wait "$pid" 2>/dev/null
exit 0`

// program is a server under a guard.
type program struct {
	guard *exec.Cmd
	input io.WriteCloser
	out   string
}

// launch starts a server whose output goes to the file out, and waits until an address answers.
func launch(out string, env []string, awaited func() error, command ...string) (*program, error) {
	log, err := os.Create(out)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", guard, "sh"}, command...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A Ctrl-C at the terminal must reach only the tests.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &program{guard: cmd, out: out}
	if p.input, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	for deadline := time.Now().Add(patience / 4); ; time.Sleep(10 * time.Millisecond) {
		if err = awaited(); err == nil {
			return p, nil
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(out)
			return nil, errors.Join(fmt.Errorf("%s does not answer: %w: %s", command[0], err, said), p.stop())
		}
	}
}

// stop ends the server and waits for its end.
func (p *program) stop() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.input.Close(), p.guard.Wait())
}

// answers returns a function that tries to connect.
func answers(network, address string) func() error {
	return func() error {
		conn, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// find returns the newest program of a pattern in the directories of root's PATH.
func find(pattern string) (string, error) {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"} {
		if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is missing: make test-wordpress installs it", pattern)
}
