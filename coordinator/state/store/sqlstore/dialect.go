package sqlstore

import (
	"context"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// dialect has everything that differs between the engines.
type dialect struct {
	// name is the DSN's scheme, and the word in the file names of this engine's own migrations.
	name  string
	goose goose.Dialect
	// connectors makes the connectors of a DSN.
	connectors func(context.Context, DSN, purpose) (connectors, error)
	// classify returns the meaning of a driver's error.
	classify func(error) class
	// id declares a generated row id; options ends a table's DDL. ifMissing precedes the name
	// of an index that may exist; without it creating an existing index is an error of the
	// class present.
	id, options, ifMissing string
	// rowURL is the URL of a legacy row l in the encoding of our own tables.
	rowURL string
	// rowChanged is its last_status_change in seconds, 0 for none.
	rowChanged string
	// digests is the query for the digests of a span, see span.go; "" when there is none.
	digests string
}

// purpose is the reason to open a database.
type purpose struct {
	// migrate means that tables will be made: a missing file is created, and statements have
	// no timeout.
	migrate bool
	// replicas means that nothing will be written.
	replicas bool
	log      *slog.Logger
}

// class is the meaning of a driver's error.
type class uint8

const (
	other class = iota
	// duplicate: a unique index has that key already.
	duplicate
	// present: a column or an index to be created exists already.
	present
	// transient: the transaction was rolled back in favour of another; try it again.
	transient
	// unfit: a value does not fit its column.
	unfit
	// foreign: the server does not know the statement or variable.
	foreign
)
