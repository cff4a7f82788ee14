package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// No machine has ports for a hundred thousand checks to one address at once. A role says so in a line each, with
// what would raise the limit, and starts all the same.
func TestARoleWarnsOfLimitsThatAreTooLow(t *testing.T) {
	t.Parallel()
	c := start(t, "checker", "--coordinator=127.0.0.1:1", "--node=n1", "--max-in-flight=100000")
	c.errs.find(t, `msg=(started)`)
	v := start(t, "veriflier", "--listen=127.0.0.1:0", "--name=v1", "--max-in-flight=100000")
	v.errs.find(t, `msg=(started)`)
	for role, log := range map[string]string{"checker": c.errs.String(), "veriflier": v.errs.String()} {
		for _, want := range []string{
			`limit=net.ipv4.ip_local_port_range has=`, `wants=100000`, `(--max-in-flight)`, `sysctl -w net.ipv4.ip_local_port_range=`,
		} {
			if !strings.Contains(log, want) {
				t.Errorf("a %s with 100,000 checks in flight does not log %q:\n%s", role, want, log)
			}
		}
		if n := strings.Count(log, "limit=net.ipv4.ip_local_port_range"); n != 1 {
			t.Errorf("the %s logs that %d times", role, n)
		}
	}
}

func TestCheckConfigTellsOfLimits(t *testing.T) {
	t.Parallel()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatalf("migrate: exit code %d: %s", code, stderr)
	}
	for sessions, flags := range map[string][]string{"5": nil, "37": {"--db-read=mysql://u@tcp(127.0.0.1:1)/jetmon"}} {
		_, out, _ := run(t, nil, append([]string{"coordinator", "--check-config", db,
			"--veriflier=name=v,region=eu,addr=127.0.0.1:1", "--no-notify", "--insecure"}, flags...)...)
		for _, want := range []string{"limit          nofile", ": " + sessions + " sessions with the database, 1 verifliers", "limit          memory"} {
			if !strings.Contains(out, want) {
				t.Errorf("--check-config %v does not say %q:\n%s", flags, want, out)
			}
		}
	}
}
