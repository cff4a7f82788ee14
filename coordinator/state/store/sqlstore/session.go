package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// session is a connection that ends when its server says that it cannot serve now: the pool
// makes another one, to another server if there are several, and what was refused runs again.
type session struct {
	driver.Conn
	lost bool
}

// judge turns the refusal into the error that database/sql knows for a lost connection.
func (s *session) judge(err error) error {
	if !isUnready(err) {
		return err
	}
	s.lost = true
	return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
}

// isUnready reports whether a server refuses everything: a node of Galera without a majority,
// or while it joins. It has done nothing of the statement.
func isUnready(err error) bool {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && e.Number == 1047 // ER_UNKNOWN_COM_ERROR: WSREP has not yet prepared node for application use
}

// ExecContext implements driver.ExecerContext.
func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	return r, s.judge(err)
}

// QueryContext implements driver.QueryerContext.
func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := s.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
	return r, s.judge(err)
}

// PrepareContext implements driver.ConnPrepareContext.
func (s *session) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := s.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return stmt, s.judge(err)
}

// BeginTx implements driver.ConnBeginTx.
func (s *session) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := s.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
	if err != nil {
		return nil, s.judge(err)
	}
	return sessionTx{tx, s}, nil
}

// sessionTx is a transaction of a session.
type sessionTx struct {
	driver.Tx
	s *session
}

// Commit implements driver.Tx.
func (t sessionTx) Commit() error { return t.s.judge(t.Tx.Commit()) }

// Ping implements driver.Pinger. A server that cannot serve may answer the protocol's ping.
func (s *session) Ping(ctx context.Context) error {
	return s.judge(s.Conn.(driver.Pinger).Ping(ctx))
}

// CheckNamedValue implements driver.NamedValueChecker.
func (s *session) CheckNamedValue(v *driver.NamedValue) error {
	return s.Conn.(driver.NamedValueChecker).CheckNamedValue(v)
}

// ResetSession implements driver.SessionResetter.
func (s *session) ResetSession(ctx context.Context) error {
	return s.Conn.(driver.SessionResetter).ResetSession(ctx)
}

// Close implements driver.Conn. All that can fail is the driver's farewell, when the server has
// hung up before: nothing is lost, and the connection is closed.
func (s *session) Close() error {
	_ = s.Conn.Close()
	return nil
}

// IsValid implements driver.Validator.
func (s *session) IsValid() bool { return !s.lost && s.Conn.(driver.Validator).IsValid() }
