package main

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/Automattic/jetmon/internal/cli"
)

// resize gives the terminal another size, as a window manager does.
func (term *terminal) resize(t *testing.T, columns, rows uint16) {
	t.Helper()
	raw, err := term.keys.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
}

// settings returns how the terminal treats what is typed.
func (term *terminal) settings(t *testing.T) unix.Termios {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(term.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *settings
}

func TestTopWatchesTheFleetThroughARestartAndGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	dev := func(grpc string) *running {
		return start(t, "dev", "--interval=1s", "--http=127.0.0.1:0", "--grpc="+grpc, "--veriflier=127.0.0.1:0", "--no-demo", "--allow-private", "--site=http://127.0.0.1:9/first")
	}
	first := dev("127.0.0.1:0")
	api := first.out.find(t, `gRPC +(\S+) coordinator`)
	term := newTerminal(t, 130)
	before := term.settings(t)
	a := term.run(t, nil, "top", "--every=200ms", "--server="+api)
	term.screen.find(t, `\x1b\[\?1049h(?s:.*)jetmon top  `)
	term.screen.find(t, `[1-9]\d*\.\d checks/s`)
	term.screen.find(t, `Shards A{32}  A \S+ \(32\)`)
	if term.settings(t) == before {
		t.Error("keys wait for the end of a line")
	}

	first.stop(t)
	term.screen.find(t, `What follows is of \d+s ago: the coordinator at \S+ cannot be reached`)
	dev(api)
	term.screen.find(t, `(?s)What follows.* answers\. Rule: `)

	term.resize(t, 60, 10)
	shown := term.screen.find(t, `(?s)answers\. Rule.*\x1b\[2J(.*q ends\W.*)`)
	for line := range strings.SplitSeq(shown, "\x1b[K") {
		if text := line[strings.LastIndexByte(line, 'm')+1:]; len([]rune(text)) > 60 {
			t.Errorf("a line of 60 cells has %d: %q", len([]rune(text)), text)
		}
	}
	term.resize(t, 130, 10)
	a.types(t, "\x1b[B")
	term.screen.find(t, `  1 lines above, \d+ below`)
	a.types(t, "\x1b[6~")
	term.screen.find(t, `  [2-9]\d* lines above, \d+ below`)
	a.types(t, "q")
	if code := a.ends(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	term.screen.find(t, `\x1b\[\?25h\x1b\[\?1049l$`)
	if term.settings(t) != before {
		t.Error("the terminal's settings have changed")
	}
}

func TestTopSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	api := emptySystem(t)
	for args, want := range map[string]string{
		"top":                      "needs a terminal: --once",
		"top --every=1ms":          "--every: must be from 200ms",
		"top --once --server=here": "--server",
	} {
		if code, _, stderr := run(t, nil, strings.Fields(args)...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
	code, stdout, stderr := run(t, nil, "top", "--once", "--every=200ms", "--server="+api)
	if code != exitOK || stderr != "" || strings.Contains(stdout, "\x1b") || !strings.Contains(stdout, " checks/s") || !strings.Contains(stdout, "No open outages.") {
		t.Errorf("exit code %d, stderr %q:\n%s", code, stderr, stdout)
	}
	if code, _, stderr := run(t, nil, "top", "--once", "--server=127.0.0.1:1"); code != exitFailed || !strings.Contains(stderr, "cannot be reached") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestKeysAreReadAsTerminalsSendThem(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string][]cli.Key{
		"q": {cli.KeyQuit}, "\x03": {cli.KeyQuit}, "\x1b[A\x1b[B": {cli.KeyUp, cli.KeyDown}, "\x1bOA": {cli.KeyUp},
		"\x1b[5~jk": {cli.KeyPageUp, cli.KeyDown, cli.KeyUp}, "\x1b[1;5Aq": {cli.KeyQuit}, "\x1b[15~ ": {cli.KeyNow}, "xyz": nil, "\x1b": nil, "\x1b[": nil, "": nil,
	} {
		if got := keysOf([]byte(sent)); !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", sent, got, want)
		}
	}
}
