//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// commands runs the command line as people do, each command a process of its own: it lists and
// exports all sites, and imports rows from a file, twice and as a dry run.
func (h *house) commands(ctx context.Context, p plan) error {
	dir, err := os.MkdirTemp("", "jetmon-api-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ndjson, csv := filepath.Join(dir, "sites.ndjson"), filepath.Join(dir, "sites.csv")
	if err := writeRows(ndjson, p.rows, "{\"url\":\"https://row-%d.example/\",\"blog_id\":\"%d\",\"paused\":true}\n"); err != nil {
		return err
	}
	if err := writeRows(csv, p.rows, "https://line-%d.example/,%d,true\n", "url,blog_id,paused\n"); err != nil {
		return err
	}
	all := [][]string{
		{"sites", "list", "--limit=0", "--json"}, {"sites", "list", "--limit=0", "--output=ndjson"}, {"sites", "list", "--limit=0"},
		{"sites", "export"}, {"sites", "export", "--format=csv"},
	}
	if p.rows > 0 {
		all = append(all, []string{"sites", "import", ndjson, "--dry-run", "--output=ndjson"},
			[]string{"sites", "import", ndjson}, []string{"sites", "import", ndjson}, []string{"sites", "import", csv})
	}
	for _, args := range all {
		if err := h.command(ctx, p.program, args); err != nil {
			return err
		}
	}
	return nil
}

// writeRows writes a file of rows.
func writeRows(path string, rows int, format string, head ...string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	for _, line := range head {
		out.WriteString(line) // the error is Flush's
	}
	for i := range rows {
		fmt.Fprintf(out, format, i, 2_000_000+i/10)
	}
	return out.Flush()
}

// command runs a command and prints its time, its memory and how much it printed.
func (h *house) command(ctx context.Context, program string, args []string) error {
	c := exec.CommandContext(ctx, program, append(args, "--server="+h.coordinator.Address)...)
	var failed bytes.Buffer
	c.Stderr = &failed
	stdout, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		return err
	}
	n, last := drain(stdout)
	if err := c.Wait(); err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, failed.String())
	}
	spent := time.Since(began)
	for i, a := range args {
		args[i] = filepath.Base(a)
	}
	usage := c.ProcessState.SysUsage().(*syscall.Rusage)
	fmt.Printf("jetmon %v: %.1f s, of which %.1f s CPU; at most resident: %d MiB; %.1f MB: %.120s\n", args, spent.Seconds(),
		(c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds(), usage.Maxrss>>10, float64(n)/1e6, last)
	return nil
}

// drain counts bytes, and keeps the last line.
func drain(r io.Reader) (n int, last string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		n, last = n+len(lines.Bytes())+1, lines.Text()
	}
	_, _ = io.Copy(io.Discard, r) // a line that is too long must not block the command
	return n, last
}
