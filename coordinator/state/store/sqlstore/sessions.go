package sqlstore

import "context"

// Sessions returns how many connections to the database a Store opens at most; 0 when the DSN
// cannot be used. It connects to nothing.
func (d DSN) Sessions() int {
	c, err := d.dialect.connectors(context.Background(), d, purpose{})
	if err != nil {
		return 0
	}
	return c.leases + c.writers + c.readers
}
