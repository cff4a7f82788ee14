package hostile

import (
	"sync"

	"golang.org/x/net/http2"
)

// window is what may still be sent, on the connection and on its first stream.
type window struct {
	mu           sync.Mutex
	more         *sync.Cond
	conn, stream int64
	initial      int64 // of a stream, by the server's settings
	closed       bool
}

func newWindow() *window {
	w := &window{conn: 65535, stream: 65535, initial: 65535}
	w.more = sync.NewCond(&w.mu)
	return w
}

// take waits until something may be sent and returns how much, at most n; 0 if nothing may be
// sent any more.
func (w *window) take(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for min(w.conn, w.stream) <= 0 && !w.closed {
		w.more.Wait()
	}
	if w.closed {
		return 0
	}
	n = int(min(int64(n), w.conn, w.stream))
	w.conn -= int64(n)
	w.stream -= int64(n)
	return n
}

// see notes what a frame of the server says about the window.
func (w *window) see(frame http2.Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if n, ok := f.Value(http2.SettingInitialWindowSize); ok {
			w.stream += int64(n) - w.initial
			w.initial = int64(n)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			w.conn += int64(f.Increment)
		} else {
			w.stream += int64(f.Increment)
		}
	}
	w.more.Broadcast()
}

func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.more.Broadcast()
}
