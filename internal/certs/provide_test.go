package certs_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/certs"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestProvideReplacesOnlyWhatIsMissingOrEndsSoon(t *testing.T) {
	t.Parallel()
	a, dir := authority(t, "")
	now, spare := time.Now(), 30*24*time.Hour
	to := filepath.Join(t.TempDir(), "nodes", "c1")
	request := certs.Request{Role: access.Coordinator, Name: "c1", Hosts: []string{"c1", "127.0.0.1"}}
	for _, step := range []struct {
		name   string
		change func()
		now    time.Time
		fresh  bool
	}{
		{"an empty folder is filled", func() {}, now, true},
		{"what is good stays", func() {}, now, false},
		{"a certificate that ends soon is replaced", func() {}, now.Add(61 * 24 * time.Hour), true},
		{"other hosts need another certificate", func() { request.Hosts = []string{"c2"} }, now.Add(61 * 24 * time.Hour), true},
		{"a key that is gone needs another certificate", func() { _ = os.Remove(filepath.Join(to, "node.key")) }, now.Add(61 * 24 * time.Hour), true},
	} {
		step.change()
		if _, fresh, err := a.Provide(to, request, spare, step.now); err != nil || fresh != step.fresh {
			t.Fatalf("%s: fresh is %v, %v", step.name, fresh, err)
		}
		if !bytes.Equal(read(t, filepath.Join(to, "ca.crt")), read(t, filepath.Join(dir, "ca.crt"))) {
			t.Errorf("%s: ca.crt is not the authority's", step.name)
		}
		if info, err := os.Stat(filepath.Join(to, "node.key")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the key: %v %v", step.name, info, err)
		}
	}
	before := read(t, filepath.Join(to, "node.crt"))
	other := certs.Request{Role: access.Checker, Name: "c1"}
	if _, _, err := a.Provide(to, other, spare, now); err == nil || !strings.Contains(err.Error(), "no certificate of the checker c1") {
		t.Errorf("the certificate of another role: %v", err)
	}
	if !bytes.Equal(before, read(t, filepath.Join(to, "node.crt"))) {
		t.Error("the certificate of another role was replaced")
	}
}

func TestProvideHandsOutEveryAuthorityOfTheFile(t *testing.T) {
	t.Parallel()
	a, dir := authority(t, "")
	_, other := authority(t, "")
	both := append(read(t, filepath.Join(dir, "ca.crt")), read(t, filepath.Join(other, "ca.crt"))...)
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if _, _, err := a.Provide(to, certs.Request{Role: access.Checker, Name: "n"}, time.Hour, time.Now()); err != nil {
		t.Fatal(err)
	}
	if got, err := certs.ReadFile(filepath.Join(to, "ca.crt")); err != nil || len(got) != 2 {
		t.Errorf("%d authorities, %v", len(got), err)
	}
}

func TestOpenOrInitMakesNoSecondAuthority(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "authority")
	for _, want := range []bool{true, false} {
		if _, fresh, err := certs.OpenOrInit(dir, "fleet.example.org", time.Now()); err != nil || fresh != want {
			t.Errorf("fresh is %v, want %v, %v", fresh, want, err)
		}
	}
	if _, _, err := certs.OpenOrInit(dir, "other.example.org", time.Now()); err == nil {
		t.Error("the authority of another domain is taken")
	}
	if err := os.Remove(filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := certs.OpenOrInit(dir, "", time.Now()); err == nil {
		t.Error("an authority whose key is gone is replaced")
	}
}
