//go:build packaging

package debian

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/test/mariadb"
)

// everyUnit are the units that the README enables, in the order in which an upgrade restarts them.
var everyUnit = []string{"jetmon@veriflier-ap1", "jetmon@veriflier-us1", "jetmon@veriflier", "jetmon@coordinator", "jetmon@gateway", "jetmon@checker"}

// The package from the first installation to the purge: what deploy/README.md says is done in a
// machine with systemd, and the machine is looked at after each step.
func TestThePackageIsInstalledRunAndPurged(t *testing.T) {
	t.Parallel()
	dir := alone(t, func(dir string) { build(t, tree, filepath.Join(dir, "dist")) })
	if dir == "" {
		return
	}
	m := startMachine(t, dir)
	dsn := mariadb.Start(t)
	before, accounts := m.written(), m.accounts()

	m.installs()
	m.runsAFleet(dsn)
	m.isLockedIn()
	m.finds()
	m.reloads()
	m.staysWithoutMigration()
	m.removes()
	m.purges(before)
	if after := m.accounts(); after != accounts {
		t.Errorf("the accounts are\n%s\nand were\n%s", after, accounts)
	}
	m.goesByHand()
}

// goesByHand installs what make build makes, without the package.
func (m *machine) goesByHand() {
	m.t.Helper()
	makes(m.t, "build", "go build -o bin/jetmon ./cmd/jetmon")
	m.run("test ! -e /usr/bin/jetmon")
	command(m.t, "go", "-C", tree, "build", "-o", filepath.Join(m.dir, "bin/jetmon"), "./cmd/jetmon")
	command(m.t, "cp", "-r", tree+"/deploy", m.dir)
	m.follow("## By hand", share, "")
	m.runsAFleet(mariadb.Start(m.t))
}

// runsAFleet takes the steps from an installation to a fleet.
func (m *machine) runsAFleet(dsn string) {
	m.t.Helper()
	m.run("rm -rf /root/fleet; mkdir /root/fleet")
	m.follow("## A fleet on one machine", "/root/fleet", dsn)
	m.works()
}

// installs installs the package: nothing may run, and only the roles may read what is set.
func (m *machine) installs() {
	m.t.Helper()
	if out := m.follow("## Debian", share, ""); !strings.Contains(out, "nothing runs yet") {
		m.t.Errorf("the installation does not say how to go on:\n%s", out)
	}
	if out := m.run("systemctl list-units --all --no-legend 'jetmon@*'; ls /etc/systemd/system"); strings.Contains(out, "jetmon") {
		m.t.Errorf("something was started or enabled:\n%s", out)
	}
	for path, want := range map[string]string{
		"/etc/jetmon": "755 root:root", "/etc/jetmon/certs": "750 root:jetmon", "/var/lib/jetmon": "750 jetmon:jetmon",
		"/etc/jetmon/coordinator.env": "640 root:jetmon", "/etc/jetmon/checker.env": "640 root:jetmon",
		"/etc/jetmon/veriflier.env": "640 root:jetmon", "/etc/jetmon/gateway.env": "640 root:jetmon",
		"/usr/bin/jetmon": "755 root:root",
	} {
		if got := strings.TrimSpace(m.run("stat -c '%a %U:%G' " + path)); got != want {
			m.t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	m.says("dpkg-query --show --showformat '${Conffiles}' jetmon | wc -l; cat /proc/sys/net/ipv4/ip_local_port_range", "10240\t65535")
	m.says("man -P cat jetmon-sites-list | head -3; bash -c '. /usr/share/bash-completion/completions/jetmon; complete -p jetmon'", "complete -F _jetmon jetmon")
	m.leads()
	m.says("getent passwd jetmon", ":/var/lib/jetmon:/usr/sbin/nologin")
}

// link finds the pages to which a page leads.
var link = regexp.MustCompile(`\]\(\.\.(/docs/[^)#]+)`)

// leads checks that the package has the pages to which its README leads.
func (m *machine) leads() {
	m.t.Helper()
	text, err := os.ReadFile(readme)
	must(m.t, err)
	has, links := strings.Fields(m.run("dpkg -L jetmon")), link.FindAllStringSubmatch(string(text), -1)
	if len(links) == 0 || !slices.Contains(has, "/usr/share/doc/jetmon/deploy/README.md") {
		m.t.Errorf("the package has no README with links: %q", links)
	}
	for _, l := range links {
		if !slices.Contains(has, "/usr/share/doc/jetmon"+l[1]) {
			m.t.Errorf("the package has no %s, to which its README leads", l[1])
		}
	}
}

// works checks that the fleet which the README starts is one.
func (m *machine) works() {
	m.t.Helper()
	m.says("systemctl is-active "+strings.Join(everyUnit, " "), "active")
	m.says("systemctl show -p StatusText --value "+strings.Join(everyUnit, " "), "working")
	m.run("cd /root/fleet; jetmon tokens create --db @/etc/jetmon/dsn --name test --scope admin | grep -o 'jm_[^ ]*' >test.token; chmod 600 test.token")
	m.wait("the fleet is complete", func() (bool, string) {
		out := m.run(m.asks("v1/fleet"))
		return strings.Contains(out, `"node":"checker-1"`) && strings.Contains(out, `"name":"ap1"`), out
	})
}

// asks is the command that asks the gateway.
func (m *machine) asks(path string, more ...string) string {
	return "cd /root/fleet; curl -s --fail-with-body --cacert authority/ca.crt -H \"Authorization: Bearer $(cat test.token)\" " +
		strings.Join(more, " ") + " https://127.0.0.1:7802/" + path
}

// isLockedIn checks that each role runs as the unit wants it: as nobody in particular, with no
// capability, and behind a filter of system calls.
func (m *machine) isLockedIn() {
	m.t.Helper()
	for _, unit := range everyUnit {
		out := m.run("pid=$(systemctl show -p MainPID --value " + unit + "); grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status; stat -c '%U:%G' /proc/$pid")
		want := "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\njetmon:jetmon\n"
		if out != want {
			m.t.Errorf("%s runs with\n%swant\n%s", unit, out, want)
		}
	}
	// Go reads the length of the accept queue where the unit could have hidden it.
	m.says("ss -Hltn 'sport = :7800'", " 4096 ")
}

// finds has the fleet check a site that fails: the checker sees it, the verifliers confirm it, so
// that what the unit forbids is nothing that a check needs.
func (m *machine) finds() {
	m.t.Helper()
	site := failing(m.t)
	m.run("for role in checker veriflier veriflier-us1 veriflier-ap1; do echo JETMON_ALLOW_PRIVATE=true >>/etc/jetmon/$role.env; done\n" +
		"echo JETMON_TIME_BETWEEN_CHECKS=1s >>/etc/jetmon/coordinator.env\n" +
		"systemctl restart 'jetmon@*'")
	m.wait("the site can be added", func() (bool, string) {
		out, err := m.try(m.asks("v1/sites", "-H 'Content-Type: application/json'", `-d '{"blog_id":7,"url":"`+site+`"}'`))
		return err == nil, out
	})
	m.wait("verifliers confirm the outage", func() (bool, string) {
		out, err := m.try(m.asks("v1/outages/1"))
		return err == nil && strings.Count(out, `"VOTE_VALUE_DOWN"`) >= 2, out
	})
}

// reloads changes what a reload can change.
func (m *machine) reloads() {
	m.t.Helper()
	m.run("echo 'time-between-checks: 2s' >/etc/jetmon/coordinator.yaml\n" +
		"sed -i 's,.*TIME_BETWEEN.*,JETMON_CONFIG=/etc/jetmon/coordinator.yaml,' /etc/jetmon/coordinator.env\n" +
		"systemctl restart jetmon@coordinator; pid=$(systemctl show -p MainPID --value jetmon@coordinator)\n" +
		"echo 'time-between-checks: 3s' >/etc/jetmon/coordinator.yaml; systemctl reload jetmon@coordinator")
	m.wait("the coordinator reloads", func() (bool, string) {
		out, err := m.try("journalctl --no-pager -u jetmon@coordinator | grep 'configuration reloaded'")
		return err == nil && strings.Contains(out, "time-between-checks"), out
	})
	m.lacks("not permitted")
}
