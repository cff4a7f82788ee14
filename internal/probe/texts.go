package probe

import "bytes"

// texts searches a stream for several texts, across the borders of its pieces. It keeps
// less of the stream than the longest text.
type texts struct {
	want  [][]byte
	found []bool
	left  int
	keep  int
	tail  []byte
}

func newTexts(want []string) *texts {
	t := &texts{want: make([][]byte, len(want)), found: make([]bool, len(want))}
	for i, w := range want {
		t.want[i] = []byte(w)
		if w == "" {
			t.found[i] = true
			continue
		}
		t.left++
		t.keep = max(t.keep, len(w)-1)
	}
	return t
}

func (t *texts) write(p []byte) {
	if t.left == 0 || len(p) == 0 {
		return
	}
	// A text can straddle the border within the tail and the first keep bytes of p.
	border := append(t.tail, p[:min(len(p), t.keep)]...)
	for i, w := range t.want {
		if !t.found[i] && (bytes.Contains(p, w) || bytes.Contains(border, w)) {
			t.found[i] = true
			t.left--
		}
	}
	if len(p) >= t.keep {
		t.tail = append(t.tail[:0], p[len(p)-t.keep:]...)
		return
	}
	t.tail = append(t.tail[:0], border[len(border)-min(len(border), t.keep):]...)
}

// writer consumes a stream piece by piece.
type writer interface{ write(p []byte) }

// pair passes one stream to two writers.
type pair struct{ a, b writer }

func (d pair) write(p []byte) {
	d.a.write(p)
	d.b.write(p)
}
