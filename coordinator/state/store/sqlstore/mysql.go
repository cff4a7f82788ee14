package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3"
)

// mysqlDialect returns the dialect of MySQL and MariaDB, by go-sql-driver.
func mysqlDialect() *dialect {
	return &dialect{
		name:       "mysql",
		goose:      goose.DialectMySQL,
		connectors: mysqlConnectors,
		classify:   classifyMySQL,
		id:         "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
		options:    "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
		// The XOR does not depend on the order of the rows. CRC32 does not suffice: its XOR
		// over two rows stays the same when they swap a value. SHA-1 is the fastest hash on
		// current processors.
		rowURL:     "CONVERT(l.monitor_url USING utf8mb4)",
		rowChanged: "CAST(COALESCE(UNIX_TIMESTAMP(l.last_status_change), 0) AS SIGNED)",
		digests:    spanDigests("BIT_XOR(CAST(CONV(LEFT(SHA1(%s), 15), 16, 10) AS UNSIGNED))"),
	}
}

func mysqlConnectors(_ context.Context, dsn DSN, p purpose) (connectors, error) {
	cfg := dsn.mysql.Clone()
	cfg.Loc = time.UTC
	cfg.ParseTime = true
	// A compare-and-swap counts the rows that it matched, even when they had that value.
	cfg.ClientFoundRows = true
	// One round trip a statement instead of three.
	cfg.InterpolateParams = true
	cfg.MultiStatements = false
	cfg.AllowAllFiles = false
	cfg.Timeout = defaultTo(cfg.Timeout, 5*time.Second)
	cfg.ReadTimeout = defaultTo(cfg.ReadTimeout, 30*time.Second)
	cfg.WriteTimeout = defaultTo(cfg.WriteTimeout, 30*time.Second)
	if p.migrate {
		cfg.ReadTimeout = 0 // creating an index may take long; the context bounds it
	}
	cfg.Logger = driverLog{p.log}
	cfg.Params = maps.Clone(cfg.Params)
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	if !p.migrate {
		// A coordinator that was stopped or cut off in the middle of a transaction holds the
		// lock of a shard. The server must release it before the lease ends and another
		// coordinator wants the shard; by default it would keep it for hours.
		cfg.Params["wait_timeout"] = strconv.Itoa(int(idleInServer / time.Second))
		// The first applies to tables that are locked or altered, the second to rows. The
		// server rolls a statement that waits longer back and releases its locks, and the
		// caller tries again. Without them the server waits on even when its client is gone.
		seconds := strconv.Itoa(int(lockWait / time.Second))
		cfg.Params["lock_wait_timeout"] = seconds
		cfg.Params["innodb_lock_wait_timeout"] = seconds
	}
	cfg.Params["time_zone"] = "'+00:00'"
	cfg.Params["sql_mode"] = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
	var err error
	if cfg.TLS, err = dsn.tls(cfg.TLS); err != nil {
		return connectors{}, err
	}
	c, err := dsn.servers(cfg, p)
	if err != nil {
		return connectors{}, err
	}
	return connectors{write: c, read: c, engine: c.engine, announce: c.announce, leases: 12, writers: 28, readers: 32}, nil
}

// lockWait bounds how long a statement waits for a lock. It is less than the timeout of a
// lease's renewal, which may be waiting for our lock.
const lockWait = 3 * time.Second

// idleInServer is how long the server keeps an idle connection, even in a transaction;
// idleInPool is how long the pool keeps it.
const (
	idleInServer = 10 * time.Second
	idleInPool   = 8 * time.Second
)

func defaultTo(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

func classifyMySQL(err error) class {
	if errors.Is(err, driver.ErrBadConn) {
		return transient // the statement, or COMMIT, has not reached a server that takes it
	}
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return other
	}
	switch e.Number {
	case 1022, 1062, 1586: // ER_DUP_KEY, ER_DUP_ENTRY, ER_DUP_ENTRY_WITH_KEY_NAME
		return duplicate
	case 1060, 1061: // ER_DUP_FIELDNAME, ER_DUP_KEYNAME
		return present
	case 1205, 1213, 1020, 3101: // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, ER_CHECKREAD, ER_TRANSACTION_ROLLBACK_DURING_COMMIT
		return transient
	case 1180: // ER_ERROR_DURING_COMMIT: a node of Galera that loses the others; what is written twice is recognised
		return transient
	case 8002, 8022, 8028, 9007: // TiDB: a write conflict, one of its store, a schema change, a write conflict
		return transient
	case 1105: // TiDB's word for what has no number: a statement that met others too often while it took its locks
		if strings.Contains(e.Message, "lock retry limit reached") {
			return transient
		}
		return other
	case 1264, 1265, 1267, 1292, 1366, 1406, 3988: // out of range, truncated, collations, wrong, wrong string, too long, unconvertible
		return unfit
	case 1193, 1235: // ER_UNKNOWN_SYSTEM_VARIABLE, ER_NOT_SUPPORTED_YET
		return foreign
	}
	return other
}

// driverLog takes the driver's messages about lost connections; our caller gets the error
// that belongs to them.
type driverLog struct{ log *slog.Logger }

// Print implements mysql.Logger.
func (l driverLog) Print(v ...any) { l.log.Debug("mysql driver", "message", fmt.Sprint(v...)) }
