package sqlstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"

	"github.com/Automattic/jetmon/internal/fault"
)

// tls returns how to speak TLS with the server: as the driver's own parameter says, unless
// the DSN names files.
func (d DSN) tls(given *tls.Config) (*tls.Config, error) {
	if d.ca == "" && d.cert == "" {
		return given, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.ca != "" {
		pem, err := os.ReadFile(d.ca)
		if err != nil {
			return nil, fault.New(fault.Invalid, "%s: tls-ca: %w", d, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "%s: tls-ca: %s holds no PEM certificate", d, d.ca)
		}
	}
	if d.cert != "" {
		pair, err := tls.LoadX509KeyPair(d.cert, d.key)
		if err != nil {
			return nil, fault.New(fault.Invalid, "%s: tls-cert, tls-key: %w", d, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// servers makes the connector of the DSN's servers. With several, those that accept no
// writes are passed over: after a failover the former primary is one of them.
func (d DSN) servers(cfg *mysql.Config) (driver.Connector, error) {
	s := &servers{addresses: d.hosts}
	for _, address := range d.hosts {
		one := cfg.Clone()
		one.Addr = address
		// A session whose server became read-only fails as if it were lost, and the pool
		// makes another one.
		one.RejectReadOnly = len(d.hosts) > 1
		c, err := mysql.NewConnector(one)
		if err != nil {
			// The driver's text may quote the DSN.
			return nil, fault.New(fault.Invalid, "%s: its parameters are not understood", d)
		}
		s.all = append(s.all, c)
	}
	if len(s.all) == 1 {
		return s.all[0], nil
	}
	return s, nil
}

// servers connects to the first of several servers that answers and accepts writes,
// beginning with the one that did last.
type servers struct {
	all       []driver.Connector
	addresses []string
	last      atomic.Int32
}

// Connect implements driver.Connector.
func (s *servers) Connect(ctx context.Context) (driver.Conn, error) {
	var errs []error
	first := int(s.last.Load())
	for i := range s.all {
		n := (first + i) % len(s.all)
		conn, err := connectWritable(ctx, s.all[n])
		if err == nil {
			s.last.Store(int32(n))
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.addresses[n], err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// Driver implements driver.Connector.
func (s *servers) Driver() driver.Driver { return s.all[0].Driver() }

// errReadOnly is why one of several servers is passed over.
var errReadOnly = errors.New("the server is read-only")

func connectWritable(ctx context.Context, c driver.Connector) (driver.Conn, error) {
	conn, err := c.Connect(ctx)
	if err != nil {
		return nil, err
	}
	readOnly, err := isReadOnly(ctx, conn)
	if err == nil && readOnly {
		err = errReadOnly
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func isReadOnly(ctx context.Context, conn driver.Conn) (bool, error) {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, "SELECT CAST(@@global.read_only AS CHAR)", nil)
	if err != nil {
		return false, err
	}
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil && !errors.Is(err, io.EOF) {
		return false, errors.Join(err, rows.Close())
	}
	text, ok := row[0].([]byte)
	value := string(text)
	if !ok {
		value = fmt.Sprint(row[0])
	}
	return value != "0" && value != "OFF", rows.Close()
}

// IsAway reports whether an error of Open is one that waiting may mend: the server cannot be
// reached, is starting or ending, or has no room. A wrong password or a missing schema is
// not.
func IsAway(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return slices.Contains([]uint16{1040, 1053, 1203, 1226}, e.Number) // no room, ends, no room for the user
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, away := range []error{driver.ErrBadConn, mysql.ErrInvalidConn, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, errReadOnly} {
		if errors.Is(err, away) {
			return true
		}
	}
	return false
}
