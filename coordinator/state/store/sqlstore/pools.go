package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// pools has the connections, by purpose. Large API requests, or requests for locked rows, can
// take all connections of a pool; the writes that keep a coordinator alive must not wait in
// that queue.
type pools struct {
	// leases serves leases and members. None of its statements touches the legacy table.
	leases *sql.DB
	// writer serves commits, snapshots and the outbox.
	writer *sql.DB
	// reader serves all other reads: scans and API requests. editor serves edits through the
	// API.
	reader, editor *sql.DB
}

// connectors makes connections: for write transactions, and for single reads.
type connectors struct {
	write, read driver.Connector
	// engine tells what the server is, as far as that is known.
	engine func() Engine
	// announce has what each server is logged, from now on.
	announce func()
	// leases, writers and readers bound the connections of each pool, idle ones included.
	leases, writers, readers int
	// oneWriter means that all writes share the writer's connections.
	oneWriter bool
}

// open makes the pools, which connect on first use.
func (c connectors) open(wrap func(driver.Connector) driver.Connector) pools {
	write, read := c.write, c.read
	if wrap != nil {
		write, read = wrap(write), wrap(read)
	}
	p := pools{writer: pool(write, c.writers), reader: pool(read, c.readers)}
	if c.oneWriter {
		p.leases, p.editor = p.writer, p.writer
	} else {
		p.leases, p.editor = pool(write, c.leases), p.reader
	}
	return p
}

func pool(c driver.Connector, most int) *sql.DB {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(idleInPool)
	db.SetConnMaxLifetime(5 * time.Minute)
	return db
}

func (p pools) close() error {
	err := errors.Join(p.reader.Close(), p.writer.Close())
	if p.leases != p.writer {
		err = errors.Join(p.leases.Close(), err)
	}
	return err
}
