//go:build packaging

package debian

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// becomeInit makes a folder the root of this process, with what a machine has beside its files,
// and becomes systemd. It returns only when that fails.
func becomeInit(root string) error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("its control groups: %w", err)
	}
	if err := furnish(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, filepath.Join(root, "media")); err != nil {
		return fmt.Errorf("its root: %w", err)
	}
	err := errors.Join(os.Chdir("/"), unix.Unmount("/media", unix.MNT_DETACH), unix.Sethostname([]byte("jetmon-test")))
	// The machine may not load modules or set the clock.
	for _, capability := range []uintptr{unix.CAP_SYS_MODULE, unix.CAP_SYS_TIME} {
		err = errors.Join(err, unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0))
	}
	if err != nil {
		return err
	}
	return unix.Exec("/lib/systemd/systemd", []string{"systemd", "--unit=basic.target", "--log-target=console", "--show-status=no"},
		[]string{"container=jetmon-test", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
}

// furnish mounts what is not a file: processes, devices, control groups. Of the kernel's settings
// only those of the network can be written, which is the machine's own.
func furnish(root string) error {
	at := func(name string) string { return filepath.Join(root, name) }
	const bind = unix.MS_BIND
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
		data                 string
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", at("proc"), "proc", 0, ""},
		{"sysfs", at("sys"), "sysfs", unix.MS_RDONLY, ""},
		{"cgroup2", at("sys/fs/cgroup"), "cgroup2", 0, ""},
		{"tmpfs", at("dev"), "tmpfs", 0, "mode=755"},
		{"tmpfs", at("run"), "tmpfs", 0, "mode=755"},
		{"tmpfs", at("tmp"), "tmpfs", 0, "mode=1777"},
		{"tmpfs", at("root"), "tmpfs", 0, "mode=700"},
		{"tmpfs", at("home"), "tmpfs", 0, "mode=755"},
		{at("proc/sys"), at("proc/sys"), "", bind, ""},
		{at("proc/sys/net"), at("proc/sys/net"), "", bind, ""},
		{"", at("proc/sys"), "", bind | unix.MS_REMOUNT | unix.MS_RDONLY, ""},
	} {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return devices(at)
}

// devices makes the devices that every program may expect.
func devices(at func(string) string) error {
	for name, number := range map[string][2]uint32{
		"null": {1, 3}, "zero": {1, 5}, "full": {1, 7}, "random": {1, 8}, "urandom": {1, 9}, "tty": {5, 0},
	} {
		path := at("dev/" + name)
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(number[0], number[1]))); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"} {
		if err := os.Symlink(target, at("dev/"+link)); err != nil {
			return err
		}
	}
	for _, m := range []struct{ name, kind, data string }{
		{"dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=620"}, {"dev/shm", "tmpfs", "mode=1777"},
	} {
		if err := os.Mkdir(at(m.name), 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, at(m.name), m.kind, 0, m.data); err != nil {
			return fmt.Errorf("mount /%s: %w", m.name, err)
		}
	}
	return nil
}
