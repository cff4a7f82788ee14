package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCertsMakesIssuesAndShows(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "certs")
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"issue", "--role=checker", "--name=n"}, exitFailed, "`jetmon certs init --dir " + dir + "` makes an authority"},
		{[]string{"init", "--trust-domain=fleet.example.org"}, exitOK, "the authority of spiffe://fleet.example.org"},
		{[]string{"init"}, exitFailed, "there already"},
		{[]string{"issue", "--role=checker", "--name=n", "--for=30d"}, exitOK, dir + "/n.crt, " + dir + "/n.key: checker n, until "},
		{[]string{"issue", "--role=checker", "--name=n"}, exitFailed, "there already"},
		{[]string{"issue", "--role=checker", "--name=n", "--replace"}, exitOK, "checker n"},
		{[]string{"issue", "--role=coordinator", "--name=c", "--host=localhost", "--host=127.0.0.1,::1"}, exitOK, "coordinator c at localhost, 127.0.0.1, ::1, until "},
		{[]string{"issue", "--role=veriflier", "--name=v"}, exitUsage, "--host localhost"},
		{[]string{"issue", "--role=king", "--name=v"}, exitUsage, "role must be one of"},
		{[]string{"issue", "--role=checker", "--name=v", "--for=0s"}, exitUsage, "--for: must be at least 1m"},
		{[]string{"issue", "--role=checker"}, exitUsage, "--name"},
	} {
		code, stdout, stderr := run(t, nil, append([]string{"certs"}, append(tt.args, "--dir="+dir)...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
			t.Errorf("%v: exit code %d, %q %q, want %d and %q", tt.args, code, stdout, stderr, tt.code, tt.want)
		}
	}
	code, stdout, _ := run(t, nil, "certs", "show", filepath.Join(dir, "c.crt"))
	for _, want := range []string{"role ", "coordinator", "hosts ", "localhost, 127.0.0.1, ::1", "trust domain", "fleet.example.org", "until ", "(valid)", "server and client"} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("show: exit code %d, no %q:\n%s", code, want, stdout)
		}
	}
	var all []struct {
		Authority   bool
		TrustDomain string `json:"trust_domain"`
		State       string
	}
	code, stdout, _ = run(t, nil, "certs", "show", "--json", filepath.Join(dir, "ca.crt"))
	if err := json.Unmarshal([]byte(stdout), &all); code != exitOK || err != nil || len(all) != 1 || !all[0].Authority || all[0].TrustDomain != "fleet.example.org" {
		t.Errorf("exit code %d, %v: %s", code, err, stdout)
	}
	if code, _, stderr := run(t, nil, "certs", "show", filepath.Join(dir, "c.key")); code != exitFailed || !strings.Contains(stderr, "holds no certificate") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "ca.key")); err != nil || strings.Contains(stdout, string(text)) {
		t.Error("the key is shown", err)
	}
}
