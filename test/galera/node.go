package galera

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/mariadb"
)

// Node is one node of a cluster.
type Node struct {
	*mariadb.Server
	Name          string
	host, library string
	// group, increments and copies are ports: of the group's messages, and of the two kinds of
	// state transfers.
	group, increments, copies int
	// release ends what Hold began.
	release func() error
}

// patience limits each step.
const patience = time.Minute

// systemUser is whom Debian's package lets run the server. Root would not do: rsync, as root,
// writes what it receives as nobody.
const systemUser = "mysql"

// logFiles keeps a node's data small, for they are copied.
const logFiles = "--innodb-log-file-size=24M"

// launch starts a node for the first time: of a new group, or as one that joins.
func (n *Node) launch(group string, first bool) error {
	o := mariadb.Options{Host: n.host, User: systemUser, Recover: n.recovered, Args: []string{
		"--wsrep-on=ON", "--wsrep-provider=" + n.library, "--wsrep-cluster-name=jetmon", "--wsrep-node-name=" + n.Name,
		"--wsrep-node-address=" + n.host, "--wsrep-cluster-address=" + group, "--wsrep-slave-threads=4",
		"--wsrep-sst-method=rsync", "--wsrep-sst-receive-address=" + n.host + ":" + strconv.Itoa(n.copies),
		"--wsrep-provider-options=gcache.size=32M;gcache.page_size=8M;base_host=" + n.host +
			";gmcast.listen_addr=tcp://" + n.host + ":" + strconv.Itoa(n.group) +
			";ist.recv_addr=tcp://" + n.host + ":" + strconv.Itoa(n.increments),
		"--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--innodb-flush-log-at-trx-commit=0", "--innodb-file-per-table=0", logFiles,
	}}
	if first {
		o.Restarted = o.Args
		o.Args = append(slices.Clone(o.Args), "--wsrep-new-cluster")
	}
	s, err := mariadb.Launch(o)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	n.Server = s
	return n.awaitSynced()
}

// recovered finds how far a killed node's data reach, which is what it asks the group to go on
// from.
func (n *Node) recovered(binary string, as []string, data string) ([]string, error) {
	log := filepath.Join(data, "recovery.log")
	args := append([]string{"--no-defaults", "--datadir=" + data, "--wsrep-recover", "--log-error=" + log,
		"--wsrep-on=ON", "--wsrep-provider=" + n.library, "--wsrep-cluster-address=gcomm://", "--binlog-format=ROW",
		"--innodb-flush-method=nosync", "--socket=recovery.sock", "--skip-networking", logFiles}, as...)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// What it says counts, not how it ends.
	out, ended := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	text, err := os.ReadFile(log)
	if err != nil {
		return nil, fmt.Errorf("recover the position: %w: %s", errors.Join(ended, err), out)
	}
	found := regexp.MustCompile(`Recovered position: (\S+:-?\d+)`).FindSubmatch(text)
	if found == nil {
		return nil, fmt.Errorf("no position was recovered: %w\n%s", ended, text)
	}
	return []string{"--wsrep-start-position=" + string(found[1])}, os.Remove(log)
}

// awaitSynced waits until the node takes part.
func (n *Node) awaitSynced() error {
	deadline := time.Now().Add(patience)
	for {
		ready, state, err := n.state()
		if err == nil && ready == "ON" && state == "Synced" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is %q, ready %q, %w", n.Name, state, ready, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// state asks the node whether it accepts statements, and what it is doing.
func (n *Node) state() (ready, doing string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rows, err := n.Run(ctx, "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_local_state_comment')")
	for line := range strings.Lines(rows) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), "\t"); name {
		case "wsrep_ready":
			ready = value
		case "wsrep_local_state_comment":
			doing = value
		}
	}
	return ready, doing, err
}

// number reads a number of the node's status.
func (n *Node) number(t testing.TB, name string) int64 {
	t.Helper()
	row := n.run(t, "SHOW GLOBAL STATUS LIKE '"+name+"'")
	_, value, _ := strings.Cut(strings.TrimSpace(row), "\t")
	v, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.Fatalf("%s of %s: %v", name, n.Name, err)
	}
	return v
}

// Applied is how far in the order of all transactions of the group the node has come.
func (n *Node) Applied(t testing.TB) int64 {
	t.Helper()
	return n.number(t, "wsrep_last_committed")
}

func (n *Node) run(t testing.TB, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	rows, err := n.Run(ctx, sql)
	if err != nil {
		t.Fatalf("%s: %v", n.Name, err)
	}
	return rows
}

// Isolate cuts the node off from the others, which go on without it; it then refuses nearly
// every statement. It returns once the node has noticed.
func (n *Node) Isolate(t testing.TB) {
	t.Helper()
	n.run(t, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
	n.await(t, "is cut off", func() bool {
		ready, _, err := n.state()
		return err == nil && ready == "OFF"
	})
}

// Rejoin ends what Isolate did, and returns once the node takes part again.
func (n *Node) Rejoin(t testing.TB) {
	t.Helper()
	n.run(t, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
	if err := n.awaitSynced(); err != nil {
		t.Fatal(err)
	}
}

// Return starts a killed node, which fetches what it has missed from the others.
func (n *Node) Return(t testing.TB) {
	t.Helper()
	n.Restart(t)
	if err := n.awaitSynced(); err != nil {
		t.Fatal(err)
	}
}

// Hold keeps the node from applying what the others commit, as a backup's lock does, until
// Release. The others do not wait for it. It falls behind and neither writes nor, where reads
// wait for what is committed, reads.
func (n *Node) Hold(t testing.TB) {
	t.Helper()
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	over := make(chan error, 1)
	go func() {
		_, err := n.Run(ctx, "SET GLOBAL wsrep_desync = ON; FLUSH TABLES WITH READ LOCK; DO SLEEP(600)")
		over <- err
	}()
	n.release = sync.OnceValue(func() error {
		end()
		<-over // its client was killed
		return n.undo()
	})
	t.Cleanup(func() { _ = n.release() })
	n.await(t, "is held", func() bool {
		select {
		case err := <-over:
			t.Fatalf("hold %s: %v", n.Name, err)
		default:
		}
		found, err := n.Run(t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' AND state = 'User sleep'")
		return err == nil && strings.TrimSpace(found) == "1"
	})
}

// undo ends the session that holds the node, if it is still there.
func (n *Node) undo() error {
	ctx := context.Background()
	ids, err := n.Run(ctx, "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' AND state = 'User sleep'")
	if err != nil {
		return err
	}
	for _, id := range strings.Fields(ids) {
		if _, err := n.Run(ctx, "KILL "+id); err != nil {
			return err
		}
	}
	_, err = n.Run(ctx, "SET GLOBAL wsrep_desync = OFF")
	return err
}

// Release ends what Hold did, and returns once the node has caught up.
func (n *Node) Release(t testing.TB) {
	t.Helper()
	if err := n.release(); err != nil {
		t.Fatal(err)
	}
	if err := n.awaitSynced(); err != nil {
		t.Fatal(err)
	}
}

func (n *Node) await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it does not come about that it %s", n.Name, what)
		}
	}
}
