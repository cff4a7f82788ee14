package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal of so many columns. What is written to keys was typed.
type terminal struct {
	keys   *os.File
	screen *output
	slave  *os.File
}

func newTerminal(t *testing.T, columns uint16) *terminal {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("this machine has no pseudo-terminals: %v", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "ptmx")
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{keys: master, screen: newOutput(), slave: slave}
	read := make(chan struct{})
	go func() { // ends when the last of the slave's users has closed it
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			_, _ = term.screen.Write(b[:n]) // never fails
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { slave.Close(); <-read; master.Close() })
	return term
}

// at is a process that has a terminal.
type at struct {
	*exec.Cmd
	term *terminal
}

// run starts this test binary as the program. change may redirect its streams, which are the
// terminal otherwise.
func (term *terminal) run(t *testing.T, change func(*exec.Cmd), args ...string) at {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, asCommandFile(t), args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "XDG_CONFIG_HOME="+t.TempDir(), "NO_COLOR=", "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.slave, term.slave, term.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if change != nil {
		change(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return at{cmd, term}
}

// ends waits for the end and returns the exit code.
func (a at) ends() int {
	_ = a.Wait() // the exit code says it
	return a.ProcessState.ExitCode()
}

func (a at) types(t *testing.T, keys string) {
	t.Helper()
	if _, err := a.term.keys.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

func asCommandFile(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func TestATableIsCutToTheTerminalAndNotIntoAPipe(t *testing.T) {
	t.Parallel()
	api := emptySystem(t)
	url := "http://127.0.0.1:9/" + strings.Repeat("x", 100)
	if code, _, stderr := run(t, nil, "sites", "add", url, "--server="+api); code != exitOK {
		t.Fatal(stderr)
	}
	term := newTerminal(t, 80)
	if code := term.run(t, nil, "sites", "list", "--server="+api).ends(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	screen := term.screen.find(t, `(?s)(ID .*…)`)
	for line := range strings.Lines(screen) {
		if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > 80 {
			t.Errorf("a line has %d cells: %s", n, line)
		}
	}
	// Into a file, while the terminal is still there for stderr.
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if code := term.run(t, func(c *exec.Cmd) { c.Stdout = out }, "sites", "list", "--server="+api).ends(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if text, err := os.ReadFile(out.Name()); err != nil || !strings.Contains(string(text), url+"\n") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestADeletionIsAskedForOnATerminal(t *testing.T) {
	t.Parallel()
	api := emptySystem(t)
	id := addSite(t, api, "http://127.0.0.1:9/")
	for _, tt := range []struct {
		keys string
		code int
		want string
	}{
		{"n\n", exitFailed, `the answer was not yes: nothing was changed`},
		{"\x03", exitInterrupted, `interrupted: nothing was changed`},
		{"y\n", exitOK, `Site ` + id + ` is deleted`},
	} {
		term := newTerminal(t, 120)
		a := term.run(t, nil, "sites", "delete", id, "--server="+api)
		term.screen.find(t, `http://127\.0\.0\.1:9/\s+Delete this site\? \[y/N\] `)
		a.types(t, tt.keys)
		if code := a.ends(); code != tt.code {
			t.Errorf("%q: exit code %d, want %d: %s", tt.keys, code, tt.code, term.screen)
		}
		term.screen.find(t, tt.want)
		there, _, _ := run(t, nil, "sites", "get", id, "--server="+api)
		if (there == exitOK) == (tt.code == exitOK) {
			t.Errorf("%q: sites get: exit code %d", tt.keys, there)
		}
	}
}

func TestAnImportShowsHowFarItIsAndStopsAtCtrlC(t *testing.T) {
	t.Parallel()
	api := emptySystem(t)
	term := newTerminal(t, 120)
	rows, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a := term.run(t, func(c *exec.Cmd) { c.Stdin, c.SysProcAttr.Ctty = rows, 1 }, "sites", "import", "-", "--format=csv", "--server="+api)
	rows.Close()
	fed := make(chan int)
	go func() { // until the import reads no more
		n := 0
		for _, err := fmt.Fprintln(feed, "url"); err == nil; n++ {
			_, err = fmt.Fprintf(feed, "http://127.0.0.1:9/%d\n", n)
		}
		fed <- n
	}()
	term.screen.find(t, `\d+ rows, \d+ rows/s`)
	a.types(t, "\x03")
	if code := a.ends(); code != exitInterrupted {
		t.Errorf("exit code %d: %s", code, term.screen)
	}
	if n := <-fed; n == 0 {
		t.Error("nothing was read")
	}
	feed.Close()
	created := term.screen.find(t, `(\d+) rows: \d+ created`)
	term.screen.find(t, `interrupted after line \d+; the same command goes on`)
	// What it says that it has created is there.
	_, stdout, _ := run(t, nil, "sites", "export", "--server="+api)
	if n := strings.Count(stdout, "127.0.0.1:9/"); fmt.Sprint(n) != created {
		t.Errorf("%d sites are there, and it has told of %s", n, created)
	}
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	t.Parallel()
	log := write(t, "access.log", `1.2.3.4 - - [03/Jan/2018:11:07:23 +0000] "GET /index.php HTTP/1.1" 200 64156 "-" "x"`+"\n")
	for variable, want := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false, "TERM=dumb": false} {
		term := newTerminal(t, 120)
		a := term.run(t, func(c *exec.Cmd) { c.Env = append(c.Env, variable) }, "diagnose", "logs", "--access="+log)
		a.ends()
		term.screen.find(t, `access\.log`)
		if got := strings.Contains(term.screen.String(), "\x1b["); got != want {
			t.Errorf("%s: colours: %v, want %v:\n%q", variable, got, want, term.screen)
		}
	}
	if code, stdout, _ := run(t, nil, "diagnose", "logs", "--access="+log); strings.Contains(stdout, "\x1b") {
		t.Errorf("exit code %d, colours in a pipe:\n%q", code, stdout)
	}
}

// What is shown of long work stays in its line, or it could not be taken back.
func TestAMeterStaysInItsLineAndADumbTerminalHasNone(t *testing.T) {
	t.Parallel()
	api := emptySystem(t)
	for variable, want := range map[string]bool{"TERM=xterm": true, "TERM=dumb": false} {
		term := newTerminal(t, 20)
		rows, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		a := term.run(t, func(c *exec.Cmd) {
			c.Env, c.Stdin, c.SysProcAttr.Ctty = append(c.Env, variable), rows, 1
		}, "sites", "import", "-", "--format=csv", "--server="+api)
		rows.Close()
		begin, pace := time.Now(), time.NewTicker(10*time.Millisecond)
		_, err = fmt.Fprintln(feed, "url,paused")
		for n := 0; err == nil && time.Since(begin) < 3*meterShows && !strings.Contains(term.screen.String(), "\x1b[K"); n++ {
			<-pace.C
			_, err = fmt.Fprintf(feed, "http://127.0.0.1:9/%d,true\n", n)
		}
		pace.Stop()
		feed.Close()
		if code := a.ends(); code != exitOK || err != nil {
			t.Errorf("exit code %d, %v: %s", code, err, term.screen)
		}
		parts := strings.Split(strings.ReplaceAll(term.screen.String(), "\r\n", "\x1b[K"), "\x1b[K")
		if got := strings.Contains(term.screen.String(), "\x1b[K"); got != want {
			t.Errorf("%s: a meter: %v, want %v:\n%q", variable, got, want, term.screen)
		}
		for _, part := range parts {
			if line := strings.Trim(part, "\r"); len([]rune(line)) > 19 && !strings.Contains(line, " created, ") {
				t.Errorf("%s: a line of 20 has %q", variable, line)
			}
		}
	}
}

// meterShows is after how long a meter shows something for sure.
const meterShows = time.Second
