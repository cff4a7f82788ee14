package sqlstore

import "context"

// Sessions returns how many connections to the database a Store opens at most, and how many of
// them if the DSN names replicas; none when it cannot be used. It connects to nothing.
func (d DSN) Sessions() (all, readers int) {
	c, err := d.dialect.connectors(context.Background(), d, purpose{})
	if err != nil {
		return 0, 0
	}
	return c.leases + c.writers + c.readers, c.readers
}
