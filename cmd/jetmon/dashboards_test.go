package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/access"
)

// alertRules is deploy/prometheus/rules.yml.
type alertRules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

const (
	rulesFile = "../../deploy/prometheus/rules.yml"
	runbook   = "https://github.com/Automattic/jetmon/blob/main/docs/operations.md#"
)

func readRules(t *testing.T) (rules alertRules) {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	strict := yaml.NewDecoder(bytes.NewReader(text))
	strict.KnownFields(true)
	if err := strict.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

// dashboardPanel is a part of a Grafana dashboard.
type dashboardPanel struct {
	ID          int
	Type, Title string
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ Expr, RefID string }
}

func readDashboard(t *testing.T) []dashboardPanel {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/jetmon.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		UID, Title string
		Panels     []dashboardPanel
	}
	if err := json.Unmarshal(text, &dashboard); err != nil || dashboard.UID == "" || dashboard.Title == "" {
		t.Fatalf("%v: %+v", err, dashboard)
	}
	return dashboard.Panels
}

// exported are the series of roles that run, with the names of their labels. It waits until all
// names are there, or for 20 s.
func exported(t *testing.T, names []string) map[string][]string {
	t.Helper()
	f := newFleet(t)
	f.issue(t, access.Veriflier, "v", 90*day)
	roles := []*running{
		start(t, "dev", "--interval=1s", "--http=127.0.0.1:0", "--grpc=127.0.0.1:0", "--veriflier=127.0.0.1:0", "--allow-private", "--debug-listen=127.0.0.1:0", "--log-level=info"),
		start(t, "veriflier", "--listen=127.0.0.1:0", "--name=v", "--certs="+f.dir, "--debug-listen=127.0.0.1:0", "--log-level=info"),
	}
	getText(t, roles[0].out.find(t, `REST +(http://[^/\s]+)`)+"/v1/fleet") // so that it counts one
	debug := make([]string, len(roles))
	for i, role := range roles {
		debug[i] = "http://" + role.errs.find(t, `msg="debug listener".* address=(\S+)`) + "/metrics"
	}
	// Some series begin with the first vote, the first delivery.
	all := map[string][]string{}
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-pace.C {
		for _, url := range debug {
			addSeries(all, getText(t, url))
		}
		if !slices.ContainsFunc(names, func(name string) bool { return all[name] == nil }) {
			break
		}
	}
	return all
}

// addSeries adds the series of an answer of /metrics.
func addSeries(all map[string][]string, text string) {
	series, label := regexp.MustCompile(`(?m)^([a-z_0-9]+)(?:\{([^}]*)\})? `), regexp.MustCompile(`([a-z_]+)="`)
	for _, m := range series.FindAllStringSubmatch(text, -1) {
		all[m[1]] = []string{"instance", "job"}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			all[m[1]] = append(all[m[1]], l[1])
		}
	}
}

// expressions are all that rules and dashboard ask Prometheus, by where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			all["rule "+rule.Alert] = rule.Expr
		}
	}
	for _, p := range readDashboard(t) {
		for _, target := range p.Targets {
			all["panel "+p.Title+" "+target.RefID] = target.Expr
		}
	}
	return all
}

func TestRulesAndDashboardNameOnlyWhatRolesExport(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`(jetmon_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	var names []string
	for _, expr := range expressions(t) {
		for _, m := range name.FindAllStringSubmatch(expr, -1) {
			names = append(names, m[1])
		}
	}
	have := exported(t, names)
	label := regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	by := regexp.MustCompile(`by \(([^)]*)\)`)
	used := 0
	for where, expr := range expressions(t) {
		known := []string{"le"}
		for _, m := range name.FindAllStringSubmatch(expr, -1) {
			used++
			labels, ok := have[m[1]]
			if !ok {
				t.Errorf("%s names %s, which no role exports", where, m[1])
			}
			known = append(known, labels...)
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: %s has no label %s", where, m[1], l[1])
				}
			}
		}
		for _, m := range by.FindAllStringSubmatch(expr, -1) {
			for l := range strings.SplitSeq(m[1], ",") {
				if l = strings.TrimSpace(l); !slices.Contains(known, l) {
					t.Errorf("%s: nothing there has a label %s", where, l)
				}
			}
		}
	}
	if used < 60 {
		t.Errorf("only %d metrics are named", used)
	}
}

func TestEveryKindOfAlarmHasItsRule(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(manual), -1) {
		anchor := regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	rules, alerts := map[string]int{}, map[string]bool{}
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			if kind := regexp.MustCompile(`^jetmon_alarm\{kind="([a-z_]+)"\} > 0$`).FindStringSubmatch(rule.Expr); kind != nil {
				rules[kind[1]]++
			}
			a := rule.Annotations
			if alerts[rule.Alert] || rule.For == "" || a["summary"] == "" || a["description"] == "" || !slices.Contains([]string{"critical", "warning"}, rule.Labels["severity"]) {
				t.Errorf("%s is not whole, or there twice: %+v", rule.Alert, rule)
			}
			alerts[rule.Alert] = true
			if anchor, ok := strings.CutPrefix(a["runbook_url"], runbook); !ok || !anchors[anchor] {
				t.Errorf("%s: %s is no heading of docs/operations.md", rule.Alert, a["runbook_url"])
			}
		}
	}
	for number, name := range monitorv1.AlarmKind_name {
		kind := strings.ToLower(strings.TrimPrefix(name, "ALARM_KIND_"))
		if want := min(1, int(number)); rules[kind] != want {
			t.Errorf("%s has %d rules, want %d", kind, rules[kind], want)
		}
	}
}

func TestPanelsHaveAPlaceOfTheirOwn(t *testing.T) {
	t.Parallel()
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range readDashboard(t) {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%+v", p)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}

// promtool judges the rules where it is at hand; it is no program that the tests require.
func TestPromtoolAcceptsTheRules(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not at hand")
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", rulesFile).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
