package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/certs"
)

// credentialsCommand is `jetmon credentials`: what a compose file runs before everything else.
type credentialsCommand struct {
	Dir         string      `default:"credentials" placeholder:"DIR" help:"Folder for it: authority/ with ca.crt and ca.key; for each node nodes/NAME/ with ca.crt, node.crt and node.key, which is what --certs takes; database/ with password and dsn."`
	Node        []fleetNode `sep:"none" placeholder:"ROLE/NAME[=HOST,...]" help:"A node of the fleet (repeatable), and the names and addresses by which others dial it: by default its NAME. A checker has none."`
	Database    string      `placeholder:"USER@HOST:PORT/NAME" help:"Make a password for this user of a database too, and the DSN for --db @FILE."`
	TrustDomain string      `placeholder:"NAME" help:"Trust domain of the identities: spiffe://NAME/ROLE/NODE; jetmon by default. The authority records it."`
	For         age         `default:"90d" placeholder:"TIME" help:"How long a certificate lives."`
	Renew       age         `default:"30d" placeholder:"TIME" help:"Replace certificates that end within this time. Processes that use them take the new ones within a minute."`
}

// fleetNode is a node of a fleet that gets a certificate.
type fleetNode struct {
	role, name string
	hosts      []string
}

// UnmarshalText reads ROLE/NAME=HOST,HOST.
func (n *fleetNode) UnmarshalText(text []byte) error {
	id, hosts, given := strings.Cut(string(text), "=")
	role, name, ok := strings.Cut(id, "/")
	if !ok || role == "" || name == "" || given && hosts == "" {
		return fmt.Errorf("%q: want ROLE/NAME, or ROLE/NAME= and hosts with commas between them", text)
	}
	*n = fleetNode{role: role, name: name}
	switch {
	case given:
		n.hosts = strings.Split(hosts, ",")
	case access.Role(role) != access.Checker && access.Role(role) != access.Asker:
		n.hosts = []string{name}
	}
	return nil
}

// Run makes what is missing.
func (c *credentialsCommand) Run(p *program) error {
	seen := map[string]bool{}
	for _, n := range c.Node {
		if err := c.request(n).Validate(); err != nil {
			return usagef("--node %s/%s: %w", n.role, n.name, err)
		}
		if key := strings.ToLower(n.name); seen[key] {
			return usagef("--node: two nodes are named %s", n.name)
		} else {
			seen[key] = true
		}
	}
	if time.Duration(c.For) <= time.Duration(c.Renew) {
		return usagef("--for: must be longer than --renew, or every run would replace every certificate")
	}
	password, dsn := "", ""
	if c.Database != "" {
		password = rand.Text()
		var err error
		if dsn, err = databaseDSN(c.Database, password); err != nil {
			return err
		}
	}
	if err := c.certificates(p); err != nil {
		return err
	}
	if dsn == "" {
		return nil
	}
	return c.database(p, password)
}

func (c *credentialsCommand) request(n fleetNode) certs.Request {
	return certs.Request{Role: access.Role(n.role), Name: n.name, Hosts: n.hosts, Life: time.Duration(c.For)}
}

// certificates makes the authority and a folder for each node.
func (c *credentialsCommand) certificates(p *program) error {
	now := time.Now()
	a, fresh, err := certs.OpenOrInit(filepath.Join(c.Dir, "authority"), c.TrustDomain, now)
	if err != nil {
		return err
	}
	if err := c.tell(p, a.KeyFile(), fresh, "the authority of spiffe://"+a.Domain()); err != nil {
		return err
	}
	for _, n := range c.Node {
		pair, fresh, err := a.Provide(filepath.Join(c.Dir, "nodes", n.name), c.request(n), time.Duration(c.Renew), now)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%s %s, until %s", n.role, n.name, pair.Certificate.NotAfter.UTC().Format(time.DateOnly))
		if err := c.tell(p, pair.CertFile, fresh, what); err != nil {
			return err
		}
	}
	return nil
}

// database makes the password, unless there is one, and the DSN with it. The group may read
// both: a database often runs as another user of the same group.
func (c *credentialsCommand) database(p *program, password string) error {
	dir := filepath.Join(c.Dir, "database")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	file := filepath.Join(dir, "password")
	old, err := os.ReadFile(file)
	switch {
	case err == nil && strings.TrimSpace(string(old)) == "":
		return fmt.Errorf("%s is empty: remove it, unless the database has a password already", file)
	case err == nil:
		password = strings.TrimSpace(string(old))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if err := writeSecret(file, password); err != nil {
			return err
		}
	}
	if err := c.tell(p, file, err != nil, "the password of the database"); err != nil {
		return err
	}
	dsn, err := databaseDSN(c.Database, password)
	if err != nil {
		return err
	}
	file = filepath.Join(dir, "dsn")
	if old, err := os.ReadFile(file); err == nil && string(old) == dsn {
		return c.tell(p, file, false, "where the database is")
	}
	if err := writeSecret(file, dsn); err != nil {
		return err
	}
	return c.tell(p, file, true, "where the database is")
}

func (c *credentialsCommand) tell(p *program, file string, fresh bool, what string) error {
	state := "kept"
	if fresh {
		state = "made"
	}
	_, err := fmt.Fprintf(p.Out, "%s  %s: %s\n", state, file, what)
	return err
}

// databaseDSN makes the DSN of USER@HOST:PORT/NAME.
func databaseDSN(database, password string) (string, error) {
	user, rest, ok := strings.Cut(database, "@")
	addr, name, named := strings.Cut(rest, "/")
	if !ok || !named || user == "" || name == "" || strings.ContainsAny(user, ":/") {
		return "", usagef("--database: %q is not USER@HOST:PORT/NAME", database)
	}
	if err := checkAddr(addr, 1); err != nil {
		return "", usagef("--database: %w", err)
	}
	dsn := fmt.Sprintf("mysql://%s:%s@tcp(%s)/%s", user, password, addr, name)
	if _, err := sqlstore.ParseDSN(dsn); err != nil {
		return "", usagef("--database: %w", err)
	}
	return dsn, nil
}

// writeSecret writes a file as a whole or not at all.
func writeSecret(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".jetmon-*") // 0600
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	err = errors.Join(err, file.Chmod(0o640), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
