package mariadb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	account  = "jetmon"
	password = "correct-horse"
	// plainUser has all rights on the tables and none on the server.
	plainUser = "plain"
	// patience limits each step: installing, starting, one statement.
	patience = time.Minute
)

// The commands of the shell that runs a server. The end of its input counts as forget.
const (
	keep   = "keep"
	forget = "forget"
)

// guard is the script of that shell. It runs the server, waits for a line or the end of its
// input, kills the server, and removes the directory unless the line says to keep it.
const guard = `"$@" & pid=$!
read -r word
kill -9 "$pid"; wait "$pid" 2>/dev/null
[ "$word" = ` + keep + ` ] || rm -rf "$DIRECTORY"`

// Server is one mariadbd with its data directory.
type Server struct {
	options             Options
	dir, binary, client string
	port                int
	dsn                 string
	databases           atomic.Int64

	// The shell that runs the server; nil after a kill.
	guard *exec.Cmd
	input io.WriteCloser
}

// Options say how a server differs from what most tests need.
type Options struct {
	// Host is its address of 127.0.0.0/8; "" is 127.0.0.1.
	Host string
	// User of the system is who runs it when root starts it; "" is root.
	User string
	// Args are more arguments of mariadbd, which override the others.
	Args []string
	// Restarted are those of a restart instead; nil means the same.
	Restarted []string
	// Recover returns more arguments for a restart after a kill; nil means none. It may run the
	// binary on the data directory, with the arguments of as.
	Recover func(binary string, as []string, data string) ([]string, error)
}

// Launch installs and starts a server that ends with Stop or with its process. It also searches
// the directories of root's PATH.
func Launch(o Options) (*Server, error) {
	o.Host = cmp.Or(o.Host, "127.0.0.1")
	s := &Server{options: o}
	install, err := s.find(append(filepath.SplitList(os.Getenv("PATH")),
		"/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"))
	if err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "jetmon-mariadb-"); err != nil {
		return nil, fmt.Errorf("make the server's directory: %w", err)
	}
	if err := s.setUp(install); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	// Another process may take a free port before the server listens on it.
	for range 3 {
		if s.port, err = FreePort(o.Host); err != nil {
			break
		}
		if err = s.start(o.Args); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(s.dir))
}

// find searches dirs for the programs.
func (s *Server) find(dirs []string) (install string, err error) {
	look := func(names ...string) string {
		for _, name := range names {
			for _, dir := range dirs {
				if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
					return path
				}
			}
		}
		return ""
	}
	s.binary, s.client = look("mariadbd"), look("mariadb", "mysql")
	install = look("mariadb-install-db")
	if s.binary == "" || s.client == "" || install == "" {
		return "", errMissing
	}
	return install, nil
}

// setUp fills the data directory and writes the statements that create our users.
func (s *Server) setUp(install string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Concurrent set-ups must not share /tmp: they would delete each other's temporary
	// tables.
	if err := os.Mkdir(s.temp(), 0o700); err != nil {
		return fmt.Errorf("make the server's directory: %w", err)
	}
	if err := s.giveAway(); err != nil {
		return fmt.Errorf("give the server its directory: %w", err)
	}
	args := append([]string{"--no-defaults", "--datadir=" + s.data(), "--tmpdir=" + s.temp(), "--skip-test-db",
		"--auth-root-authentication-method=normal", "--innodb-flush-method=nosync"}, s.asUser()...)
	if out, err := exec.CommandContext(ctx, install, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	sql := "CREATE USER IF NOT EXISTS '" + account + "'@'127.0.0.1' IDENTIFIED BY '" + password + "';\n" +
		"GRANT ALL ON *.* TO '" + account + "'@'127.0.0.1' WITH GRANT OPTION;\n" +
		"CREATE USER IF NOT EXISTS '" + plainUser + "'@'127.0.0.1' IDENTIFIED BY '" + password + "';\n" +
		"GRANT ALL ON `t%`.* TO '" + plainUser + "'@'127.0.0.1';\n"
	if err := os.WriteFile(s.initFile(), []byte(sql), 0o600); err != nil {
		return fmt.Errorf("write the server's first statements: %w", err)
	}
	if err := s.giveAway(); err != nil {
		return fmt.Errorf("give the server its directory: %w", err)
	}
	return nil
}

func (s *Server) data() string     { return filepath.Join(s.dir, "data") }
func (s *Server) temp() string     { return filepath.Join(s.dir, "tmp") }
func (s *Server) initFile() string { return filepath.Join(s.dir, "init.sql") }
func (s *Server) errorLog() string { return filepath.Join(s.dir, "error.log") }

// start runs the server and waits until it answers.
func (s *Server) start(more []string) error {
	args := slices.Concat([]string{"-c", guard, "sh", s.binary, "--no-defaults",
		"--datadir=" + s.data(), "--tmpdir=" + s.temp(), "--init-file=" + s.initFile(), "--log-error=" + s.errorLog(),
		"--bind-address=" + s.options.Host, "--port=" + strconv.Itoa(s.port), "--socket=mariadbd.sock",
		"--pid-file=" + filepath.Join(s.dir, "pid"), "--skip-name-resolve", "--max-connections=1000",
		// These settings are small and quick. Tests kill only the process and never the
		// machine, so nothing has to reach the disk.
		"--innodb-buffer-pool-size=128M", "--innodb-flush-method=nosync", "--skip-log-bin",
		"--innodb-stats-persistent=0", "--performance-schema=0"}, more, s.asUser())
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = append(os.Environ(), "DIRECTORY="+s.dir)
	// A Ctrl-C at the terminal must reach only the tests, or the shell would die first.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start mariadbd: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start mariadbd: %w", err)
	}
	s.guard, s.input = cmd, input
	if err := s.awaitReady(); err != nil {
		log, _ := os.ReadFile(s.errorLog())
		return errors.Join(fmt.Errorf("mariadbd does not answer: %w; its log:\n%s", err, log), s.stop(keep))
	}
	return nil
}

// awaitReady waits until our user can log in.
func (s *Server) awaitReady() error {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.dial()
		if err == nil {
			err = s.run("SELECT 1")
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
		<-tick.C
	}
}

func (s *Server) dial() error {
	conn, err := net.DialTimeout("tcp", s.address(), time.Second)
	if err != nil {
		return fmt.Errorf("dial mariadbd: %w", err)
	}
	return conn.Close()
}

// run runs a statement with the command-line client, because only the store imports drivers.
func (s *Server) run(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := s.query(ctx, "", sql)
	return err
}

// query runs statements in a database, and returns the rows, one per line with tabs between
// the columns.
func (s *Server) query(ctx context.Context, database, sql string) (string, error) {
	cmd := exec.CommandContext(ctx, s.client, "--no-defaults", "--protocol=tcp", "--host="+s.options.Host, "--batch", "--skip-column-names",
		"--port="+strconv.Itoa(s.port), "--user="+account, "--database="+database)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	cmd.Stdin = strings.NewReader(sql)
	var rows, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &rows, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run %.200q: %w: %s", sql, err, &complaints)
	}
	return rows.String(), nil
}

// Query runs statements in the server's first database with all rights. It returns the
// rows, one per line with tabs between the columns.
func (s *Server) Query(t testing.TB, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rows, err := s.query(ctx, s.name(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (s *Server) name() string { return s.dsn[strings.LastIndex(s.dsn, "/")+1:] }

// stop ends the server at once and waits for its end; word decides about the directory.
func (s *Server) stop(word string) error {
	if s.guard == nil {
		if word == forget {
			return os.RemoveAll(s.dir)
		}
		return nil
	}
	_, err := io.WriteString(s.input, word+"\n")
	err = errors.Join(err, s.input.Close())
	// The shell ends with the status of its last command, which tells nothing.
	if e := s.guard.Wait(); e != nil {
		if _, ok := errors.AsType[*exec.ExitError](e); !ok {
			err = errors.Join(err, e)
		}
	}
	s.guard, s.input = nil, nil
	return err
}

// DSNOf returns the DSN of a database by its name, whether it is there or not.
func (s *Server) DSNOf(database string) string {
	return fmt.Sprintf("mysql://%s:%s@tcp(%s)/%s", account, password, s.address(), database)
}

// Run runs statements with all rights, in no database, and returns the rows as Query does. Nothing
// but ctx limits it.
func (s *Server) Run(ctx context.Context, sql string) (string, error) { return s.query(ctx, "", sql) }

// Use makes the database of a DSN that of DSN and Query.
func (s *Server) Use(dsn string) { s.dsn = dsn }

// DSN returns the DSN of the server's first database.
func (s *Server) DSN() string { return s.dsn }

// PlainDSN returns the DSN for a user without rights on the server itself, to whom read_only
// applies. It dials address, which must lead to the server.
func (s *Server) PlainDSN(address string) string {
	return fmt.Sprintf("mysql://%s:%s@tcp(%s)/%s", plainUser, password, address, s.name())
}

// Address returns the server's HOST:PORT.
func (s *Server) Address() string { return s.address() }

// Port returns the server's port; Restart keeps it.
func (s *Server) Port() int { return s.port }

func (s *Server) address() string { return net.JoinHostPort(s.options.Host, strconv.Itoa(s.port)) }

// Kill ends the server with SIGKILL and returns when it is dead. It keeps the data.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.stop(keep); err != nil {
		t.Fatalf("kill mariadbd: %v", err)
	}
}

// signal sends a signal to the server's process, and returns its id.
func (s *Server) signal(t testing.TB, sig syscall.Signal) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatalf("%v to mariadbd: %v", sig, err)
	}
	return pid
}

// Restart starts the killed server again on its port and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if s.guard != nil {
		t.Fatal("restart mariadbd: it runs")
	}
	more := s.options.Args
	if s.options.Restarted != nil {
		more = s.options.Restarted
	}
	if s.options.Recover != nil {
		found, err := s.options.Recover(s.binary, s.asUser(), s.data())
		if err != nil {
			t.Fatal(err)
		}
		more = slices.Concat(more, found)
	}
	if err := s.start(more); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() error { return s.stop(forget) }

// Log returns what the server has logged.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.errorLog())
	return string(text)
}

// asUser says who runs mariadbd. It runs as root only with an explicit option.
func (s *Server) asUser() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=" + cmp.Or(s.options.User, "root")}
	}
	return nil
}

// giveAway gives the directory to the user that runs the server.
func (s *Server) giveAway() error {
	if os.Geteuid() != 0 || s.options.User == "" {
		return nil
	}
	u, err := user.Lookup(s.options.User)
	if err != nil {
		return err
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	return filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	})
}

// FreePort finds a port of an address that nobody uses now.
func FreePort(host string) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
