package gateway

import (
	"bytes"
	"strings"

	"github.com/Automattic/jetmon/internal/fault"
)

// Limits of what a body may hold. The coordinator bounds each field, but only after the
// body was decoded, and a value of three bytes can take a hundred when it is.
const (
	maxValues     = 10_000
	maxValueBytes = 16 << 10
)

// checkSize refuses JSON that holds too many values, or a text, number or name that is too
// long. data must be valid.
func checkSize(data []byte) error {
	var at place
	values := 0
	for len(data) > 0 {
		switch c := data[0]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			data = data[1:]
			continue
		case '}', ']':
			data, at = data[1:], at[:len(at)-1]
			continue
		case '{', '[':
			data, at = data[1:], append(at, nil)
		default:
			token := firstToken(data)
			if data = data[len(token):]; len(token) > maxValueBytes {
				return fault.InvalidField(orBody(at.String()), "has a value that is too long: the most is %d bytes", maxValueBytes)
			}
			if isName(token, data) {
				at[len(at)-1] = token
				continue
			}
		}
		if values++; values > maxValues {
			return fault.InvalidField(orBody(at.String()), "has too many values: a body may have %d in all", maxValues)
		}
	}
	return nil
}

// place is where in JSON one stands: of each object or array around it the name of the
// member that was read last, in its quotes; none in an array.
type place [][]byte

// String is the path of names.
func (p place) String() string {
	var names []string
	for _, name := range p {
		if len(name) > 2 {
			names = append(names, printable(string(name[1:len(name)-1])))
		}
	}
	return strings.Join(names[:min(len(names), maxNames)], ".")
}

// maxNames is how many names a path shows: no field of ours lies deeper.
const maxNames = 8

// firstToken is the text, number or word that data begins with.
func firstToken(data []byte) []byte {
	if data[0] != '"' {
		if end := bytes.IndexAny(data, " \t\r\n,:]}"); end >= 0 {
			return data[:end]
		}
		return data
	}
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return data[:i+1]
		}
	}
	return data
}

// isName says whether a token is the name of a member, by what follows it.
func isName(token, rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return token[0] == '"' && len(rest) > 0 && rest[0] == ':'
}
