package sqlstore

import (
	"context"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// dialect is all that differs between the engines.
type dialect struct {
	// name is the DSN's scheme, and the word in the file names of this engine's own migrations.
	name  string
	goose goose.Dialect
	// connectors translates a DSN.
	connectors func(context.Context, DSN, purpose) (connectors, error)
	// classify says what an error of the driver means.
	classify func(error) class
	// id declares a row id that the engine gives, options stands at the end of a table's DDL.
	// ifMissing stands before the name of an index that may be there; without it making that
	// one is an error of the class present.
	id, options, ifMissing string
	// digests reads the digests of a span; see span.go. "" when there are none.
	digests string
}

// purpose is what a database is opened for.
type purpose struct {
	// migrate means that tables will be made: a missing file is created, and a statement
	// may take as long as it takes.
	migrate bool
	log     *slog.Logger
}

// class is what an error of a driver means to us.
type class uint8

const (
	other class = iota
	// duplicate: a unique index has that key already.
	duplicate
	// present: a column or an index is to be made that is there already.
	present
	// transient: the transaction was rolled back for the sake of another; try it again.
	transient
	// unfit: a value does not fit its column.
	unfit
	// foreign: the server does not know what was asked of it.
	foreign
)
