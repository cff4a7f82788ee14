package galera

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/Automattic/jetmon/test/mariadb"
)

// Size is the number of nodes of a cluster.
const Size = 3

// Cluster is the nodes of one group.
type Cluster struct {
	Nodes  [Size]*Node
	copies atomic.Int64
}

// libraries are where Debian's package galera-4 has the provider.
func libraries() []string {
	return []string{"/usr/lib/galera/libgalera_smm.so", "/usr/lib/libgalera_smm.so"}
}

// errMissing is the only error message on a machine without Galera.
var errMissing = errors.New("galera is missing: install Debian's galera-4 and rsync (make test-galera does it as root)")

// shared is the cluster of this test process.
var shared = sync.OnceValues(launch)

// Shared returns the cluster of this test process, which the first call starts.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// New starts a separate cluster for the test, with one empty database, which Query asks. It ends
// with the test, and a failed test shows what its nodes have logged last.
func New(t testing.TB) *Cluster {
	t.Helper()
	c, err := launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, n := range c.Nodes {
			if t.Failed() {
				text := n.Log()
				t.Logf("%s logged:\n%s", n.Name, text[max(0, len(text)-6_000):])
			}
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	for i, dsn := range c.Database(t) {
		c.Nodes[i].Use(dsn)
	}
	return c
}

// Database makes an empty database and returns its DSNs, one by way of each node.
func (c *Cluster) Database(t testing.TB) (dsns []string) {
	t.Helper()
	first := c.Nodes[0].Database(t)
	for _, n := range c.Nodes {
		dsns = append(dsns, n.DSNOf(nameOf(first)))
	}
	return dsns
}

// Copy makes a database with the tables and rows of another one, and returns its DSNs as Database
// does. Each node makes its own copy, which saves the group some hundred statements that all
// of it has to carry out at the same moment.
func (c *Cluster) Copy(t testing.TB, of string) (dsns []string) {
	t.Helper()
	from, name := nameOf(of), fmt.Sprintf("copy%d", c.copies.Add(1))
	tables := strings.Fields(c.Nodes[0].run(t, "SELECT table_name FROM information_schema.tables WHERE table_schema = '"+from+"'"))
	var sql strings.Builder
	fmt.Fprintf(&sql, "SET SESSION wsrep_on = OFF; CREATE DATABASE %s;\n", name)
	for _, table := range tables {
		fmt.Fprintf(&sql, "CREATE TABLE %[1]s.%[3]s LIKE %[2]s.%[3]s; INSERT INTO %[1]s.%[3]s SELECT * FROM %[2]s.%[3]s;\n", name, from, table)
	}
	var copying errgroup.Group
	for _, n := range c.Nodes {
		dsns = append(dsns, n.DSNOf(name))
		copying.Go(func() error {
			_, err := n.Run(context.WithoutCancel(t.Context()), sql.String())
			return err
		})
	}
	if err := copying.Wait(); err != nil {
		t.Fatal(err)
	}
	return dsns
}

func nameOf(dsn string) string { return dsn[strings.LastIndex(dsn, "/")+1:] }

// launch makes the nodes and starts them.
func launch() (c *Cluster, err error) {
	library := ""
	for _, path := range libraries() {
		if _, err := os.Stat(path); err == nil {
			library = path
		}
	}
	if _, err := exec.LookPath("rsync"); err != nil || library == "" {
		return nil, errMissing
	}
	c = &Cluster{}
	group := make([]string, Size)
	for i := range c.Nodes {
		n := &Node{Name: fmt.Sprintf("node-%d", i+1), host: fmt.Sprintf("127.0.0.%d", i+1), library: library}
		for _, port := range []*int{&n.group, &n.increments, &n.copies} {
			if *port, err = mariadb.FreePort(n.host); err != nil {
				return nil, err
			}
		}
		c.Nodes[i], group[i] = n, fmt.Sprintf("%s:%d", n.host, n.group)
	}
	if err := c.gather("gcomm://" + strings.Join(group, ",")); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// gather starts the nodes: the first is the group, and the others join it, each with a copy of
// its data.
func (c *Cluster) gather(group string) error {
	if err := c.Nodes[0].launch(group, true); err != nil {
		return err
	}
	var joining errgroup.Group
	for _, n := range c.Nodes[1:] {
		joining.Go(func() error { return n.launch(group, false) })
	}
	return joining.Wait()
}

// stop ends the nodes that were started.
func (c *Cluster) stop() (err error) {
	for _, n := range c.Nodes {
		if n.Server != nil {
			err = errors.Join(err, n.Stop())
		}
	}
	return err
}
