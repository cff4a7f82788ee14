package wordpress

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/mariadb"
)

// database is how WordPress reaches its own.
type database struct{ name, user, password, host string }

// newDatabase makes an empty one on the server of this test process.
func newDatabase(t testing.TB) database {
	t.Helper()
	var d database
	rest := strings.TrimPrefix(mariadb.Start(t), "mysql://")
	d.user, rest, _ = strings.Cut(rest, ":")
	d.password, rest, _ = strings.Cut(rest, "@tcp(")
	d.host, d.name, _ = strings.Cut(rest, ")/")
	return d
}

// query runs statements, and returns rows, one a line with tabs between the columns.
func (d database) query(sql string) (string, error) {
	client, err := find("mariadb")
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(d.host)
	if err != nil {
		return "", fmt.Errorf("the database's address: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, client, "--no-defaults", "--protocol=tcp", "--host="+host, "--port="+port, "--user="+d.user, "--batch", "--skip-column-names", d.name)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+d.password)
	cmd.Stdin = strings.NewReader(sql)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("query: %w: %s", err, out)
	}
	return string(out), nil
}
