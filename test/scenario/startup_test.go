package scenario

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/fakesite"
	"github.com/Automattic/jetmon/test/mariadb"
)

// mistake is a command line that fails at once, with its exit code and a part of its one line.
type mistake struct {
	name, args string
	code       int
	want       string
}

func mistakes(t *testing.T) []mistake {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	busy := taken.Addr().String()
	dead := fakesite.Unbound(t, netip.MustParseAddrPort("127.0.0.1:0")).String()
	silent := fakesite.Blackhole(t, netip.MustParseAddrPort("127.0.0.1:0")).String()
	dir := t.TempDir()
	good := "sqlite:" + filepath.Join(dir, "good.db")
	if code, _, stderr := run(t, "migrate", "--db="+good); code != 0 {
		t.Fatal(stderr)
	}
	config := filepath.Join(dir, "config.json")
	garbage := filepath.Join(dir, "garbage.db")
	for path, text := range map[string]string{config: `{"NUM_OF_CHECKS":"three"}`, garbage: strings.Repeat("no database ", 1000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const password = "very-secret"
	real := mariadb.Start(t)
	wrong := "mysql://jetmon:" + password + real[strings.LastIndex(real, "@"):]
	missing := real[:strings.LastIndex(real, "/")] + "/nowhere"
	const on = "coordinator --listen=127.0.0.1:0 --db="
	return []mistake{
		{"no command", "", 2, "expected one of"},
		{"an unknown command", "worker", 2, "worker"},
		{"an unknown flag", "gateway --colour=red", 2, "--colour"},
		{"a port that does not exist", "gateway --listen=127.0.0.1:99999", 2, "--listen"},
		{"a time in words", on + good + " --time-between-checks=soon", 2, "--time-between-checks"},
		{"a database of no known engine", "migrate --db=postgres://x/y", 2, "--db"},
		{"a database that is none", on + "jetmon", 2, "--db"},
		{"an address in the DSN that is none", on + "mysql://jetmon:" + password + "@localhost/jetmon", 2, "--db"},
		{"a configuration that is wrong", on + good + " --config=" + config, 2, "NUM_OF_CHECKS"},
		{"a configuration that is not there", on + good + " --config=/nonexistent/config.json", 2, "/nonexistent/config.json"},
		{"a bad site of dev", "dev --site=http://example.com:99999/", 2, "--site"},

		{"a port in use by the coordinator", "coordinator --db=" + good + " --listen=" + busy, 1, busy},
		{"a port in use by the veriflier", "veriflier --listen=" + busy, 1, busy},
		{"a port in use by the gateway", "gateway --listen=" + busy, 1, busy},
		{"a port in use by dev", "dev --http=127.0.0.1:0 --veriflier=127.0.0.1:0 --grpc=" + busy, 1, busy},
		// A coordinator waits for one that is down: TestACoordinatorWaitsForItsDatabase of cmd/jetmon.
		{"a database to migrate that does not answer", "migrate --db=mysql://jetmon:" + password + "@tcp(" + silent + ")/jetmon", 1, silent},
		{"a database to migrate that is down", "migrate --db=mysql://jetmon:" + password + "@tcp(" + dead + ")/jetmon", 1, dead},
		{"a wrong password", on + wrong, 1, "--db"},
		{"a database that is not there", on + missing, 1, "nowhere"},
		{"a database that was not migrated", on + real, 1, "jetmon migrate"},
		{"a file that was not migrated", on + "sqlite:" + filepath.Join(dir, "new.db"), 1, "jetmon migrate"},
		{"a directory that is not there", "migrate --db=sqlite:/nonexistent/dir/jetmon.db", 1, "/nonexistent/dir/jetmon.db"},
		{"a directory as database", "migrate --db=sqlite:" + dir, 1, dir},
		{"a file that is no database", "migrate --db=sqlite:" + garbage, 1, garbage},
	}
}

func TestMistakesEndTheProcessWithOneLine(t *testing.T) {
	t.Parallel()
	takePlace(t)
	for _, m := range mistakes(t) {
		t.Run(m.name, func(t *testing.T) {
			args := strings.Fields(m.args)
			if len(args) > 0 && slices.Contains([]string{"coordinator", "veriflier", "gateway"}, args[0]) {
				args = append(args, "--insecure") // these are not about credentials
			}
			code, stdout, stderr := run(t, args...)
			if code != m.code {
				t.Errorf("exit code %d, want %d", code, m.code)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "jetmon") || !strings.Contains(stderr, m.want) {
				t.Errorf("stderr is %q, want one line with %q", stderr, m.want)
			}
			if stdout != "" {
				t.Errorf("stdout is %q, want nothing", stdout)
			}
			if strings.Contains(stderr, "very-secret") {
				t.Errorf("stderr shows the password: %q", stderr)
			}
		})
	}
}
