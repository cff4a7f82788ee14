package mariadb

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// victim makes this test binary the victim in TestNoServerOutlivesItsProcess.
const victim = "JETMON_TEST_MARIADB_VICTIM"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachCallGetsAnEmptyDatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := Start(t), Start(t)
	if a == b {
		t.Fatalf("both calls returned %s", a)
	}
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{a, b} {
		name := dsn[strings.LastIndex(dsn, "/")+1:]
		if err := s.run("CREATE TABLE " + name + ".only_one (id INT)"); err != nil {
			t.Error(err)
		}
	}
}

func TestAKilledServerComesBackWithItsData(t *testing.T) {
	t.Parallel()
	s := NewServer(t)
	port, name := s.Port(), s.DSN()[strings.LastIndex(s.DSN(), "/")+1:]
	if err := s.run("CREATE TABLE " + name + ".kept (id INT PRIMARY KEY); INSERT INTO " + name + ".kept VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	s.Kill(t)
	if err := s.dial(); err == nil {
		t.Error("something still listens after Kill")
	}
	s.Restart(t)
	if s.Port() != port {
		t.Errorf("port %d after Restart, want %d", s.Port(), port)
	}
	if err := s.run("INSERT INTO " + name + ".kept VALUES (1)"); err == nil || !strings.Contains(err.Error(), "Duplicate") {
		t.Errorf("the row is gone after a kill: %v", err)
	}
}

func TestReadOnlyBindsThePlainUser(t *testing.T) {
	t.Parallel()
	s := NewServer(t)
	s.Query(t, "CREATE TABLE kept (id INT PRIMARY KEY); INSERT INTO kept VALUES (7); SET GLOBAL read_only=1")
	out, err := exec.Command(s.client, "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port="+strconv.Itoa(s.Port()),
		"--user="+plainUser, "--password="+password, "--execute=INSERT INTO kept VALUES (8)", s.name()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "read-only") {
		t.Errorf("the plain user writes: %v: %s", err, out)
	}
	if rows := s.Query(t, "SELECT id, 'x' FROM kept"); rows != "7\tx\n" {
		t.Errorf("rows %q", rows)
	}
	if dsn := s.PlainDSN("127.0.0.1:1"); dsn != "mysql://plain:correct-horse@tcp(127.0.0.1:1)/t1" {
		t.Error(dsn)
	}
}

func TestAPausedServerGoesOn(t *testing.T) {
	t.Parallel()
	s := NewServer(t)
	s.Pause(t)
	answered := make(chan error, 1)
	go func() { answered <- s.run("SELECT 1") }()
	select {
	case err := <-answered:
		t.Errorf("a paused server answers: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	s.Resume(t)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestNoServerOutlivesItsProcess kills a test process that has a server.
func TestNoServerOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv(victim) != "" {
		s := NewServer(t)
		fmt.Printf("victim %s %s\n", s.dir, s.address())
		bufio.NewReader(os.Stdin).ReadString('\n') // until it is killed
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoServerOutlivesItsProcess$")
	cmd.Env = append(os.Environ(), victim+"=1")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var dir, address string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), "victim %s %s", &dir, &address); n == 2 {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed" is the intended result
	if dir == "" {
		t.Fatal("the victim did not say where its server is")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", dir)
		}
	}
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("the server still listens after its process was killed", conn.Close())
	}
}

func TestAMachineWithoutMariaDBIsToldWhatToInstall(t *testing.T) {
	t.Parallel()
	_, err := (&Server{}).find([]string{t.TempDir()})
	const want = "mariadbd is missing: install Debian's mariadb-server (make test does it as root)"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestCopiesHaveWhatWasPreparedAndNothingOfEachOther(t *testing.T) {
	t.Parallel()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	prepared := 0
	c := Copies{Prepare: func(dsn string) error {
		prepared++
		name := dsn[strings.LastIndex(dsn, "/")+1:]
		return s.run("USE " + name + "; CREATE TABLE one (id INT AUTO_INCREMENT PRIMARY KEY, word TEXT, UNIQUE KEY words (word(9)));" +
			"CREATE TABLE none (id INT PRIMARY KEY); SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO one VALUES (0, 'zero'), (7, 'seven')")
	}}
	for range 2 {
		dsn := c.Start(t)
		rows, err := s.query(t.Context(), dsn[strings.LastIndex(dsn, "/")+1:],
			"INSERT INTO one (word) VALUES ('next'); SELECT * FROM one ORDER BY id; SELECT * FROM none; SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = DATABASE()")
		if want := "0\tzero\n7\tseven\n8\tnext\n3\n"; err != nil || rows != want {
			t.Errorf("a copy has %q, %v; want %q", rows, err, want)
		}
	}
	if prepared != 1 {
		t.Errorf("prepared %d times", prepared)
	}
}
