package sqlstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/Automattic/jetmon/internal/backoff"
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

// servers makes the connector of the DSN's servers.
func (d DSN) servers(cfg *mysql.Config, p purpose) (*servers, error) {
	s := &servers{replicas: p.replicas, log: p.log}
	if !p.migrate {
		var err error
		if s.schema, err = d.dialect.newest(); err != nil {
			return nil, err
		}
	}
	for _, address := range d.hosts {
		one := cfg.Clone()
		one.Addr = address
		// A session whose server became read-only fails as if it were lost, and the pool
		// makes another one.
		one.RejectReadOnly = len(d.hosts) > 1 && !p.replicas
		c, err := mysql.NewConnector(one)
		if err != nil {
			// The driver's text may quote the DSN.
			return nil, fault.New(fault.Invalid, "%s: its parameters are not understood", d)
		}
		s.all = append(s.all, &server{Connector: c, address: address})
	}
	return s, nil
}

// servers connects to the first of several servers that can serve, beginning with the one that
// did last. Those that failed lately are tried after the others.
type servers struct {
	all []*server
	// replicas means that nothing is written, so that they may be read-only.
	replicas bool
	// schema is the version that each of several must have; 0 for any.
	schema int64
	log    *slog.Logger
	// announces means that what a server is goes to the log.
	announces atomic.Bool
	last      atomic.Int32
	known     atomic.Pointer[Engine]
}

// server is one of them.
type server struct {
	driver.Connector
	address string

	mu       sync.Mutex
	engine   Engine
	failures int
	rests    time.Time // until then, after a failure
}

// engine is what the server of the newest session is.
func (s *servers) engine() Engine {
	if e := s.known.Load(); e != nil {
		return *e
	}
	return Engine{}
}

// hostPatience bounds how long one of several servers may take to accept a session. It leaves
// a caller with the shortest deadline, who renews a lease, time for a second one.
const hostPatience = 1500 * time.Millisecond

// resting is for how long a server that failed comes last.
func resting() backoff.Policy {
	return backoff.Policy{Base: 2 * time.Second, Most: 30 * time.Second}
}

// Connect implements driver.Connector.
func (s *servers) Connect(ctx context.Context) (driver.Conn, error) {
	var errs []error
	for _, n := range s.order(time.Now()) {
		conn, err := s.try(ctx, s.all[n])
		if err == nil {
			s.last.Store(int32(n))
			return conn, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.all[n].address, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// order lists the servers as they are to be tried.
func (s *servers) order(now time.Time) []int {
	var well, resting []int
	first := int(s.last.Load())
	for i := range s.all {
		n := (first + i) % len(s.all)
		if s.all[n].isResting(now) {
			resting = append(resting, n)
		} else {
			well = append(well, n)
		}
	}
	return append(well, resting...)
}

func (h *server) isResting(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.rests)
}

// fairTime is how long a server must have had before it is to blame for a caller who has left:
// anybody can leave at once.
const fairTime = 500 * time.Millisecond

// try opens a session with one server. Among several, each has only so long.
func (s *servers) try(caller context.Context, h *server) (driver.Conn, error) {
	ctx, began := caller, time.Now()
	if len(s.all) > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, hostPatience)
		defer cancel()
	}
	conn, err := s.open(ctx, h)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil && caller.Err() != nil && time.Since(began) < fairTime {
		return nil, err
	}
	if err != nil {
		h.failures++
		h.rests = time.Now().Add(resting().Range(h.failures))
		return nil, err
	}
	h.failures, h.rests = 0, time.Time{}
	return conn, nil
}

// errReadOnly is why one of several servers is passed over.
var errReadOnly = errors.New("the server is read-only")

// open connects to a server, learns what it is, and begins a session.
func (s *servers) open(ctx context.Context, h *server) (driver.Conn, error) {
	conn, err := h.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	g, err := ask(ctx, conn)
	if err == nil && g.readOnly && len(s.all) > 1 && !s.replicas {
		err = errReadOnly
	}
	if err == nil {
		err = s.begin(ctx, conn, g)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.note(h, g.Engine)
	return &session{Conn: conn}, nil
}

// begin makes the settings of a session. Of several nodes of Galera only one will do that can
// serve, and that is not behind the others.
func (s *servers) begin(ctx context.Context, conn driver.Conn, g greeting) error {
	statements := g.settings()
	if g.kind == galeraKind && len(s.all) > 1 {
		statements = append(statements, "SELECT 1")
	}
	for _, statement := range statements {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, statement, nil); err != nil {
			return err
		}
	}
	if len(s.all) > 1 && s.schema != 0 {
		return s.compare(ctx, conn)
	}
	return nil
}

// compare returns an error for a server whose schema is older than ours: it missed a migration, or
// was played back from a backup, and would take writes and fail at them.
func (s *servers) compare(ctx context.Context, conn driver.Conn) error {
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, schemaVersion, nil)
	if err != nil {
		return fmt.Errorf("no Jetmon schema: run `jetmon migrate --db ...` on it: %w", err)
	}
	row := make([]driver.Value, 1)
	if err := errors.Join(rows.Next(row), rows.Close()); err != nil {
		return err
	}
	if have, err := strconv.ParseInt(wordOf(row[0]), 10, 64); err != nil || have < s.schema {
		return fmt.Errorf("schema version %s, this program needs %d: run `jetmon migrate --db ...` on it", wordOf(row[0]), s.schema)
	}
	return nil
}

// note remembers what a server is, and logs it when that is new.
func (s *servers) note(h *server, e Engine) {
	h.mu.Lock()
	isNew := h.engine != e
	h.engine = e
	h.mu.Unlock()
	if isNew && s.announces.Load() {
		s.say(h, e)
	}
	if was := s.known.Load(); was == nil || *was != e {
		s.known.Store(&e)
	}
}

// announce logs what the servers are, from now on: a database that will not do is one error, and
// nothing else.
func (s *servers) announce() {
	s.announces.Store(true)
	for _, h := range s.all {
		h.mu.Lock()
		e := h.engine
		h.mu.Unlock()
		if e != (Engine{}) {
			s.say(h, e)
		}
	}
}

func (s *servers) say(h *server, e Engine) {
	s.log.Info("the database is", "engine", e.String(), "server", h.address)
}

// Driver implements driver.Connector.
func (s *servers) Driver() driver.Driver { return s.all[0].Driver() }

// IsAway reports whether an error of Open is one that waiting may mend: the server cannot be
// reached, is starting or ending, or has no room. A wrong password or a missing schema is
// not.
func IsAway(err error) bool {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return slices.Contains([]uint16{1040, 1047, 1053, 1203, 1226}, e.Number) // no room, not ready, ends, no room for the user
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
