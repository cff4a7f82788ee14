//go:build packaging

package debian

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/release"
)

const (
	// farmInterval is longer than what a site may wait beside it, so that a lost turn shows.
	farmInterval = 30 * time.Second
	// busy is what a busy machine may add.
	busy = 5 * time.Second
	// idle is a unit that does not run when the package is upgraded.
	idle = "jetmon@veriflier-ap1"
	// newer and older are the packages in the folder of the test, as docs/upgrading.md calls them.
	newer, older = "jetmon_NEW_amd64.deb", "jetmon_OLD_amd64.deb"
)

// The package of an older version, installed and run as its own README says, is upgraded to this
// one and goes back, while sites are checked, go down and come back: no site waits longer than
// docs/upgrading.md promises, and WordPress.com is told of each change once.
func TestAnUpgradeOfThePackageLeavesNoGap(t *testing.T) {
	t.Parallel()
	before := release.Before(t)[0]
	dir := alone(t, func(dir string) {
		then := before.CheckOut(t)
		command(t, "cp", build(t, then, filepath.Join(dir, "dist")), filepath.Join(dir, older))
		command(t, "cp", then+"/deploy/README.md", dir)
		next(t, dir, build(t, tree, t.TempDir()))
	})
	if dir == "" {
		return
	}
	m := startMachine(t, dir)
	m.readme = filepath.Join(dir, "README.md")
	s := mariadb.NewServer(t)
	m.follow("## Debian", share, "")
	m.runsAFleet(s.DSN())
	f, then := m.watches(s), m.version()

	m.upgrades()
	if m.version() == then {
		t.Errorf("the package is still of version %s", then)
	}
	m.goesBack()
	if now := m.version(); now != then {
		t.Errorf("after the way back the package is of version %s, want %s", now, then)
	}
	m.keeps(f, before.Waits)
}

// next is the package under test with other settings for a gateway, of which dpkg asks what is
// to become of them.
func next(t *testing.T, dir, deb string) {
	t.Helper()
	raw, settings := filepath.Join(dir, "next"), filepath.Join(dir, "next/etc/jetmon/gateway.env")
	command(t, "dpkg-deb", "--raw-extract", deb, raw)
	text, err := os.ReadFile(settings)
	must(t, err)
	must(t, os.WriteFile(settings, append(text, "# New in this version.\n"...), 0o640))
	command(t, "dpkg-deb", "--build", "-Zgzip", "-z1", raw, filepath.Join(dir, newer))
}

// watches has the fleet check a farm, and returns it when every site was checked.
func (m *machine) watches(s *mariadb.Server) *farm {
	m.t.Helper()
	f := newFarm(m.t, 800)
	f.sow(m.t, s)
	m.run("for role in checker veriflier veriflier-us1 veriflier-ap1; do echo JETMON_ALLOW_PRIVATE=true >>/etc/jetmon/$role.env; done\n" +
		"sed -i 's,.*NO_NOTIFY=true,JETMON_WPCOM_TOKEN_FILE=/etc/jetmon/wpcom-token,' /etc/jetmon/coordinator.env\n" +
		"install -m 640 -g jetmon /dev/null /etc/jetmon/wpcom-token; echo secret >/etc/jetmon/wpcom-token\n" +
		fmt.Sprintf("printf 'JETMON_WPCOM_URL=%s\\nJETMON_INTERVAL=%s\\nJETMON_TIME_BETWEEN_CHECKS=1s\\n' >>/etc/jetmon/coordinator.env\n", f.wordpress, farmInterval) +
		"systemctl restart 'jetmon@*'")
	m.wait("every site is checked", func() (bool, string) {
		n := f.unasked(time.Time{})
		return n == 0, fmt.Sprintf("%d are not", n)
	})
	f.blow(m.t)
	return f
}

// version is that of the package which is installed.
func (m *machine) version() string {
	m.t.Helper()
	return m.run("dpkg-query --show --showformat '${Version}' jetmon")
}

// upgrades installs the next version: what runs is restarted, one after the other; what does not
// run stays so, and what was set stays set.
func (m *machine) upgrades() {
	m.t.Helper()
	all := steps(m.t, upgrading, "### By systemd")
	out := m.take(all[:1], share, "")
	if !strings.Contains(out, "the database is up to date") || !strings.Contains(out, "answers under its name") {
		m.t.Errorf("before the upgrade the new program says:\n%s", out)
	}
	m.run("systemctl stop " + idle + "; cp /etc/jetmon/gateway.env /root/fleet")
	m.replaces(all[1:])
	m.run("diff /root/fleet/gateway.env /etc/jetmon/gateway.env")
	m.says("systemctl is-active "+idle+" || true", "inactive")
	m.says("systemctl show -p StatusText --value jetmon@gateway", "working")
}

// goesBack installs the version before.
func (m *machine) goesBack() {
	m.t.Helper()
	m.replaces(steps(m.t, upgrading, "## Going back"))
	m.run("systemctl start " + idle)
}

// replaces takes the steps to another version, and checks that each role that runs was restarted
// when the one before worked.
func (m *machine) replaces(steps []string) {
	m.t.Helper()
	began := time.Now()
	out := m.take(steps, share, "")
	worked := 0
	for _, unit := range everyUnit {
		if unit == idle {
			continue
		}
		times := strings.Fields(m.run("systemctl show --timestamp=us -p ExecMainStartTimestampMonotonic -p ActiveEnterTimestampMonotonic --value " + unit))
		var at [2]int
		for i, text := range times {
			n, err := strconv.Atoi(text)
			must(m.t, err)
			at[i] = n
		}
		start, working := slices.Min(at[:]), slices.Max(at[:])
		if start < worked || !strings.Contains(out, "restarting "+unit+".service") {
			m.t.Errorf("%s was not restarted when the one before worked:\n%s", unit, out)
		}
		worked = working
	}
	m.t.Logf("all roles were replaced in %s", time.Since(began).Round(time.Second))
}

// keeps checks what is promised of an upgrade.
func (m *machine) keeps(f *farm, waits time.Duration) {
	m.t.Helper()
	replaced := time.Now()
	f.calm()
	m.wait("WordPress.com knows that all sites are up", func() (bool, string) {
		f.mend()
		statuses, _ := f.told()
		for _, url := range f.fell {
			if len(statuses[url]) < 2 {
				return false, fmt.Sprintf("%s: %v", url, statuses[url])
			}
		}
		return true, ""
	})
	m.wait("every site is checked after it", func() (bool, string) {
		n := f.unasked(replaced)
		return n == 0, fmt.Sprintf("%d are not", n)
	})
	statuses, again := f.told()
	for url, all := range statuses {
		if !slices.Equal(all, []int{0, 1}) {
			m.t.Errorf("WordPress.com was told %v of %s", all, url)
		}
	}
	if len(statuses) != len(f.fell) || len(f.fell) < 10 || again > 0 {
		m.t.Errorf("WordPress.com was told of %d sites, where %d went down; of %d changes again", len(statuses), len(f.fell), again)
	}
	worst := &plot{}
	for _, p := range f.sites {
		if p.gap > worst.gap {
			worst = p
		}
	}
	m.t.Logf("%d sites of %d went down and came back; the longest wait for a check was %s, from %s on, with an interval of %s",
		len(f.fell), len(f.urls), worst.gap.Round(time.Millisecond), worst.since.Format("15:04:05.000"), farmInterval)
	if worst.gap > farmInterval+waits+busy {
		m.t.Errorf("a site was not checked for %s, want %s at most", worst.gap, farmInterval+waits)
	}
}
