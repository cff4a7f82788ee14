package sqlstore

import (
	"slices"
	"strings"
)

// A statement about many rows takes at most so many of them, and about so many bytes
// of values: a server refuses longer ones (max_allowed_packet), and SQLite more than
// 32,766 values.
const (
	maxRows  = 500
	maxBytes = 1 << 20
)

// insertRows writes rows of the same length; query ends in VALUES.
func (t txn) insertRows(query string, rows [][]any) error {
	for len(rows) > 0 {
		n, size := 0, 0
		var args []any
		for n < min(len(rows), maxRows) && (n == 0 || size+sizeOf(rows[n]) <= maxBytes) {
			size += sizeOf(rows[n])
			args = append(args, rows[n]...)
			n++
		}
		row := marks(len(rows[0]))
		if _, err := t.exec(query+row+strings.Repeat(", "+row, n-1), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// sizeOf is about how many bytes a row takes in a statement.
func sizeOf(row []any) (bytes int) {
	for _, v := range row {
		switch v := v.(type) {
		case string:
			bytes += len(v)
		case []byte:
			bytes += len(v)
		default:
			bytes += 8
		}
	}
	return bytes
}

// inParts calls f with parts of a list that fit into one statement.
func inParts(list []any, f func(part []any) error) error {
	for part := range slices.Chunk(list, maxRows) {
		if err := f(part); err != nil {
			return err
		}
	}
	return nil
}

// marks is a list of n question marks, in parentheses.
func marks(n int) string { return "(?" + strings.Repeat(", ?", n-1) + ")" }
