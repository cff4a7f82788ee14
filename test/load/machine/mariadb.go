//go:build linux

package machine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
)

const (
	user     = "jetmon"
	password = "correct-horse"
	schema   = "jetmon"
	// startWithin limits the set-up and start of the server.
	startWithin = 2 * time.Minute
)

// guard runs the server until its standard input ends; then it kills the server and removes
// the directory. The input ends however the program at the other end of the pipe ends.
const guard = `"$@" & pid=$!
read -r word
kill -9 "$pid"; wait "$pid" 2>/dev/null
rm -rf "$DIRECTORY"`

// Database is a private MariaDB with one schema.
type Database struct {
	dir   string
	port  int
	shell *exec.Cmd
	input io.WriteCloser
	// DB is the database for programs that write behind a coordinator's back.
	DB *sql.DB
}

// StartDatabase sets up a server with enough memory for the rows, up to a limit. It does not
// wait for the disk.
func StartDatabase(ctx context.Context, sites int) (*Database, error) {
	return startDatabase(ctx, sites, "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0")
}

// StartDurableDatabase does so with a server that has each transaction on the disk before it
// answers, as in production.
func StartDurableDatabase(ctx context.Context, sites int) (*Database, error) {
	return startDatabase(ctx, sites, "--innodb-flush-log-at-trx-commit=1")
}

func startDatabase(ctx context.Context, sites int, flush ...string) (*Database, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	binary, install, err := findServer()
	if err != nil {
		return nil, err
	}
	d := &Database{}
	if d.dir, err = os.MkdirTemp("", "jetmon-load-"); err != nil {
		return nil, fmt.Errorf("make the database's directory: %w", err)
	}
	if err := d.setUp(ctx, install); err != nil {
		return nil, errors.Join(err, os.RemoveAll(d.dir))
	}
	if d.port, err = freePort(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(d.dir))
	}
	if err := d.start(ctx, binary, sites, flush); err != nil {
		log, _ := os.ReadFile(d.path("error.log"))
		return nil, errors.Join(fmt.Errorf("start mariadbd: %w; its log:\n%s", err, log), d.Stop())
	}
	return d, nil
}

func findServer() (binary, install string, err error) {
	dirs := append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin")
	look := func(name string) string {
		for _, dir := range dirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
		return ""
	}
	binary, install = look("mariadbd"), look("mariadb-install-db")
	if binary == "" || install == "" {
		return "", "", errors.New("mariadbd is missing: install Debian's mariadb-server (make mariadb does it as root)")
	}
	return binary, install, nil
}

func (d *Database) path(name string) string { return filepath.Join(d.dir, name) }

func (d *Database) setUp(ctx context.Context, install string) error {
	if err := os.Mkdir(d.path("tmp"), 0o700); err != nil {
		return fmt.Errorf("make the database's directory: %w", err)
	}
	args := append([]string{"--no-defaults", "--datadir=" + d.path("data"), "--tmpdir=" + d.path("tmp"), "--skip-test-db",
		"--auth-root-authentication-method=normal", "--innodb-flush-method=nosync"}, asRoot()...)
	if out, err := exec.CommandContext(ctx, install, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	text := "CREATE DATABASE IF NOT EXISTS " + schema + ";\n" +
		"CREATE USER IF NOT EXISTS '" + user + "'@'127.0.0.1' IDENTIFIED BY '" + password + "';\n" +
		"GRANT ALL ON *.* TO '" + user + "'@'127.0.0.1';\n"
	if err := os.WriteFile(d.path("init.sql"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the server's first statements: %w", err)
	}
	return nil
}

// start runs the server and waits until our user can log in.
func (d *Database) start(ctx context.Context, binary string, sites int, flush []string) error {
	pool := min(max(256, sites*250>>20), 4096)
	args := append([]string{"-c", guard, "sh", binary, "--no-defaults",
		"--datadir=" + d.path("data"), "--tmpdir=" + d.path("tmp"), "--init-file=" + d.path("init.sql"),
		"--log-error=" + d.path("error.log"), "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(d.port),
		"--socket=mariadbd.sock", "--pid-file=" + d.path("pid"), "--skip-name-resolve", "--max-connections=1000",
		"--innodb-buffer-pool-size=" + strconv.Itoa(pool) + "M", "--innodb-log-file-size=512M",
		"--skip-log-bin", "--performance-schema=0"}, append(asRoot(), flush...)...)
	shell := exec.Command("/bin/sh", args...)
	shell.Env = append(os.Environ(), "DIRECTORY="+d.dir)
	// A Ctrl-C at the terminal must reach only this program, which then ends the server.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := shell.StdinPipe()
	if err != nil {
		return err
	}
	if err := shell.Start(); err != nil {
		return err
	}
	d.shell, d.input = shell, input
	if d.DB, err = sql.Open("mysql", fmt.Sprintf("%s:%s@%s", user, password, d.address())); err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := d.DB.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (d *Database) address() string { return fmt.Sprintf("tcp(127.0.0.1:%d)/%s", d.port, schema) }

// DSN returns the database's DSN for the coordinator.
func (d *Database) DSN() string { return fmt.Sprintf("mysql://%s:%s@%s", user, password, d.address()) }

// PID returns the server's process id.
func (d *Database) PID() (int, error) {
	text, err := os.ReadFile(d.path("pid"))
	if err != nil {
		return 0, fmt.Errorf("find the database's process: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// Stop ends the server and removes its directory.
func (d *Database) Stop() error {
	var err error
	if d.DB != nil {
		err = d.DB.Close()
	}
	if d.shell == nil {
		return errors.Join(err, os.RemoveAll(d.dir))
	}
	err = errors.Join(err, d.input.Close())
	// The shell ends with the status of its last command.
	return errors.Join(err, d.shell.Wait())
}

// asRoot lets mariadbd run as root, which it does only with an explicit option.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
