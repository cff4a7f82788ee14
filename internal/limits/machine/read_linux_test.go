package machine

import (
	"maps"
	"testing"
	"testing/fstest"

	"github.com/Automattic/jetmon/internal/limits"
)

func TestWhatFilesSayOfTheMachine(t *testing.T) {
	t.Parallel()
	const meminfo = "MemTotal:       24576 kB\nMemFree:        1 kB\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  limits.Machine
	}{
		"nothing": {nil, limits.Machine{}},
		"a plain machine": {map[string]string{
			"proc/sys/net/core/somaxconn": "4096\n", "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n",
		}, limits.Machine{limits.Backlog: 4096, limits.Ports: 28232, limits.Memory: 24 << 20}},
		"a machine that tracks connections, with no bound": {map[string]string{
			"proc/sys/net/netfilter/nf_conntrack_max": "0\n",
		}, limits.Machine{}},
		"one with a bound": {map[string]string{
			"proc/sys/net/netfilter/nf_conntrack_max": "262144\n",
		}, limits.Machine{limits.Flows: 262144}},
		"a unit with MemoryMax below a slice with less": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/jetmon.slice/jetmon@checker.service\n",
			"sys/fs/cgroup/jetmon.slice/jetmon@checker.service/memory.max": "16777216\n",
			"sys/fs/cgroup/jetmon.slice/memory.max":                        "8388608\n",
		}, limits.Machine{limits.Memory: 8 << 20}},
		"a unit without a bound": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a.service\n", "sys/fs/cgroup/a.service/memory.max": "max\n",
		}, limits.Machine{limits.Memory: 24 << 20}},
		"a container, whose group is the top of what it sees": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../../docker/1\n", "sys/fs/cgroup/memory.max": "4194304\n",
		}, limits.Machine{limits.Memory: 4 << 20}},
		"groups of version 1": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "3:cpu,cpuacct:/x\n2:memory:/x\n1:name=systemd:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "2097152\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, limits.Machine{limits.Memory: 2 << 20}},
		"what nobody can read": {map[string]string{
			"proc/sys/net/core/somaxconn": "many\n", "proc/sys/net/ipv4/ip_local_port_range": "60999 32768\n",
			"proc/meminfo": "MemTotal: lots kB\n", "proc/self/cgroup": "memory\n",
		}, limits.Machine{}},
	} {
		root := fstest.MapFS{}
		for file, text := range tt.files {
			root[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := read(root); !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// This machine has files and memory, whatever it is.
func TestThisMachineIsRead(t *testing.T) {
	t.Parallel()
	m := Read()
	if m[limits.Files] < 64 || m[limits.Memory] < 64<<20 {
		t.Errorf("this machine has %v", m)
	}
}
