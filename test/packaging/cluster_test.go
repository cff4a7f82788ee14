package packaging_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/Automattic/jetmon/test/mariadb"
)

// kubelet runs the pods of a rendered chart in boxes.
type kubelet struct {
	t       *testing.T
	cluster cluster
	// secrets are the files of each secret, by their keys.
	secrets map[string]map[string]string
	// volumes are the folders that pods mount.
	volumes map[string]map[string]string
	fleet   *fleet
}

// newKubelet makes the certificates that the chart asks cert-manager for, and a container for
// each pod.
func newKubelet(t *testing.T, c cluster, dsn string) *kubelet {
	k := &kubelet{t: t, cluster: c, secrets: map[string]map[string]string{}, volumes: map[string]map[string]string{}}
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte(dsn), 0o600); err != nil {
		t.Fatal(err)
	}
	k.secrets["jetmon-db"] = map[string]string{"dsn": file}
	k.issue(t.TempDir())
	p, further := &types.Project{Services: types.Services{}}, map[string][]string{}
	for name, pod := range c.pods() {
		for _, instance := range k.instances(name) {
			p.Services[instance] = k.container(instance, pod)
		}
	}
	for _, s := range c.services {
		host := s.Name + ".watch.svc"
		for _, instance := range k.instances(s.Name) {
			further[instance] = append(further[instance], host, instance+"."+host)
		}
	}
	k.fleet = newFleet(t, p, further)
	for name, files := range k.volumes {
		k.fill(filepath.Join(k.fleet.dir, "volume-"+name), files)
	}
	k.fleet.check = k.probe
	return k
}

// instances returns the names of a workload's pods.
func (k *kubelet) instances(workload string) []string {
	for _, s := range k.cluster.statefulSets {
		if s.Name == workload {
			var all []string
			for i := range int(*s.Spec.Replicas) {
				all = append(all, fmt.Sprintf("%s-%d", workload, i))
			}
			return all
		}
	}
	return []string{workload}
}

// issue makes each certificate by jetmon credentials, with the role, name and hosts that the
// chart gives it.
func (k *kubelet) issue(dir string) {
	k.t.Helper()
	args := []string{"credentials", "--dir=" + dir}
	for _, c := range k.cluster.certificates {
		id, ok := strings.CutPrefix(c.Spec.URIs[0], "spiffe://jetmon/")
		if !ok || len(c.Spec.URIs) != 1 {
			k.t.Fatalf("%s proves %v", c.Name, c.Spec.URIs)
		}
		role, name, _ := strings.Cut(id, "/")
		node := "--node=" + id
		if len(c.Spec.DNSNames) > 0 {
			node += "=" + strings.Join(c.Spec.DNSNames, ",")
		}
		args = append(args, node)
		serves, dials := role != "checker", role != "veriflier"
		if slices.Contains(c.Spec.Usages, "server auth") != serves || slices.Contains(c.Spec.Usages, "client auth") != dials {
			k.t.Errorf("%s is good for %v", c.Name, c.Spec.Usages)
		}
		at := filepath.Join(dir, "nodes", name)
		k.secrets[c.Spec.SecretName] = map[string]string{"tls.crt": filepath.Join(at, "node.crt"), "tls.key": filepath.Join(at, "node.key"), "ca.crt": filepath.Join(at, "ca.crt")}
	}
	out, err := exec.CommandContext(k.t.Context(), filepath.Join(theImage(k.t).Root, "usr/bin/jetmon"), args...).CombinedOutput()
	if err != nil {
		k.t.Fatalf("%v: %s", err, out)
	}
}

// container says of a pod what a compose file would.
func (k *kubelet) container(name string, pod corev1.PodTemplateSpec) types.ServiceConfig {
	c := pod.Spec.Containers[0]
	var s types.ServiceConfig
	s.Name, s.Command, s.ReadOnly, s.Restart = name, c.Args, *c.SecurityContext.ReadOnlyRootFilesystem, "always"
	s.Environment = types.MappingWithEquals{}
	if seconds := pod.Spec.TerminationGracePeriodSeconds; seconds != nil {
		grace := types.Duration(time.Duration(*seconds) * time.Second)
		s.StopGracePeriod = &grace
	}
	for _, v := range c.Env {
		value := v.Value
		if v.ValueFrom != nil && v.ValueFrom.FieldRef.FieldPath == "metadata.name" {
			value = name
		}
		for other, known := range s.Environment {
			value = strings.ReplaceAll(value, "$("+other+")", *known)
		}
		s.Environment[v.Name] = &value
	}
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if i < 0 {
			k.t.Fatalf("%s has no volume %s", name, m.Name)
		}
		k.volumes[name+"-"+m.Name] = k.files(pod.Spec.Volumes[i])
		s.Volumes = append(s.Volumes, types.ServiceVolumeConfig{Type: types.VolumeTypeVolume, Source: name + "-" + m.Name, Target: m.MountPath, ReadOnly: m.ReadOnly})
	}
	return s
}

// files returns what lies in a volume: where it comes from, by its name there.
func (k *kubelet) files(v corev1.Volume) map[string]string {
	all := map[string]string{}
	add := func(secret string, items []corev1.KeyToPath) {
		for _, item := range items {
			from, ok := k.secrets[secret][item.Key]
			if !ok {
				k.t.Errorf("secret %s has no %s", secret, item.Key)
			}
			all[item.Path] = from
		}
	}
	switch {
	case v.Projected != nil:
		for _, source := range v.Projected.Sources {
			add(source.Secret.Name, source.Secret.Items)
		}
	case v.Secret != nil:
		add(v.Secret.SecretName, v.Secret.Items)
	default:
		k.t.Errorf("volume %s is not known here", v.Name)
	}
	return all
}

// fill makes the folder of a volume, which only the pod's group may read.
func (k *kubelet) fill(dir string, files map[string]string) {
	k.t.Helper()
	const group = 65532
	if err := os.Mkdir(dir, 0o755); err != nil {
		k.t.Fatal(err)
	}
	for name, from := range files {
		text, err := os.ReadFile(from)
		if err != nil {
			k.t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, text, 0o440); err != nil {
			k.t.Fatal(err)
		}
		if err := os.Chown(to, 0, group); err != nil {
			k.t.Fatal(err)
		}
	}
}

// probe asks the readiness probe of a pod.
func (k *kubelet) probe(ctx context.Context, s *service) (string, error) {
	return k.get(ctx, s.name, func(c corev1.Container) *corev1.Probe { return c.ReadinessProbe })
}

// get asks a probe of a pod, as the kubelet does.
func (k *kubelet) get(ctx context.Context, name string, which func(corev1.Container) *corev1.Probe) (string, error) {
	for workload, pod := range k.cluster.pods() {
		if !slices.Contains(k.instances(workload), name) {
			continue
		}
		c := pod.Spec.Containers[0]
		probe := which(c).HTTPGet
		i := slices.IndexFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == probe.Port.StrVal })
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d%s", k.fleet.address(name), c.Ports[i].ContainerPort, probe.Path), nil)
		if err != nil {
			return "", err
		}
		response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s", response.Status)
		}
		return string(text), err
	}
	return "", fmt.Errorf("there is no pod %s", name)
}

func TestThePodsOfTheChartMakeAFleet(t *testing.T) {
	server := mariadb.NewServer(t)
	k := newKubelet(t, mustRender(t, minimal), server.DSN())
	f := k.fleet
	if out, err := f.run("jetmon-migrate", nil); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var pods []string
	for _, name := range f.names() { // all at once: each waits for whom it needs
		if name != "jetmon-migrate" {
			f.launch(name)
			pods = append(pods, name)
		}
	}
	if len(pods) != 9 {
		t.Errorf("the pods are %v", pods)
	}
	for _, name := range pods {
		f.awaitHealth(name)
	}
	first := f.running["jetmon-coordinator-0"] // kubectl exec, as the notes say
	out, err := first.box.Beside(t.Context(), first.cmd.Process.Pid, "/usr/bin/jetmon", "tokens", "create", "--db", "@/etc/jetmon/database/dsn", "--name", "me", "--scope", "admin").CombinedOutput()
	token := tokenIn(t, string(out), err)
	wantFleet(t, newUser(f, "volume-jetmon-gateway-certs/ca.crt", "https://jetmon-gateway.watch.svc:7802", token))

	server.Pause(t)
	defer server.Resume(t)
	await(t, "coordinators are not ready while the database is away", func() bool {
		_, first := f.healthy(t.Context(), "jetmon-coordinator-0")
		_, second := f.healthy(t.Context(), "jetmon-coordinator-1")
		return first != nil && second != nil
	})
	for _, name := range slices.Sorted(maps.Keys(f.running)) {
		if out, err := k.get(t.Context(), name, func(c corev1.Container) *corev1.Probe { return c.LivenessProbe }); err != nil {
			t.Errorf("%s would be killed: %v %s", name, err, out)
		}
	}
	server.Resume(t)
	for _, name := range pods {
		f.awaitHealth(name)
	}
	for _, name := range pods {
		f.stop(name)
	}
}
