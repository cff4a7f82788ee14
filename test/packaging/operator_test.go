package packaging_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// The tests here are about what only a real host or cluster would show.

// Clients look up the name of the coordinators every 30 s at the latest, and a cluster's name
// server keeps an answer for up to 30 s: a rollout that is quicker ends the coordinator that they
// know before they know the other one.
func TestARolloutOfCoordinatorsWaitsForTheirClients(t *testing.T) {
	for _, s := range mustRender(t, minimal).statefulSets {
		if strings.HasSuffix(s.Name, "-coordinator") && s.Spec.MinReadySeconds < 60 {
			t.Errorf("%s goes on after %d s", s.Name, s.Spec.MinReadySeconds)
		}
	}
}

// While the database is away no coordinator is ready, and without this no machine of the cluster
// could be emptied.
func TestPodsThatAreNotReadyMayBeEvicted(t *testing.T) {
	for _, b := range mustRender(t, minimal).budgets {
		if p := b.Spec.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow {
			t.Errorf("%s: %v", b.Name, p)
		}
	}
}

// fromOf returns who may reach a port of a component: nil for nobody, and an empty list for all.
func (c cluster) fromOf(component, port string) []networkingv1.NetworkPolicyPeer {
	for _, p := range c.policies {
		if p.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"] != component {
			continue
		}
		for _, rule := range p.Spec.Ingress {
			if rule.Ports[0].Port.String() == port {
				return append([]networkingv1.NetworkPolicyPeer{}, rule.From...)
			}
		}
	}
	return nil
}

func TestWhatIsPublishedBeyondTheClusterIsReachedFromThere(t *testing.T) {
	const outside = minimal + "gateway: {service: {type: LoadBalancer}}\n"
	const node = "veriflier: {service: {type: LoadBalancer}, nodes: [{name: eu1, region: eu}]}\n"
	const named = "networkPolicy: {gatewayFrom: [{ipBlock: {cidr: 192.0.2.0/24}}], veriflierFrom: [{ipBlock: {cidr: 192.0.2.0/24}}]}\n"
	const remotely = "coordinator: {replicas: 0}\nchecker: {replicas: 0}\ngateway: {replicas: 0}\n" + node
	for _, tt := range []struct {
		name, values, component, port string
		peers                         int
	}{
		{"a gateway inside is reached by the cluster", minimal, "gateway", "http", 1},
		{"a gateway outside is reached by all", outside, "gateway", "http", 0},
		{"unless somebody is named", outside + named, "gateway", "http", 1},
		{"verifliers inside are reached by coordinators", minimal, "veriflier-eu1", "grpc", 1},
		{"those of another cluster by all, who need a certificate", remotely, "veriflier-eu1", "grpc", 0},
		{"unless somebody is named there", remotely + named, "veriflier-eu1", "grpc", 2},
	} {
		from := mustRender(t, tt.values).fromOf(tt.component, tt.port)
		if from == nil || len(from) != tt.peers {
			t.Errorf("%s: from %v", tt.name, from)
		}
	}
}

func TestAForwardedPortLeadsToAGatewayThatIsNamedSo(t *testing.T) {
	for _, c := range mustRender(t, minimal).certificates {
		if c.Name == "jetmon-gateway" && !slices.Contains(c.Spec.DNSNames, "localhost") {
			t.Errorf("%s is for %v", c.Name, c.Spec.DNSNames)
		}
	}
}

// A database with an authority of its own, a mail server's password, a token of status pages:
// flags name files, and a pod has those that it is given.
func TestPodsHaveTheFilesThatTheirFlagsName(t *testing.T) {
	const files = `
database: {existingSecret: jetmon-db, files: [ca.crt]}
certificates: {issuerRef: {name: ca}}
coordinator: {filesSecret: mail, env: {JETMON_SMTP_PASSWORD_FILE: /etc/jetmon/files/password}}
gateway: {filesSecret: pages}
`
	pods := mustRender(t, files).pods()
	for _, name := range []string{"jetmon-migrate", "jetmon-coordinator"} {
		if v := volumeAt(pods[name], "/etc/jetmon/database"); v == nil || !slices.ContainsFunc(v.Secret.Items, func(i corev1.KeyToPath) bool { return i.Key == "ca.crt" && i.Path == "ca.crt" }) {
			t.Errorf("%s has of the database %v", name, v)
		}
	}
	for name, secret := range map[string]string{"jetmon-coordinator": "mail", "jetmon-gateway": "pages"} {
		if v := volumeAt(pods[name], "/etc/jetmon/files"); v == nil || v.Secret.SecretName != secret {
			t.Errorf("%s has %v", name, v)
		}
	}
}

// volumeAt returns the volume that a pod mounts at a path; nil is none.
func volumeAt(pod corev1.PodTemplateSpec, path string) *corev1.Volume {
	for _, m := range pod.Spec.Containers[0].VolumeMounts {
		for _, v := range pod.Spec.Volumes {
			if m.MountPath == path && v.Name == m.Name {
				return &v
			}
		}
	}
	return nil
}
