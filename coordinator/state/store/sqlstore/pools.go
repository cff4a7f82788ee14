package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// pools are the connections, by what waits for them. Who asks the API for much, or for
// what somebody has locked, takes connections until none is left; what keeps a coordinator
// alive must not stand in that queue.
type pools struct {
	// leases is for who owns what and who is there. Nothing here touches the legacy table.
	leases *sql.DB
	// writer is for what was decided and what is known: commits, memos, the outbox.
	writer *sql.DB
	// reader is for all other reading: scans, and what the API is asked for. editor is for
	// edits through the API.
	reader, editor *sql.DB
}

// connectors make connections: for transactions that write, and for single reads.
type connectors struct {
	write, read driver.Connector
	// Most connections of each pool; idle ones are kept up to that number.
	leases, writers, readers int
	// oneWriter says that all that writes shares the writers' connections.
	oneWriter bool
}

// open makes the pools, which connect when they are used.
func (c connectors) open(wrap func(driver.Connector) driver.Connector) pools {
	write, read := c.write, c.read
	if wrap != nil {
		write = wrap(write)
		if c.read == c.write {
			read = write
		}
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
