package image

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Mount puts a folder or file of this machine into a box.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// Box is where a program runs: a root folder of its own, with other mounts than the rest of
// the machine, as another user, with nothing of our environment.
type Box struct {
	// Root is the folder that is the root; Mounts lie in it. ReadOnly is for what is no mount.
	Root     string
	ReadOnly bool
	Mounts   []Mount
	// User is UID:GID, Dir the working directory.
	User, Dir string
	Env       []string
	// Offline gives the box a network of its own that ends at its loopback.
	Offline bool
}

// Prepare makes the mount points.
func (b Box) Prepare() error {
	for _, m := range b.Mounts {
		info, err := os.Stat(m.Source)
		if err != nil {
			return err
		}
		target := filepath.Join(b.Root, m.Target)
		if info.IsDir() {
			if err := os.MkdirAll(target, 0o755); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(target, os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Command returns the process of a program in the box. Its mounts end with it. SIGTERM ends it
// with ctx, SIGKILL ten seconds later.
func (b Box) Command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "unshare", append(b.unshare(), argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Beside returns another program in the namespaces of a process of the box, as docker exec
// does.
func (b Box) Beside(ctx context.Context, pid int, argv ...string) *exec.Cmd {
	args := append([]string{"--target", fmt.Sprint(pid), "--net", "--"}, "unshare")
	cmd := exec.CommandContext(ctx, "nsenter", append(append(args, b.unshare()...), argv...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return cmd
}

// unshare returns the arguments of unshare(1) that run what follows them in the box.
func (b Box) unshare() []string {
	args := []string{"--mount"}
	var script strings.Builder
	script.WriteString("set -e\n")
	if b.Offline {
		args = append(args, "--net")
		script.WriteString("ip link set lo up\n")
	}
	for _, m := range append([]Mount{{Source: b.Root, Target: "/", ReadOnly: b.ReadOnly}}, b.Mounts...) {
		target := quote(filepath.Join(b.Root, m.Target))
		fmt.Fprintf(&script, "mount --rbind %s %s\n", quote(m.Source), target)
		if m.ReadOnly {
			fmt.Fprintf(&script, "mount -o remount,bind,ro %s\n", target)
		}
	}
	uid, gid, _ := strings.Cut(b.User, ":")
	script.WriteString("exec env -i " + quoteAll(b.Env) + " /usr/bin/setpriv --no-new-privs --clear-groups /usr/bin/unshare")
	fmt.Fprintf(&script, " --root %s --wd %s --setgid %s --setuid %s \"$@\"\n", quote(b.Root), quote(b.Dir), quote(gid), quote(uid))
	return append(args, "sh", "-c", script.String(), "sh")
}

func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}
