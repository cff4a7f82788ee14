package packaging_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = repository + "/deploy/helm/jetmon"

// minimal is what an operator must say; whole turns on everything; remote is a region that has
// verifliers only.
const (
	minimal = `
database: {existingSecret: jetmon-db}
certificates: {issuerRef: {name: ca}}
veriflier: {nodes: [{name: eu1, region: eu}, {name: us1, region: us}, {name: ap1, region: ap}]}
`
	whole = minimal + `
image: {repository: registry.example.org/jetmon, tag: v1.2.3}
imagePullSecrets: [{name: pull}]
wpcom: {existingSecret: wpcom, url: "https://wpcom.example.org/"}
anchors: ["https://a.example/", "https://b.example/"]
coordinator: {replicas: 3, nodeSelector: {a: b}, tolerations: [{operator: Exists}], env: {JETMON_INTERVAL: 1m, JETMON_NUM_OF_CHECKS: 4}}
checker: {replicas: 5, region: eu, nodeSelector: {a: b}, tolerations: [{operator: Exists}], env: {JETMON_MAX_IN_FLIGHT: 2000}}
gateway: {hosts: [api.example.org], service: {type: LoadBalancer, annotations: {a: b}}, nodeSelector: {a: b}}
networkPolicy: {veriflierFrom: [{ipBlock: {cidr: 192.0.2.0/24}}], coordinatorFrom: [{podSelector: {}}]}
podMonitor: {enabled: true, labels: {release: prometheus}}
`
	remote = `
coordinator: {replicas: 0}
checker: {replicas: 0}
gateway: {replicas: 0}
networkPolicy: {veriflierFrom: [{ipBlock: {cidr: 192.0.2.0/24}}]}
veriflier: {nodes: [{name: us1, region: us, replicas: 2, hosts: [us1.example.org], nodeSelector: {a: b}}], service: {type: LoadBalancer}}
`
)

// certificate is what of cert-manager's Certificate the chart uses.
type certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		SecretName            string            `json:"secretName"`
		Duration, RenewBefore metav1.Duration   `json:",omitempty"`
		URIs                  []string          `json:"uris"`
		DNSNames              []string          `json:"dnsNames"`
		Usages                []string          `json:"usages"`
		PrivateKey            map[string]any    `json:"privateKey"`
		IssuerRef             map[string]string `json:"issuerRef"`
	} `json:"spec"`
}

// podMonitor is what of the Prometheus operator's PodMonitor the chart uses.
type podMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector            metav1.LabelSelector `json:"selector"`
		PodMetricsEndpoints []struct {
			Port, Interval string
			Relabelings    []map[string]string
		} `json:"podMetricsEndpoints"`
	} `json:"spec"`
}

// cluster is what the chart would install, by kind.
type cluster struct {
	statefulSets []appsv1.StatefulSet
	deployments  []appsv1.Deployment
	services     []corev1.Service
	jobs         []batchv1.Job
	budgets      []policyv1.PodDisruptionBudget
	policies     []networkingv1.NetworkPolicy
	certificates []certificate
	monitors     []podMonitor
}

// add decodes an object strictly: a field that its kind does not have is a mistake.
func (c *cluster) add(object string) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(object), &kind); err != nil {
		return err
	}
	switch kind.APIVersion + " " + kind.Kind {
	case "apps/v1 StatefulSet":
		return decode(&c.statefulSets, object)
	case "apps/v1 Deployment":
		return decode(&c.deployments, object)
	case "v1 Service":
		return decode(&c.services, object)
	case "batch/v1 Job":
		return decode(&c.jobs, object)
	case "policy/v1 PodDisruptionBudget":
		return decode(&c.budgets, object)
	case "networking.k8s.io/v1 NetworkPolicy":
		return decode(&c.policies, object)
	case "cert-manager.io/v1 Certificate":
		return decode(&c.certificates, object)
	case "monitoring.coreos.com/v1 PodMonitor":
		return decode(&c.monitors, object)
	}
	return fmt.Errorf("%s %s is not known here", kind.APIVersion, kind.Kind)
}

func decode[T any](to *[]T, object string) error {
	var one T
	if err := yaml.UnmarshalStrict([]byte(object), &one); err != nil {
		return err
	}
	*to = append(*to, one)
	return nil
}

// render renders the chart as helm template does, checks the values by their schema, and
// decodes what it makes.
func render(t *testing.T, values string) (cluster, error) {
	t.Helper()
	var c cluster
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	release := chartutil.ReleaseOptions{Name: "jetmon", Namespace: "watch", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, given, release, chartutil.DefaultCapabilities)
	if err != nil {
		return c, err
	}
	files, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return c, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for object := range strings.SplitSeq("\n"+files[name], "\n---") {
			if empty(object) {
				continue
			}
			if err := c.add(object); err != nil {
				t.Fatalf("%s: %v:\n%s", name, err, object)
			}
		}
	}
	return c, nil
}

// empty reports whether a document has only comments.
func empty(object string) bool {
	for line := range strings.Lines(object) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return false
		}
	}
	return true
}

func mustRender(t *testing.T, values string) cluster {
	t.Helper()
	c, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pods returns the pods of all workloads by the workload's name.
func (c cluster) pods() map[string]corev1.PodTemplateSpec {
	all := map[string]corev1.PodTemplateSpec{}
	for _, s := range c.statefulSets {
		all[s.Name] = s.Spec.Template
	}
	for _, d := range c.deployments {
		all[d.Name] = d.Spec.Template
	}
	for _, j := range c.jobs {
		all[j.Name] = j.Spec.Template
	}
	return all
}

func TestHelmFindsNothingInTheChart(t *testing.T) {
	values, err := chartutil.ReadValues([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range lint.AllWithKubeVersion(chartDir, values, "watch", &chartutil.KubeVersion{Version: "v1.34.0", Major: "1", Minor: "34"}).Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
}

func TestTheChartMakesWhatIsAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name, values                                            string
		sets, deployments, services, jobs, budgets, certs, rest int
	}{
		{"minimal", minimal, 2, 4, 6, 1, 3, 9, 6},
		{"everything", whole, 2, 4, 6, 1, 3, 12, 7},
		{"a region with verifliers only", remote, 0, 1, 1, 0, 0, 0, 1},
	} {
		c := mustRender(t, tt.values)
		got := []int{len(c.statefulSets), len(c.deployments), len(c.services), len(c.jobs), len(c.budgets), len(c.certificates), len(c.policies) + len(c.monitors)}
		want := []int{tt.sets, tt.deployments, tt.services, tt.jobs, tt.budgets, tt.certs, tt.rest}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", tt.name, got, want)
		}
	}
}

func TestMistakesInValuesAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"certificates: {issuerRef: {name: ca}}":             "database.existingSecret names the secret",
		minimal + "replicas: 3":                             "replicas",
		minimal + "gateway: {tls: maybe}":                   "tls",
		minimal + "checker: {replicas: -1}":                 "replicas",
		"veriflier: {nodes: [{name: Eu_1, region: eu}]}":    "name",
		"veriflier: {external: [{name: a, region: eu}]}":    "address",
		"image: {pullPolicy: Sometimes}":                    "pullPolicy",
		"coordinator: {env: {jetmon_interval: 1m}}":         "jetmon_interval",
		"veriflier: {service: {type: ExternalName}}":        "type",
		"certificates: {duration: ninety days}":             "duration",
		"networkPolicy: {metricsFrom: everybody}":           "metricsFrom",
		"veriflier: {nodes: [{name: eu1, regoin: europe}]}": "regoin",
	} {
		if _, err := render(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", values, err)
		}
	}
}

func TestPodsMayDoNothingThatTheyNeedNot(t *testing.T) {
	for name, pod := range mustRender(t, whole).pods() {
		s := pod.Spec.SecurityContext
		if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 || s.SeccompProfile == nil || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: %v", name, s)
		}
		if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token {
			t.Errorf("%s has a token of the cluster", name)
		}
		for _, c := range pod.Spec.Containers {
			s := c.SecurityContext
			if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
				t.Errorf("%s: %v", name, s)
			}
			if c.Image != "registry.example.org/jetmon:v1.2.3" || c.Resources.Limits.Memory().IsZero() || len(c.Command) > 0 {
				t.Errorf("%s: %s %v %v", name, c.Image, c.Resources, c.Command)
			}
			for _, v := range c.VolumeMounts {
				if !v.ReadOnly {
					t.Errorf("%s writes to %s", name, v.MountPath)
				}
			}
		}
	}
}

func TestProbesDoNotKillForAnOutageElsewhere(t *testing.T) {
	for name, pod := range mustRender(t, minimal).pods() {
		c := pod.Spec.Containers[0]
		if strings.HasSuffix(name, "-migrate") {
			continue
		}
		ready, alive := c.ReadinessProbe, c.LivenessProbe
		if ready == nil || ready.HTTPGet == nil || ready.HTTPGet.Path != "/readyz" || alive == nil || alive.HTTPGet == nil || alive.HTTPGet.Path != "/healthz" {
			t.Errorf("%s: %v %v", name, ready, alive)
		}
		// A role drains within 10 s, after what preStop waits.
		grace := int64(10)
		if c.Lifecycle != nil && c.Lifecycle.PreStop != nil {
			grace += c.Lifecycle.PreStop.Sleep.Seconds
		}
		if got := pod.Spec.TerminationGracePeriodSeconds; got == nil || *got < grace+5 {
			t.Errorf("%s has %v s to end, and needs %d", name, got, grace)
		}
	}
}

func TestEveryVariableOfAPodIsAFlag(t *testing.T) {
	for _, values := range []string{minimal, whole, remote, minimal + "gateway: {tls: false}"} {
		for name, pod := range mustRender(t, values).pods() {
			c := pod.Spec.Containers[0]
			help := flagsOf(t, c.Args[0])
			for _, v := range c.Env {
				if strings.HasPrefix(v.Name, "JETMON_") && !strings.Contains(help, "[$"+v.Name+"]") {
					t.Errorf("%s: %s is no flag of jetmon %s", name, v.Name, c.Args[0])
				}
			}
		}
	}
}

// Selectors and names that fit nothing are no mistake to Kubernetes.
func TestWhatSelectsPodsFindsThem(t *testing.T) {
	c := mustRender(t, whole)
	finds := func(what string, selector map[string]string, port string) {
		t.Helper()
		n := 0
		for _, pod := range c.pods() {
			fits := true
			for label, value := range selector {
				fits = fits && pod.Labels[label] == value
			}
			named := port == ""
			for _, p := range pod.Spec.Containers[0].Ports {
				named = named || p.Name == port
			}
			if fits && named {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s finds %d workloads", what, n)
		}
	}
	for _, s := range c.services {
		finds("service "+s.Name, s.Spec.Selector, s.Spec.Ports[0].TargetPort.String())
	}
	for _, b := range c.budgets {
		finds("budget "+b.Name, b.Spec.Selector.MatchLabels, "")
	}
	for _, p := range c.policies {
		for _, rule := range p.Spec.Ingress {
			finds("policy "+p.Name, p.Spec.PodSelector.MatchLabels, rule.Ports[0].Port.String())
		}
	}
	for _, s := range c.statefulSets {
		if !slices.ContainsFunc(c.services, func(v corev1.Service) bool { return v.Name == s.Spec.ServiceName }) {
			t.Errorf("%s has no service %s", s.Name, s.Spec.ServiceName)
		}
	}
}
