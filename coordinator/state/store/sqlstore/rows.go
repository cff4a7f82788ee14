package sqlstore

import (
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/fault"
)

// maxRows bounds the rows of one statement, maxBytes roughly the bytes of its values: a server
// refuses longer statements (max_allowed_packet), and SQLite more than 32,766 values.
const (
	maxRows  = 500
	maxBytes = 1 << 20
)

// insertRows inserts rows of the same length; query ends in VALUES.
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

// insertion has the statements that insert rows and read their ids back: into ends in VALUES,
// back selects a key and its id and ends in IN.
type insertion struct{ into, back string }

// insertAll inserts rows and returns their ids, in order. The id of a single row comes with
// its answer; those of several are read back by key, since no engine guarantees that they are
// consecutive.
func insertAll[K comparable](t txn, how insertion, rows [][]any, keys []K) ([]int64, error) {
	switch len(rows) {
	case 0:
		return nil, nil
	case 1:
		id, err := t.insert(how.into+marks(len(rows[0])), rows[0]...)
		return []int64{id}, err
	}
	if err := t.insertRows(how.into, rows); err != nil {
		return nil, err
	}
	args := make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	found, err := t.tx.QueryContext(t.ctx, how.back+marks(len(args)), args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	byKey := make(map[K]int64, len(keys))
	for found.Next() {
		var k K
		var id int64
		if err := found.Scan(&k, &id); err != nil {
			return nil, err
		}
		byKey[k] = id
	}
	ids := make([]int64, len(keys))
	for i, k := range keys {
		if ids[i] = byKey[k]; ids[i] == 0 && found.Err() == nil {
			return nil, fault.New(fault.Internal, "the row of %v is not there right after it was written", k)
		}
	}
	return ids, found.Err()
}

// sizeOf estimates the bytes of a row in a statement.
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

// inParts calls f with parts of a list that each fit into one statement.
func inParts(list []any, f func(part []any) error) error {
	for part := range slices.Chunk(list, maxRows) {
		if err := f(part); err != nil {
			return err
		}
	}
	return nil
}

// marks returns a list of n question marks, in parentheses.
func marks(n int) string { return "(?" + strings.Repeat(", ?", n-1) + ")" }
