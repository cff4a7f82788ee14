package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run carries out a command line in this process with the environment given.
func run(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	// A role that starts although it should not is asked to end.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return runUntil(ctx, env, openly(args)...)
}

func runUntil(ctx context.Context, env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	lookup := func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
	p := program{LookupEnv: lookup, Out: &out, Err: &errs}
	return p.Run(ctx, args), out.String(), errs.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMistakesAreOneLineAndExitCode2(t *testing.T) {
	t.Parallel()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "unused.db")
	for _, tt := range []struct {
		name string
		env  map[string]string
		args string
		want string
	}{
		{name: "no command", args: "", want: "expected one of"},
		{name: "an unknown command", args: "worker", want: "unexpected argument worker"},
		{name: "an unknown flag", args: "gateway --colour=red", want: "unknown flag --colour"},
		{name: "an argument too many", args: "version now", want: "unexpected argument now"},
		{name: "a missing URL", args: "probe", want: "<url>"},
		{name: "a missing database", args: "coordinator", want: "--db"},
		{name: "a missing coordinator", args: "checker", want: "--coordinator"},
		{name: "a second coordinator without a port", args: "checker --coordinator=127.0.0.1:7800,other", want: "--coordinator"},
		{name: "a name of coordinators without a port", args: "checker --coordinator=dns:///coordinators.internal", want: "--coordinator"},
		{name: "a DSN of no known engine", args: "migrate --db=postgres://x/y", want: "--db"},
		{name: "a DSN that is none", args: "coordinator --listen=127.0.0.1:0 --db=jetmon", want: "--db"},
		{name: "a file with a DSN that is not there", args: "migrate --db=@/nonexistent/dsn", want: "/nonexistent/dsn"},
		{name: "a duration that is none", args: "coordinator " + db + " --time-between-checks=soon", want: `--time-between-checks: expected duration but got "soon"`},
		{name: "a duration that is none, in the environment", env: map[string]string{"JETMON_TIME_BETWEEN_CHECKS": "soon"}, args: "coordinator " + db, want: `--time-between-checks: expected duration but got "soon"`},
		{name: "a negative time", args: "coordinator " + db + " --time-between-checks=-1s", want: "--time-between-checks: must be more than 0, is -1s"},
		{name: "no check at all", args: "coordinator " + db + " --num-of-checks=0", want: "--num-of-checks: must be from 1 to 255"},
		{name: "a bucket too high", args: "coordinator " + db + " --bucket-max=512", want: "--bucket-max"},
		{name: "a range of buckets that is empty", args: "coordinator " + db + " --bucket-min=9 --bucket-max=8", want: "9..8"},
		{name: "a limit that nobody can reach", args: "coordinator " + db + " --peer-offline-limit=2 --veriflier=name=a,region=eu,addr=h:1", want: "--peer-offline-limit: is 2 with 1 verifliers"},
		{name: "a veriflier without a region", args: "coordinator " + db + " --veriflier=name=a,addr=h:1", want: "region is missing"},
		{name: "a veriflier without a port", args: "coordinator " + db + " --veriflier=name=a,region=eu,addr=h", want: "is not HOST:PORT"},
		{name: "a veriflier with something unknown", args: "coordinator " + db + " --veriflier=name=a,region=eu,addr=h:1,weight=2", want: `there is no "weight"`},
		{name: "two verifliers of one name", args: "coordinator " + db + " --veriflier=name=a,region=eu,addr=h:1 --veriflier=name=a,region=us,addr=h:2", want: "two with the name a"},
		{name: "an address without a port", args: "veriflier --listen=localhost", want: `--listen: "localhost" is not HOST:PORT`},
		{name: "a port that does not exist", args: "gateway --listen=127.0.0.1:99999", want: "port must be from 0 to 65535"},
		{name: "a coordinator on port 0", args: "checker --coordinator=127.0.0.1:0", want: "port must be from 1 to 65535"},
		{name: "a list with a coordinator that has no port", args: "gateway --coordinator=a:1,b", want: `--coordinator: "b" is not HOST:PORT`},
		{name: "a list with a hole", args: "gateway --coordinator=a:1,", want: "--coordinator"},
		{name: "credentials that would not be asked for", args: "veriflier --insecure --token-file=" + write(t, "tokens", "coordinator "+oursToken), want: "give one or the other"},
		{name: "a token of no role", args: "veriflier --token-file=" + write(t, "tokens", oursToken), want: "line 1: want \"ROLE TOKEN\""},
		{name: "a token that is easy to guess", args: "veriflier --token-file=" + write(t, "tokens", "coordinator secret"), want: "fewer than 128 bits"},
		{name: "tokens that everybody may read", args: "veriflier --token-file=" + worldReadable(t, "coordinator "+oursToken), want: "chmod o-r"},
		{name: "a debug listener open to everyone", args: "checker --coordinator=h:1 --debug-listen=0.0.0.0:6060", want: "--debug-listen: must be a loopback address"},
		{name: "a certificate without its key", args: "veriflier --tls-cert=a.pem", want: "--tls-cert and --tls-key"},
		{name: "a CA that is not there", args: "gateway --coordinator-tls-ca=/nonexistent/ca.pem", want: "/nonexistent/ca.pem"},
		{name: "tokens that are not there", args: "veriflier --token-file=/nonexistent/tokens", want: "--token-file"},
		{name: "no room for a check", args: "veriflier --max-in-flight=0", want: "--max-in-flight"},
		{name: "an anchor that is no URL", args: "checker --coordinator=h:1 --anchor=example.com", want: "--anchor example.com: must begin with http"},
		{name: "a resolver without a port", args: "probe http://example.com/ --resolver=1.1.1.1", want: "--resolver"},
		{name: "a log level that does not exist", args: "gateway --log-level=loud", want: "--log-level"},
		{name: "a budget beyond the limit", args: "probe http://example.com/ --timeout=61s", want: "--timeout"},
		{name: "a budget below zero", args: "probe http://example.com/ --timeout=-1s", want: "--timeout"},
		{name: "a method that does not exist", args: "probe http://example.com/ --method=POST", want: "--method"},
		{name: "a configuration file that is not there", args: "coordinator " + db + " --config=/nonexistent/config.json", want: "--config /nonexistent/config.json: no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, tt.env, strings.Fields(tt.args)...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if stdout != "" {
				t.Errorf("stdout has %q, want nothing", stdout)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "jetmon") || !strings.Contains(stderr, tt.want) {
				t.Errorf("stderr has %q, want one line with %q", stderr, tt.want)
			}
		})
	}
}

// worldReadable writes a file that everybody may read.
func worldReadable(t *testing.T, text string) string {
	t.Helper()
	path := write(t, "readable", text)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Loopback is no exception: a role without credentials starts only when it is told to.
func TestARoleWithoutCredentialsSaysWhatToDo(t *testing.T) {
	t.Parallel()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "x.db")
	token := write(t, "token", "gateway "+oursToken)
	for args, want := range map[string]string{
		"coordinator " + db:                 "give --token-file",
		"veriflier":                         "give --token-file",
		"veriflier --listen=0.0.0.0:7801":   "give --token-file",
		"checker --coordinator=127.0.0.1:1": "give --coordinator-token-file (jetmon tokens role checker",
		"gateway":                           "give --coordinator-token-file (jetmon tokens role gateway",
		"gateway --listen=:7802 --coordinator-token-file=" + token: "tokens would pass :7802 in clear",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if code, _, stderr := runUntil(ctx, nil, strings.Fields(args)...); code != exitUsage || !strings.Contains(stderr, want) || !strings.Contains(stderr, "--insecure") {
			t.Errorf("%s: exit code %d, %q; want %q and --insecure", args, code, stderr, want)
		}
	}
}

func TestAddressInUseIsOneLineAndExitCode1(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	addr := taken.Addr().String()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	for _, tt := range []struct {
		name string
		args []string
	}{
		{name: "of the coordinator", args: []string{"coordinator", db, "--listen=" + addr}},
		{name: "of the veriflier", args: []string{"veriflier", "--listen=" + addr}},
		{name: "of the gateway", args: []string{"gateway", "--listen=" + addr}},
		{name: "of the debug listener", args: []string{"checker", "--coordinator=127.0.0.1:1", "--debug-listen=" + addr}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := run(t, nil, tt.args...)
			if code != exitFailed {
				t.Errorf("exit code %d, want %d", code, exitFailed)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, addr) || !strings.Contains(stderr, "address already in use") {
				t.Errorf("stderr has %q, want one line that says that %s is in use", stderr, addr)
			}
		})
	}
}

// What a command costs before it does anything: its own part of the table of commands, that of the
// commands with configuration files, and the whole.
func BenchmarkParser(b *testing.B) {
	for _, command := range []string{"context", "sites", "gateway", "man"} {
		b.Run(command, func(b *testing.B) {
			for b.Loop() {
				p := &program{LookupEnv: func(string) (string, bool) { return "", false }, Out: io.Discard, Err: io.Discard}
				root, some := new(commands).grammar([]string{command})
				if _, err := newParser(p, root, &settings{program: p}, some...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
