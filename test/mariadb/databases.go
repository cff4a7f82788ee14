package mariadb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Database makes an empty database and returns its DSN.
func (s *Server) Database(t testing.TB) (dsn string) {
	t.Helper()
	name, err := s.create("")
	if err != nil {
		t.Fatal(err)
	}
	return s.DSNOf(name)
}

// create makes a database and runs statements in it.
func (s *Server) create(statements string) (name string, err error) {
	name = fmt.Sprintf("t%d", s.databases.Add(1))
	return name, s.run("CREATE DATABASE " + name + "; USE " + name + ";\n" + statements)
}

// Copies makes databases that are all alike, on the server of this test process. To copy tables
// costs the server less than the history of a schema does, and the test next to nothing.
type Copies struct {
	// Prepare fills an empty database. It is called once, for the one that is copied.
	Prepare func(dsn string) error

	once       sync.Once
	statements string // that make a copy in the database of the session
	err        error
}

// Start returns the DSN of a database as Prepare leaves an empty one.
func (c *Copies) Start(t testing.TB) (dsn string) {
	t.Helper()
	c.once.Do(func() { c.statements, c.err = c.prepare(Start(t)) })
	if c.err != nil {
		t.Fatal(c.err)
	}
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	name, err := s.create(c.statements)
	if err != nil {
		t.Fatal(err)
	}
	return s.DSNOf(name)
}

// prepare makes the database that is copied, and the statements.
func (c *Copies) prepare(dsn string) (string, error) {
	if err := c.Prepare(dsn); err != nil {
		return "", err
	}
	s, err := shared()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	from := dsn[strings.LastIndex(dsn, "/")+1:]
	tables, err := s.query(ctx, from, "SHOW TABLES")
	if err != nil {
		return "", err
	}
	var all strings.Builder
	all.WriteString("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n")
	for _, table := range strings.Fields(tables) {
		fmt.Fprintf(&all, "CREATE TABLE %s LIKE %s.%s;\n", table, from, table)
		if row, err := s.query(ctx, from, "SELECT 1 FROM "+table+" LIMIT 1"); err != nil {
			return "", err
		} else if row != "" {
			fmt.Fprintf(&all, "INSERT INTO %s SELECT * FROM %s.%s;\n", table, from, table)
		}
	}
	return all.String(), nil
}
