package limits_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/limits"
)

// ample is a machine that is large enough for every role's defaults.
func ample() limits.Machine {
	return limits.Machine{limits.Files: 65536, limits.Backlog: 4096, limits.Ports: 28232, limits.Flows: 262144, limits.Memory: 4 << 30}
}

// roles are the roles with their default flags: what --max-in-flight and --tls-session-cache say.
func roles() map[string][]limits.Need {
	return map[string][]limits.Need{
		"checker":     limits.Probing{InFlight: 1000, Sessions: 64 << 20}.Needs(),
		"veriflier":   limits.Probing{InFlight: 500, Sessions: 64 << 20, SecondReader: true, Serves: true}.Needs(),
		"coordinator": limits.Coordinating{Sessions: 72, Verifliers: 3}.Needs(),
		"gateway":     limits.Gateway(),
	}
}

func TestAnAmpleMachineIsShortOfNothing(t *testing.T) {
	t.Parallel()
	for role, needs := range roles() {
		found := limits.Compare(ample(), needs)
		if len(found) < 3 {
			t.Errorf("%s asks for %d limits: nothing is proved", role, len(found))
		}
		for _, f := range found {
			if f.Short() {
				t.Errorf("%s: %s is %s, of %s wanted", role, f.Limit, f.Limit.Amount(f.Has), f.Limit.Amount(f.Least))
			}
		}
	}
}

// One limit at a time is lowered by one below what is asked for, or just to it.
func TestEachLimitIsToldOfFromOneBelowOn(t *testing.T) {
	t.Parallel()
	for role, needs := range roles() {
		for _, n := range needs {
			m := ample()
			m[n.Limit] = n.Least
			if short := short(m, needs); len(short) != 0 {
				t.Errorf("%s: %v short with just enough", role, short)
			}
			m[n.Limit]--
			if short := short(m, needs); !slices.Equal(short, []limits.Limit{n.Limit}) {
				t.Errorf("%s: %v short, want %s alone", role, short, n.Limit)
			}
		}
	}
}

func short(m limits.Machine, needs []limits.Need) (list []limits.Limit) {
	for _, f := range limits.Compare(m, needs) {
		if f.Short() {
			list = append(list, f.Limit)
		}
	}
	return list
}

// A machine other than Linux tells nothing, and a limit that is not there is not judged.
func TestWhatIsUnknownIsNotJudged(t *testing.T) {
	t.Parallel()
	for role, needs := range roles() {
		if found := limits.Compare(nil, needs); len(found) != 0 {
			t.Errorf("%s: %v of a machine of which nothing is known", role, found)
		}
	}
	if found := limits.Compare(limits.Machine{limits.Flows: 0}, limits.Gateway()); len(found) != 0 {
		t.Errorf("a gateway is judged by %v, of which it asks nothing", found)
	}
}

// What the flags ask for, in the figures of docs/sizing.md.
func TestWhatFlagsAskFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		needs []limits.Need
		want  map[limits.Limit]uint64
	}{
		{
			"a checker with 5,000 checks in flight", limits.Probing{InFlight: 5000, Sessions: 256 << 20}.Needs(),
			map[limits.Limit]uint64{limits.Files: 10_256, limits.Ports: 5000, limits.Flows: 605_000, limits.Memory: 96<<20 + 256<<20 + 5000*40<<10},
		},
		{
			"a veriflier with 500 and a second reader", limits.Probing{InFlight: 500, SecondReader: true, Serves: true}.Needs(),
			map[limits.Limit]uint64{limits.Files: 2256, limits.Ports: 500, limits.Flows: 60_500, limits.Backlog: 128, limits.Memory: 96<<20 + 500*40<<10},
		},
		{
			"a coordinator of MariaDB with three verifliers", limits.Coordinating{Sessions: 72, Verifliers: 3}.Needs(),
			map[limits.Limit]uint64{limits.Files: 72 + 6 + 1024 + 256 + 256, limits.Backlog: 512, limits.Memory: 96 << 20},
		},
	} {
		got := map[limits.Limit]uint64{}
		for _, n := range tt.needs {
			got[n.Limit] = n.Least
			if n.For == "" {
				t.Errorf("%s: nothing says what %s is for", tt.name, n.Limit)
			}
		}
		for l, want := range tt.want {
			if got[l] != want {
				t.Errorf("%s asks for %d of %s, want %d", tt.name, got[l], l, want)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s asks for %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestWhatRaisesALimitNamesEnough(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]limits.Finding{
		"LimitNOFILE=4096":                                 {Need: limits.Need{Limit: limits.Files, Least: 2256}},
		"sysctl -w net.core.somaxconn=1024":                {Need: limits.Need{Limit: limits.Backlog, Least: 1024}},
		"sysctl -w net.netfilter.nf_conntrack_max=1048576": {Need: limits.Need{Limit: limits.Flows, Least: 605_000}},
		`net.ipv4.ip_local_port_range="10240 65535"`:       {Need: limits.Need{Limit: limits.Ports, Least: 30_000}},
		"MemoryMax=512M":                                   {Need: limits.Need{Limit: limits.Memory, Least: 300 << 20}},
	} {
		if got := f.Raise(); !strings.Contains(got, want) {
			t.Errorf("%s of %d is raised by %q, want %q", f.Limit, f.Least, got, want)
		}
	}
}
