package packaging_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = repository + "/deploy/compose.yaml"

// project reads the compose file as docker compose does, with variables of .env.
func project(t *testing.T, env ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{composeFile}, cli.WithEnv(env), cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ours reports whether a service runs our image.
func ours(s types.ServiceConfig) bool { return strings.HasPrefix(s.Image, "jetmon:") }

func TestContainersMayDoNothingThatTheyNeedNot(t *testing.T) {
	for name, s := range project(t).Services {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || len(s.CapAdd) > 0 || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged {
			t.Errorf("%s may do too much", name)
		}
		if ours(s) && s.User != "" {
			t.Errorf("%s runs as %s, not as the image's user", name, s.User)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s is published at %q", name, port.HostIP)
			}
		}
		for _, v := range s.Volumes {
			if ours(s) && name != "credentials" && !v.ReadOnly {
				t.Errorf("%s writes to %s", name, v.Target)
			}
		}
		oneShot := name == "credentials" || name == "migrate"
		if (s.Restart == "unless-stopped") == oneShot || !oneShot && (s.Deploy == nil || s.Deploy.Resources.Limits.MemoryBytes == 0) {
			t.Errorf("%s: restart %q, limits %v", name, s.Restart, s.Deploy)
		}
	}
}

func TestOnlyThoseReachAServiceWhoNeedIt(t *testing.T) {
	p := project(t)
	reach := func(name string) []string {
		var all []string
		for other, s := range p.Services {
			for network := range s.Networks {
				if _, ok := p.Services[name].Networks[network]; ok && other != name && !slices.Contains(all, other) {
					all = append(all, other)
				}
			}
		}
		slices.Sort(all)
		return all
	}
	for name, want := range map[string][]string{
		"mariadb":      {"coordinator-1", "coordinator-2", "migrate"},
		"veriflier-eu": {"coordinator-1", "coordinator-2", "prometheus", "veriflier-ap", "veriflier-us"},
		"grafana":      {"prometheus"},
		"credentials":  nil,
	} {
		if got := reach(name); !slices.Equal(got, want) {
			t.Errorf("%s is reached by %v, want %v", name, got, want)
		}
	}
}

func TestARoleHasItsOwnCertificatesOnly(t *testing.T) {
	for name, s := range project(t).Services {
		if !ours(s) || name == "credentials" {
			continue
		}
		for _, v := range s.Volumes {
			sub := ""
			if v.Volume != nil {
				sub = v.Volume.Subpath
			}
			database := sub == "database" && (strings.HasPrefix(name, "coordinator-") || name == "migrate")
			if v.Source != "credentials" || sub != "nodes/"+name && !database {
				t.Errorf("%s mounts %s of %s", name, sub, v.Source)
			}
		}
	}
}

// variable is one of the compose file that .env can set.
var variable = regexp.MustCompile(`\$\{([A-Z_]+):-([^}]*)\}`)

func TestTheExampleOfEnvNamesEveryVariableWithItsDefault(t *testing.T) {
	compose, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for _, m := range variable.FindAllStringSubmatch(string(compose), -1) {
		if old, ok := want[m[1]]; ok && old != m[2] {
			t.Errorf("%s has two defaults", m[1])
		}
		want[m[1]] = m[2]
	}
	example, err := os.ReadFile(filepath.Join(repository, "deploy/.env.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#([A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(example), -1) {
		got[m[1]] = m[2]
	}
	if !maps.Equal(got, want) {
		t.Errorf("the example has %v, the compose file %v", got, want)
	}
}

// flagsOf returns the variables of a command's flags, as its help shows them.
func flagsOf(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(theImage(t).Root, "usr/bin/jetmon"), command, "--help").Output()
	if err != nil {
		t.Fatalf("%s --help: %v", command, err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestEveryVariableOfAServiceIsAFlag(t *testing.T) {
	for name, s := range project(t).Services {
		if !ours(s) {
			continue
		}
		help := flagsOf(t, s.Command[0])
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "JETMON_") && !strings.Contains(help, "[$"+variable+"]") {
				t.Errorf("%s: %s is no flag of jetmon %s", name, variable, s.Command[0])
			}
		}
	}
}

func TestPrometheusAsksEveryRole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "deploy/prometheus/compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, m := range regexp.MustCompile(`(?m)^ +- ([a-z0-9-]+:\d+)$`).FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	for name, s := range project(t).Services {
		if at := s.Environment["JETMON_METRICS_LISTEN"]; at != nil {
			want = append(want, strings.Replace(*at, "0.0.0.0", name, 1))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) != 9 || !slices.Equal(got, want) {
		t.Errorf("Prometheus asks %v, the roles are %v", got, want)
	}
}

// docs/upgrading.md replaces what runs our image, each service once, and those who are asked before
// those who ask.
func TestAnUpgradeByComposeReplacesEveryService(t *testing.T) {
	text, err := os.ReadFile(repository + "/docs/upgrading.md")
	if err != nil {
		t.Fatal(err)
	}
	loop := regexp.MustCompile(`(?m)^for s in (.+); do\n    docker compose up -d --no-deps --wait "\$s"$`).FindSubmatch(text)
	if loop == nil {
		t.Fatal("docs/upgrading.md has no loop over the services")
	}
	order := []string{"veriflier", "coordinator", "gateway", "checker"}
	var want []string
	for name, s := range project(t).Services {
		if ours(s) && s.Restart != "" {
			want = append(want, name)
		}
	}
	rank := func(name string) int {
		return slices.IndexFunc(order, func(role string) bool { return strings.HasPrefix(name, role) })
	}
	got := strings.Fields(string(loop[1]))
	if !slices.IsSortedFunc(got, func(a, b string) int { return rank(a) - rank(b) }) {
		t.Errorf("%q are not in the order of %q", got, order)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the loop replaces %q, and there are %q", got, want)
	}
}
