//go:build wordpress

package syncqueue

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/test/seeds"
)

// operation is one line to testdata/queue.php, and answer the line that comes back.
type operation struct {
	Op     string `json:"op"`
	Value  string `json:"value,omitempty"`
	N      int    `json:"n"`
	Bytes  int    `json:"bytes"`
	Buffer int    `json:"buffer"`
}

type answer struct {
	Error  string   `json:"error"`
	Buffer bool     `json:"buffer"`
	Items  []string `json:"items"`
	Size   int      `json:"size"`
	Locked bool     `json:"locked"`
}

// TestTheQueueIsAsTheRealClassIs runs random operations on the class of a real Jetpack too.
// Make test-wordpress gives its folder in JETPACK_DIR. Seen so on version 3.14.3 of its sync package.
func TestTheQueueIsAsTheRealClassIs(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("JETPACK_DIR")
	if dir == "" {
		t.Fatal("JETPACK_DIR must be the directory of a plugin with Jetpack's sync package")
	}
	dir = filepath.Join(dir, "jetpack_vendor", "automattic", "jetpack-sync")
	seeds.Check(t, []uint64{1, 2, 3}, func(rt *rapid.T) {
		real := exec.CommandContext(t.Context(), "php", "testdata/queue.php", dir)
		in, err := real.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := real.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		real.Stderr = t.Output()
		if err := real.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close(); _ = real.Wait() }()
		beside := newBeside()
		lines := bufio.NewScanner(out)
		for i := range rapid.IntRange(50, 300).Draw(rt, "operations") {
			op := beside.draw(rt, i)
			ours := beside.do(op)
			theirs := ask(rt, in, lines, op)
			if beside.stricter(op, ours, theirs) {
				ask(rt, in, lines, operation{Op: "forget"})
				continue
			}
			if ours.Error != theirs.Error || ours.Buffer != theirs.Buffer || !slices.Equal(ours.Items, theirs.Items) || ours.Size != theirs.Size || ours.Locked != theirs.Locked {
				rt.Fatalf("operation %d, %+v: %+v, and the real one %+v", i, op, ours, theirs)
			}
		}
	})
}

func ask(rt *rapid.T, in io.Writer, lines *bufio.Scanner, op operation) (a answer) {
	line, err := json.Marshal(op)
	if err == nil {
		_, err = in.Write(append(line, '\n'))
	}
	if err != nil || !lines.Scan() {
		rt.Fatalf("%v, %v", err, lines.Err())
	}
	if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
		rt.Fatalf("%v: %s", err, lines.Bytes())
	}
	return a
}

// beside is our queue beside the real one.
type beside struct {
	now     time.Time
	queue   *Queue
	buffers []Buffer
}

func newBeside() *beside {
	b := &beside{now: time.UnixMicro(1_700_000_000_000_000), buffers: []Buffer{{}}}
	b.queue = New(Options{Name: "sync", Now: func() time.Time { return b.now }})
	return b
}

func (b *beside) draw(rt *rapid.T, i int) operation {
	op := operation{
		Op: rapid.SampledFrom([]string{
			"add", "add", "add", "checkout", "checkout_bytes", "checkin", "close", "close_items", "lock", "unlock", "force_checkin", "time", "time",
		}).Draw(rt, "op"),
		N: rapid.IntRange(0, 4).Draw(rt, "n"), Bytes: rapid.IntRange(0, 60).Draw(rt, "bytes"),
		Buffer: max(0, len(b.buffers)-1-rapid.IntRange(0, 3).Draw(rt, "buffer")),
	}
	switch op.Op {
	case "add":
		op.Value = fmt.Sprintf("item %d%s", i, strings.Repeat("x", rapid.IntRange(0, 30).Draw(rt, "size")))
	case "time":
		op.N = rapid.OneOf(rapid.IntRange(0, 130_000_000), rapid.IntRange(118_000_000, 122_000_000)).Draw(rt, "microseconds")
	}
	return op
}

// serialized is a string as PHP stores it.
func serialized(s string) string { return fmt.Sprintf("s:%d:\"%s\";", len(s), s) }

func (b *beside) do(op operation) (a answer) {
	var err error
	var got Buffer
	given := b.buffers[op.Buffer]
	switch op.Op {
	case "add":
		b.queue.Add([]byte(serialized(op.Value)))
		b.now = b.now.Add(time.Microsecond)
	case "checkout":
		got, err = b.queue.Checkout(op.N)
	case "checkout_bytes":
		got, err = b.queue.CheckoutBytes(op.Bytes, op.N)
	case "checkin":
		err = b.queue.Checkin(given)
	case "close":
		err = b.queue.Close(given)
	case "close_items":
		err = b.queue.CloseItems(given, given.IDs()[:min(op.N, len(given.Items))])
	case "lock":
		if b.queue.Size() > 0 {
			b.now = b.now.Add(30 * time.Second) // the real one sleeps as long
		}
		err = b.queue.Lock(context.Background(), 0)
	case "unlock":
		b.queue.Unlock()
	case "force_checkin":
		b.queue.ForceCheckin()
	case "time":
		b.now = b.now.Add(time.Duration(op.N) * time.Microsecond)
	}
	var refused Error
	if errors.As(err, &refused) {
		a.Error = refused.Code()
	}
	if got.ID != "" {
		a.Buffer = true
		b.buffers = append(b.buffers, got)
		for _, item := range got.Items {
			value := string(item.Value)
			a.Items = append(a.Items, value[strings.IndexByte(value, '"')+1:len(value)-2])
		}
	}
	a.Size, a.Locked = b.queue.Size(), b.queue.IsLocked()
	return a
}

// stricter reports whether the two differ as the package's documentation says: a checkout
// that gives nothing leaves no lock behind.
func (b *beside) stricter(op operation, ours, theirs answer) bool {
	return strings.HasPrefix(op.Op, "checkout") && ours.Error == "" && theirs.Error == "" && !ours.Buffer && len(theirs.Items) == 0 &&
		ours.Size == theirs.Size && theirs.Locked && !ours.Locked
}
