package roster

import "strings"

// span locates a text in an arena.
type span struct {
	offset uint32
	chunk  uint16
	length uint16
}

// arena holds text that is rarely freed: the strings of a chunk share its memory, and stay
// valid as long as they are referenced. Freed text is wasted until the arena is rebuilt.
type arena struct {
	chunks []*strings.Builder
	lost   int // bytes freed
	used   int // bytes handed out, lost ones included
}

const chunkBytes = 1 << 20

func (a *arena) add(s string) span {
	n := len(a.chunks)
	if n == 0 || a.chunks[n-1].Len()+len(s) > chunkBytes {
		b := new(strings.Builder)
		b.Grow(max(chunkBytes, len(s)))
		a.chunks = append(a.chunks, b)
		n++
	}
	b := a.chunks[n-1]
	sp := span{offset: uint32(b.Len()), chunk: uint16(n - 1), length: uint16(len(s))}
	b.WriteString(s) // within the grown capacity: earlier strings do not move
	a.used += len(s)
	return sp
}

func (a *arena) text(sp span) string {
	return a.chunks[sp.chunk].String()[sp.offset:][:sp.length]
}

func (a *arena) drop(sp span) { a.lost += int(sp.length) }
