package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
)

var (
	// dataset begins a dataset, server a row of it: v1 looked for both line by line.
	dataset = regexp.MustCompile(`^\s*'([-\w]+)'\s*=>\s*array\(`)
	server  = regexp.MustCompile(`^\s*array\(`)
)

// used is the dataset that v1 read.
const used = "misc"

// The fields of a row, in their order.
const (
	fieldCentre = iota
	fieldRead
	fieldWrite
	fieldInternet
	fieldInternal
	fieldDatabase
	fieldUser
	fieldPassword
	fieldsOfServer = 11
)

// parseDatabase reads $db_servers and sets the flag db.
func (f *File) parseDatabase(text string) error {
	current, n, rows := "", 0, 0
	var masters [][]string
	for row := range strings.Lines(text) {
		n++
		if m := dataset.FindStringSubmatch(row); m != nil {
			current = m[1]
			key, known := Lookup(Database, current)
			if !known {
				key, known = Lookup(Database, "another dataset")
				key.Name = current
			}
			f.Settings = append(f.Settings, Setting{Key: key, Known: known, Line: n})
			continue
		}
		if current != used || !server.MatchString(row) {
			continue
		}
		rows++
		fields, err := phpArray(row)
		if err != nil {
			f.Settings = append(f.Settings, Setting{Key: Key{File: Database, Name: fmt.Sprintf("misc[%d]", rows)}, Line: n, Err: err})
			continue
		}
		f.explainRow(rows, n, fields)
		if fields[fieldWrite] == "1" {
			masters = append(masters, fields)
		}
	}
	if f.Err() != nil {
		return nil
	}
	if len(masters) == 0 {
		return fmt.Errorf("the dataset %s has no server with write = 1, the master", used)
	}
	return f.master(masters)
}

// explainRow adds a setting for each field of a server.
func (f *File) explainRow(row, line int, fields []string) {
	for i, key := range databaseKeys()[2:] {
		s := Setting{Key: key, Known: true, Value: fields[i], Line: line}
		s.Key.Name = fmt.Sprintf("misc[%d].%s", row, key.Name)
		if i == fieldPassword && strings.ContainsAny(fields[i], `,'" `) {
			s.Note = "v1 could not read this password, which has a comma, a quote or a blank; Jetmon can."
		}
		f.Settings = append(f.Settings, s)
	}
}

// master sets the DSN: the first master, and the others of the same database to fail over to.
func (f *File) master(masters [][]string) error {
	var addresses []string
	first := masters[0]
	for _, m := range masters {
		host, port, found := strings.Cut(m[fieldInternet], ":")
		if !found {
			port = "3306"
		}
		if host == "" || port == "" || strings.ContainsAny(m[fieldInternet], ",()/@") {
			return fmt.Errorf("the internet address of a master is HOST:PORT, not %q", m[fieldInternet])
		}
		if m[fieldDatabase] != first[fieldDatabase] || m[fieldUser] != first[fieldUser] || m[fieldPassword] != first[fieldPassword] {
			return errors.New("the masters of misc have different databases, users or passwords: keep one of them")
		}
		addresses = append(addresses, net.JoinHostPort(host, port))
	}
	if first[fieldDatabase] == "" || first[fieldUser] == "" {
		return errors.New("the master has no database or no user")
	}
	if strings.ContainsAny(first[fieldUser], ":@/") || strings.ContainsAny(first[fieldDatabase], "/?@") {
		return errors.New("the master's user or database has one of the characters : @ / ?, which a DSN cannot hold: give --db")
	}
	f.set("coordinator", "db", "mysql://"+first[fieldUser]+":"+first[fieldPassword]+
		"@tcp("+strings.Join(addresses, ",")+")/"+first[fieldDatabase])
	return nil
}

// phpArray reads array( 'a', 1, "b", null ), as PHP does.
func phpArray(row string) ([]string, error) {
	_, rest, _ := strings.Cut(row, "(")
	var fields []string
	for {
		rest = strings.TrimLeft(rest, " \t")
		value, after, err := phpValue(rest)
		if err != nil {
			return nil, fmt.Errorf("field %d: %w", len(fields)+1, err)
		}
		fields = append(fields, value)
		rest = strings.TrimLeft(after, " \t")
		if next, ok := strings.CutPrefix(rest, ","); ok {
			if rest = strings.TrimLeft(next, " \t"); !strings.HasPrefix(rest, ")") {
				continue
			}
		}
		break
	}
	if !strings.HasPrefix(rest, ")") {
		return nil, fmt.Errorf("after field %d comes neither a comma nor a parenthesis: a quote inside a text is written \\'", len(fields))
	}
	if len(fields) != fieldsOfServer {
		return nil, fmt.Errorf("a server has %d fields, this one %d: is a comma outside quotes?", fieldsOfServer, len(fields))
	}
	return fields, nil
}

// phpValue reads one literal, and returns what comes after it. null is an empty text.
func phpValue(text string) (value, rest string, err error) {
	if text == "" || text[0] != '\'' && text[0] != '"' {
		end := strings.IndexAny(text, ",)")
		if end < 0 {
			return "", "", errors.New("the row does not end in the same line")
		}
		value = strings.TrimSpace(text[:end])
		if strings.EqualFold(value, "null") {
			value = ""
		}
		return value, text[end:], nil
	}
	quote := text[0]
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote:
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text) && (text[i+1] == quote || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a quote is not closed")
}
