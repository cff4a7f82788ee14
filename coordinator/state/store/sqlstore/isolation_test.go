package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/coordinator/state/store/storetest"
	"github.com/Automattic/jetmon/test/seeds"
)

func TestNoUpdateIsLostUnderAnyIsolation(t *testing.T) {
	t.Parallel()
	seeds.Run(t, []uint64{1}, func(t *testing.T, seed uint64) {
		for name, variant := range map[string]struct {
			tidb bool
			wrap func(driver.Connector) driver.Connector
		}{
			"READ COMMITTED, as on TiDB": {true, nil},
			"all as it was at BEGIN":     {false, atBegin},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				storetest.RunUpdates(t, seed, func(t testing.TB) storetest.Database {
					dsn := copiesOfMariaDB.Start(t)
					if variant.tidb {
						dsn = asTiDB(t, dsn, func(string) {})
					}
					db := database(t, dsn)
					db.Open = func(t testing.TB, legacyWrites bool) store.Store {
						return open(t, dsn, Options{LegacyWrites: legacyWrites, wrap: variant.wrap})
					}
					return db
				})
			})
		}
	})
}

// atBegin has each transaction see the database as it is when the transaction begins.
func atBegin(c driver.Connector) driver.Connector { return snapshotConnector{c} }

type snapshotConnector struct{ driver.Connector }

func (c snapshotConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &snapshotConn{brittleConn{Conn: conn, b: &breaker{}}}, nil
}

// snapshotConn reads something first.
type snapshotConn struct{ brittleConn }

func (c *snapshotConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.brittleConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	rows, err := c.QueryContext(ctx, "SELECT slot FROM jetmon_site_locks LIMIT 1", nil)
	if err == nil {
		err = rows.Close()
	}
	if err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}
