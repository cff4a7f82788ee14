package machine

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/Automattic/jetmon/internal/limits"
)

// Read reads the limits of this process and its machine. What cannot be read is left out.
func Read() limits.Machine {
	m := read(os.DirFS("/"))
	var files syscall.Rlimit
	// The runtime has raised the soft limit to the hard one before main.
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		m[limits.Files] = files.Cur
	}
	return m
}

// read reads what is in files below a root.
func read(root fs.FS) limits.Machine {
	m := limits.Machine{}
	for l, file := range map[limits.Limit]string{
		limits.Backlog: "proc/sys/net/core/somaxconn",
		limits.Flows:   "proc/sys/net/netfilter/nf_conntrack_max",
	} {
		if n, ok := number(root, file); ok && n > 0 { // no connection tracked, or no bound
			m[l] = n
		}
	}
	if n, ok := ports(root); ok {
		m[limits.Ports] = n
	}
	if n, ok := memory(root); ok {
		m[limits.Memory] = n
	}
	return m
}

// ports counts the ports that the kernel hands out for connections.
func ports(root fs.FS) (uint64, bool) {
	text, err := fs.ReadFile(root, "proc/sys/net/ipv4/ip_local_port_range")
	ends := strings.Fields(string(text))
	if err != nil || len(ends) != 2 {
		return 0, false
	}
	first, err1 := strconv.ParseUint(ends[0], 10, 16)
	last, err2 := strconv.ParseUint(ends[1], 10, 16)
	if err1 != nil || err2 != nil || last < first {
		return 0, false
	}
	return last - first + 1, true
}

// memory returns the least of the machine's memory and the limits of the control groups that
// the process is in.
func memory(root fs.FS) (least uint64, known bool) {
	lower := func(n uint64, ok bool) {
		if ok && (!known || n < least) {
			least, known = n, true
		}
	}
	lower(total(root))
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least, known
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		top, file := "sys/fs/cgroup", "memory.max" // version 2: 0::/path
		if parts[1] != "" {
			if parts[1] != "memory" {
				continue
			}
			top, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		// In a container the path may be the host's, and the group the top of what is mounted.
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
			lower(number(root, path.Join(top, at, file)))
			if at == "/" {
				break
			}
		}
	}
	return least, known
}

// total reads the machine's memory.
func total(root fs.FS) (uint64, bool) {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemTotal:" {
			kib, err := strconv.ParseUint(fields[1], 10, 64)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// number reads a file with one number; "max" is none.
func number(root fs.FS, file string) (uint64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
