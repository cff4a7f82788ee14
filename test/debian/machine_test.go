//go:build packaging

package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// asInit is the variable that the first process of a machine finds set, to the root of it.
	asInit = "JETMON_MACHINE_ROOT"
	// apart is the variable that a test in mounts and a network of its own finds set, to the folder
	// of alone.
	apart = "JETMON_MACHINE_APART"
	// share is the folder of the machine in which the test's own folder is seen.
	share = "/mnt"
	// patience bounds one command in the machine: an upgrade restarts six roles.
	patience = 2 * time.Minute
)

func TestMain(m *testing.M) {
	if root := os.Getenv(asInit); root != "" {
		fmt.Fprintln(os.Stderr, "the machine does not start:", becomeInit(root))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// alone runs the calling test again with mounts and a network of its own, and returns to that run
// the folder that a machine sees as share. To the first run, for which all is over then, it returns
// none. What needs the world outside, prepare does before, in that folder.
func alone(t *testing.T, prepare func(dir string)) (dir string) {
	t.Helper()
	if dir := os.Getenv(apart); dir != "" {
		return dir
	}
	if os.Getuid() != 0 {
		t.Fatal("this test starts a machine of its own: run it as root")
	}
	dir = t.TempDir()
	prepare(dir)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), apart+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, os.ErrPermission) {
		t.Fatal("this test starts a machine of its own: root must be allowed to make namespaces and to mount")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return ""
}

// machine is a machine whose first process is systemd.
type machine struct {
	t     *testing.T
	pid   int
	upper string // what was written in it
	dir   string // what it sees as share
	// readme is the README whose steps are taken.
	readme string
}

// startMachine starts it; it is gone with the test. It sees a folder as share.
func startMachine(t *testing.T, dir string) *machine {
	t.Helper()
	m := &machine{t: t, dir: dir, readme: readme}
	layers := t.TempDir()
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, unix.Mount("tmpfs", layers, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { _ = unix.Unmount(layers, unix.MNT_DETACH) })
	at := func(name string) string { return filepath.Join(layers, name) }
	for _, name := range []string{"upper", "work", "root"} {
		must(t, os.Mkdir(at(name), 0o755))
	}
	m.upper = at("upper")
	must(t, unix.Mount("overlay", at("root"), "overlay", 0, "lowerdir=/,upperdir="+m.upper+",workdir="+at("work")))
	t.Cleanup(func() { _ = unix.Unmount(at("root"), unix.MNT_DETACH) })
	m.forget(at("root"))
	must(t, unix.Mount(m.dir, at("root"+share), "", unix.MS_BIND, ""))

	console := &bytes.Buffer{}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{asInit + "=" + at("root")}
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL, UseCgroupFD: true, CgroupFD: controlGroup(t, layers),
	}
	must(t, cmd.Start())
	m.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the machine's console:\n%s", console)
		}
	})
	m.wait("systemd has started", func() (bool, string) {
		out, err := m.try("systemctl is-active basic.target")
		return err == nil, fmt.Sprint(out, err)
	})
	return m
}

// forget makes the machine one on which nothing of the one below is mounted or started.
func (m *machine) forget(root string) {
	m.t.Helper()
	units := filepath.Join(root, "etc/systemd/system")
	entries, err := os.ReadDir(units)
	must(m.t, err)
	for _, e := range entries {
		must(m.t, os.RemoveAll(filepath.Join(units, e.Name())))
	}
	for _, name := range []string{
		"usr/sbin/policy-rc.d",            // may forbid to start services
		"etc/apt/apt.conf.d/20packagekit", // tells another service of each step of apt
		"var/lib/man-db/auto-update",      // indexes all manual pages at each step
	} {
		if err := os.Remove(filepath.Join(root, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			m.t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/fstab":                         "",
		"etc/hostname":                      "jetmon-test\n",
		"etc/resolv.conf":                   "",
		"etc/apt/apt.conf.d/99-jetmon-test": "APT::Get::Assume-Yes \"true\";\nAPT::Install-Recommends \"false\";\n",
		"etc/dpkg/dpkg.cfg.d/jetmon-test":   "force-unsafe-io\nforce-confold\n", // nothing outlives the machine; whoever is asked keeps what was set
	} {
		path := filepath.Join(root, name)
		_ = os.Remove(path) // a link would lead out
		must(m.t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// controlGroup makes a control group for the machine, and returns a handle of it.
func controlGroup(t *testing.T, layers string) int {
	t.Helper()
	all := filepath.Join(layers, "cgroup")
	must(t, os.Mkdir(all, 0o755))
	must(t, unix.Mount("cgroup2", all, "cgroup2", 0, ""))
	t.Cleanup(func() { _ = unix.Unmount(all, unix.MNT_DETACH) })
	own := filepath.Join(all, "jetmon-test-"+strconv.Itoa(os.Getpid()))
	must(t, os.Mkdir(own, 0o755))
	t.Cleanup(func() { removeGroups(t, own) })
	handle, err := os.Open(own)
	must(t, err)
	t.Cleanup(func() { _ = handle.Close() })
	return int(handle.Fd())
}

// removeGroups removes a control group with those in it, of whose processes the last may still be
// on their way out.
func removeGroups(t *testing.T, own string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var dirs []string
		_ = filepath.WalkDir(own, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		slices.Reverse(dirs)
		for _, dir := range dirs {
			_ = unix.Rmdir(dir)
		}
		if _, err := os.Stat(own); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("%s cannot be removed", own)
			return
		}
	}
}

// try runs commands in the machine.
func (m *machine) try(commands string) (out string, err error) {
	cmd := exec.Command("nsenter", "--target", strconv.Itoa(m.pid), "--mount", "--pid", "--ipc", "--uts", "--cgroup",
		"--root", "env", "--chdir=/", "timeout", "--kill-after=5", fmt.Sprint(patience.Seconds()), "bash", "-e", "-o", "pipefail")
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", "TERM=dumb"}
	cmd.Stdin = strings.NewReader(commands)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// run runs commands in the machine; all must succeed.
func (m *machine) run(commands string) string {
	m.t.Helper()
	out, err := m.try(commands)
	if err != nil {
		journal, _ := m.try("systemctl --no-pager --lines=0 status 'jetmon@*' || true; journalctl --no-pager --lines=60")
		m.t.Fatalf("%s\n%v\n%s\nthe journal:\n%s", commands, err, out, journal)
	}
	return out
}

// says runs commands whose output must have a text.
func (m *machine) says(commands, want string) {
	m.t.Helper()
	if out := m.run(commands); !strings.Contains(out, want) {
		m.t.Errorf("%s\ndoes not say %q:\n%s", commands, want, out)
	}
}

// wait waits for a condition, which also tells what there is instead.
func (m *machine) wait(what string, is func() (bool, string)) {
	m.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		ok, instead := is()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%s: not after %s, but %s", what, patience, instead)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
