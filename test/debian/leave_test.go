//go:build packaging

package debian

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// failing serves a site that is down, and returns its URL.
func failing(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/"
}

// staysWithoutMigration upgrades a coordinator whose database cannot be brought up to date: it goes
// on as it is, since the next version would not start.
func (m *machine) staysWithoutMigration() {
	m.t.Helper()
	const pid = "systemctl show -p MainPID --value jetmon@coordinator"
	before := m.run(pid)
	out := m.run("mv /etc/jetmon/dsn /etc/jetmon/away; /var/lib/dpkg/info/jetmon.postinst configure 0.1 2>&1; mv /etc/jetmon/away /etc/jetmon/dsn")
	if after := m.run(pid); after != before || !strings.Contains(out, "jetmon@coordinator.service goes on with the version before") {
		m.t.Errorf("the coordinator was process %s and is %s:\n%s", before, after, out)
	}
}

// removes removes the package, and keeps what was set.
func (m *machine) removes() {
	m.t.Helper()
	m.run("apt-get remove jetmon")
	if out := m.run("systemctl list-units --no-legend 'jetmon@*'; pgrep -x jetmon || true; ls /usr/bin/jetmon 2>/dev/null || true"); out != "" {
		m.t.Errorf("after the removal there is still:\n%s", out)
	}
	m.lacks("timed out")
	m.run("test -s /etc/jetmon/coordinator.env -a -s /etc/jetmon/certs/c1.key; id jetmon")
}

// purges purges it: what is left is what was there before, and the data that was named.
func (m *machine) purges(before []string) {
	m.t.Helper()
	m.run("mkdir -p /var/lib/jetmon /etc/systemd/system/jetmon@gateway.service.d; echo data >/var/lib/jetmon/jetmon.db; cp /root/fleet/authority/ca.key /etc/jetmon/certs")
	out := m.run("apt-get purge jetmon")
	for _, kept := range []string{"/etc/jetmon/certs/ca.key is kept", "/var/lib/jetmon is kept"} {
		if !strings.Contains(out, kept) {
			m.t.Errorf("the purge does not say that %s:\n%s", kept, out)
		}
	}
	var left []string
	for _, path := range m.written() {
		if !slices.Contains(before, path) {
			left = append(left, path)
		}
	}
	want := []string{"/etc/jetmon", "/etc/jetmon/certs", "/etc/jetmon/certs/ca.key", "/var/lib/jetmon", "/var/lib/jetmon/jetmon.db"}
	if !slices.Equal(left, want) {
		m.t.Errorf("the purge leaves\n%s\nwant\n%s", strings.Join(left, "\n"), strings.Join(want, "\n"))
	}
	m.says("stat -c '%a %U' /var/lib/jetmon", "700 root")
	if out := m.run("systemctl list-units --all --no-legend 'jetmon@*'"); out != "" {
		m.t.Errorf("systemd still knows\n%s", out)
	}
	m.run("rm -r /var/lib/jetmon /etc/jetmon")
}

// accountFiles are what useradd and userdel write.
var accountFiles = []string{"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid"}

// accounts returns what they say.
func (m *machine) accounts() string {
	m.t.Helper()
	return m.run("cat " + strings.Join(accountFiles, " "))
}

// lacks checks that no role and nobody who runs one has logged a text.
func (m *machine) lacks(text string) {
	m.t.Helper()
	if out, err := m.try("journalctl --no-pager -u 'jetmon@*' | grep -i '" + text + "'"); err == nil {
		m.t.Errorf("the journal says %q:\n%s", text, out)
	}
}

// written lists the files that were written in the machine, and the folders that were made. What
// the package manager and the system keep about what happened is left out.
func (m *machine) written() (all []string) {
	m.t.Helper()
	diaries := []string{"/var/log", "/var/cache", "/var/tmp", "/var/lib/dpkg", "/var/lib/apt", "/var/lib/systemd", "/var/lib/PackageKit"}
	must(m.t, filepath.WalkDir(m.upper, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, m.upper)
		if slices.Contains(diaries, name) {
			return fs.SkipDir
		}
		if _, err := os.Lstat(name); d.IsDir() && err == nil {
			return nil // a folder of the machine below
		}
		if slices.Contains(accountFiles, strings.TrimSuffix(name, "-")) {
			return nil // a list of accounts, or the list before its last change
		}
		all = append(all, name)
		return nil
	}))
	return all
}
