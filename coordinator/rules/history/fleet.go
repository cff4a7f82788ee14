package history

import "encoding/binary"

// fleetVersion begins a fleet's day. A reader refuses versions that it does not know.
const fleetVersion = 1

// Fleet says what the turns of many sites came to, hour by hour of a day.
type Fleet [24]Tally

// Merge adds what other sites came to on the same day.
func (f *Fleet) Merge(x *Fleet) {
	for i := range f {
		f[i].Merge(&x[i])
	}
}

// AppendBinary adds a fleet's day to dst in the form that ParseFleet reads.
func (f *Fleet) AppendBinary(dst []byte) []byte {
	var kinds, codes, numbers []byte
	for i := range f {
		was, kind := 0, uint64(0)
		for c, n := range f[i] {
			if n > 0 {
				codes = append(codes, byte(c-was))
				numbers = binary.AppendUvarint(numbers, n)
				was, kind = c, kind+1
			}
		}
		kinds = binary.AppendUvarint(kinds, kind)
	}
	return appendColumns(append(dst, fleetVersion), kinds, codes, numbers)
}

// ParseFleet reads what AppendBinary has written. Its error is ErrDamaged; it never panics.
func ParseFleet(b []byte) (*Fleet, error) {
	if len(b) == 0 || b[0] != fleetVersion {
		return nil, damaged("a fleet of an unknown version")
	}
	c := column{b: b[1:]}
	var kinds, codes, numbers column
	c.columns(&kinds, &codes, &numbers)
	f := new(Fleet)
	for i := range f {
		at := 0
		for j, d := range codes.take(kinds.next(256)) {
			at += int(d)
			n := numbers.next(1<<64 - 1)
			if at > 255 || d == 0 && j > 0 || n == 0 {
				return nil, damaged("a fleet whose codes do not rise")
			}
			f[i][at] = n
		}
	}
	if !over(&c, &kinds, &codes, &numbers) {
		return nil, damaged("a fleet whose columns do not fit")
	}
	return f, nil
}
