package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCredentialsMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "fleet")
	args := []string{"credentials", "--dir=" + dir, "--node=coordinator/c1", "--node=checker/k1", "--node=gateway/g1=localhost,127.0.0.1", "--database=jetmon@db.example.org:3306/jetmon"}
	code, stdout, stderr := run(t, nil, args...)
	if code != exitOK || strings.Count(stdout, "made  ") != 6 {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	text := func(path string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	password := text("database/password")
	if want := "mysql://jetmon:" + password + "@tcp(db.example.org:3306)/jetmon"; len(password) < 20 || text("database/dsn") != want {
		t.Errorf("password %q, dsn %q", password, text("database/dsn"))
	}
	if strings.Contains(stdout, password) {
		t.Error("the password is printed")
	}
	for file, want := range map[string]os.FileMode{"authority": 0o700, "authority/ca.key": 0o600, "nodes/c1/node.key": 0o600, "database/password": 0o640, "database": 0o750} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
	before := text("nodes/c1/node.crt")
	if code, stdout, _ := run(t, nil, args...); code != exitOK || strings.Contains(stdout, "made  ") || text("nodes/c1/node.crt") != before {
		t.Errorf("again: exit code %d: %s", code, stdout)
	}
	code, stdout, _ = run(t, nil, append(args, "--node=checker/k2", "--database=jetmon@other.example.org:3306/jetmon")...)
	if code != exitOK || strings.Count(stdout, "made  ") != 2 || !strings.Contains(text("database/dsn"), password+"@tcp(other") {
		t.Errorf("one node more, another host: exit code %d: %s", code, stdout)
	}
	code, shown, _ := run(t, nil, "certs", "show", filepath.Join(dir, "nodes/g1/node.crt"))
	if code != exitOK || !strings.Contains(shown, "localhost, 127.0.0.1") {
		t.Errorf("the gateway's hosts: %s", shown)
	}
}

func TestCredentialsRefusesMistakesBeforeItWrites(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ arg, want string }{
		{"--node=c1", "want ROLE/NAME"},
		{"--node=king/c1", "there is no role"},
		{"--node=checker/c1=host", "its certificate has no hosts"},
		{"--node=coordinator/c1=", "want ROLE/NAME"},
		{"--node=veriflier/C0", "two nodes are named"},
		{"--node=checker/../x", "--node"},
		{"--renew=90d", "--for: must be longer than --renew"},
		{"--database=jetmon@db/jetmon", "HOST:PORT"},
		{"--database=db:3306/jetmon", "USER@HOST:PORT/NAME"},
	} {
		dir := filepath.Join(t.TempDir(), "fleet")
		code, _, stderr := run(t, nil, "credentials", "--dir="+dir, "--node=checker/c0", tt.arg)
		if code != exitUsage || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, %s", tt.arg, code, stderr)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: something is written", tt.arg)
		}
	}
}
