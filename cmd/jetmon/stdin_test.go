package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Ctrl-C while a command waits for its input ends the command.
func TestNobodyWaitsForAnInputAfterCtrlC(t *testing.T) {
	t.Parallel()
	// A coordinator that says nothing: one that refuses could end the command before Ctrl-C does.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, tt := range []struct{ args, input, want string }{
		{"sites pause -", "", "jetmon sites pause: interrupted: 0 sites done\n"},
		{"sites delete - --yes", "", "jetmon sites delete: interrupted: 0 sites done\n"},
		{"sites check -", "", "jetmon sites check: interrupted: 0 sites done\n"},
		{"sites add -", "", "jetmon sites add: interrupted: 0 sites added\n"},
		{"sites import -", "url\n", "jetmon sites import: interrupted: nothing was changed\n"},
		{"sites import - --dry-run --format csv", "url\nhttp://a.example/\n", "; nothing was sent\n"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			input, feed := io.Pipe()
			defer feed.Close()
			var out, errs bytes.Buffer
			p := program{LookupEnv: func(string) (string, bool) { return "", false }, In: input, Out: &out, Err: &errs}
			code := make(chan int, 1)
			go func() { code <- p.Run(ctx, strings.Fields(tt.args+" --server="+silent.Addr().String())) }()
			if _, err := io.WriteString(feed, tt.input); err != nil { // it has read it
				t.Fatal(err)
			}
			cancel()
			select {
			case got := <-code:
				if got != exitInterrupted || !strings.HasSuffix(errs.String(), tt.want) {
					t.Errorf("exit code %d: %s, want %d and %s", got, &errs, exitInterrupted, tt.want)
				}
			case <-time.After(10 * time.Second):
				t.Error("it still waits")
			}
		})
	}
}

func TestAnInputIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 50_000)
	got, err := io.ReadAll(interruptible(t.Context(), strings.NewReader(text)))
	if err != nil || string(got) != text {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
}

func TestTheFileOfRefusalsIsNotTheOneThatIsImportedAndIsComplete(t *testing.T) {
	t.Parallel()
	file := write(t, "sites.csv", "url,tags\nhttp://a.example/,Bad Tag!\n")
	link := filepath.Join(t.TempDir(), "link.csv")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, nil, "sites", "import", file, "--dry-run", "--errors", link)
	if code != exitUsage || !strings.Contains(stderr, link+" is the file to import, which it would overwrite") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "a.example") {
		t.Errorf("the file: %q, %v", text, err)
	}
	if _, err := os.Stat("/dev/full"); err != nil {
		return // only Linux has it
	}
	api := emptySystem(t)
	for _, args := range [][]string{{"--dry-run"}, {"--server", api}} {
		code, _, stderr = run(t, nil, append([]string{"sites", "import", file, "--errors", "/dev/full"}, args...)...)
		if code != exitFailed || !strings.Contains(stderr, "not all refusals could be written: write /dev/full: no space left on device") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
