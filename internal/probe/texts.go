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
	// border is used again by each write.
	border []byte
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
	t.border = append(append(t.border[:0], t.tail...), p[:min(len(p), t.keep)]...)
	for i, w := range t.want {
		if !t.found[i] && (bytes.Contains(p, w) || bytes.Contains(t.border, w)) {
			t.found[i] = true
			t.left--
		}
	}
	if len(p) >= t.keep {
		t.tail = append(t.tail[:0], p[len(p)-t.keep:]...)
		return
	}
	t.tail = append(t.tail[:0], t.border[len(t.border)-min(len(t.border), t.keep):]...)
}

// isASCII reports whether all texts are ASCII.
func (t *texts) isASCII() bool {
	for _, w := range t.want {
		for _, c := range w {
			if c >= 0x80 {
				return false
			}
		}
	}
	return true
}

// writer consumes a stream piece by piece.
type writer interface{ write(p []byte) }
