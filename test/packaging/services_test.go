package packaging_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/Automattic/jetmon/test/mariadb"
	"github.com/Automattic/jetmon/test/packaging/image"
)

// fleet runs the services of the compose file on this machine: each in a box with the image's
// files, the service's command, variables and volumes, and an address of loopback of its own,
// which the others know by the service's name. Three things differ from Docker: a service that
// would listen on every address listens on its own; MariaDB is a private server of the tests;
// checkers and verifliers may ask sites on loopback.
type fleet struct {
	t       *testing.T
	image   *image.Image
	project *types.Project
	dir     string
	// base begins the addresses of the services.
	base    string
	running map[string]*service
	// check asks a running service once whether it is healthy.
	check func(ctx context.Context, s *service) (string, error)
	// up are the services that are healthy or, if they end, have ended well.
	up map[string]bool
}

// service is a running container.
type service struct {
	name string
	cmd  *exec.Cmd
	box  image.Box
	log  *output
	done chan error
}

// output is a log that is written while it is read.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// newFleet makes the services of a project, none of which runs. A service is known by its name
// and by further names.
func newFleet(t *testing.T, p *types.Project, further map[string][]string) *fleet {
	f := &fleet{t: t, image: theImage(t), project: p, dir: t.TempDir(), running: map[string]*service{}, up: map[string]bool{}}
	f.check = f.healthCheck
	f.base = fmt.Sprintf("127.%d.%d.", 100+os.Getpid()%100, os.Getpid()/100%250+1)
	var hosts strings.Builder
	for _, name := range f.names() {
		fmt.Fprintf(&hosts, "%s %s\n", f.address(name), strings.Join(append(further[name], name), " "))
	}
	if err := os.WriteFile(filepath.Join(f.dir, "hosts"), []byte(hosts.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.end)
	return f
}

func (f *fleet) names() []string {
	names := f.project.ServiceNames()
	slices.Sort(names)
	return names
}

// address returns the address of a service.
func (f *fleet) address(name string) string {
	return f.base + strconv.Itoa(slices.Index(f.names(), name)+1)
}

// start starts a service after those that it depends on, and waits until it is healthy, or has
// ended if it is one that ends.
func (f *fleet) start(name string) {
	f.t.Helper()
	if f.up[name] {
		return
	}
	f.up[name] = true
	s := f.project.Services[name]
	for _, other := range slices.Sorted(keys(s.DependsOn)) {
		condition := s.DependsOn[other].Condition
		if oneShot := f.project.Services[other].Restart == ""; oneShot != (condition == types.ServiceConditionCompletedSuccessfully) {
			f.t.Fatalf("%s waits for %s to be %s", name, other, condition)
		}
		f.start(other)
	}
	switch {
	case name == "mariadb":
		f.database(s)
	case s.Restart == "":
		out, err := f.run(name, nil)
		f.t.Logf("%s: %s", name, strings.TrimSpace(out))
		if err != nil {
			f.t.Fatalf("%s: %v", name, err)
		}
	default:
		f.launch(name)
		f.awaitHealth(name)
	}
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// box makes the surroundings of a service.
func (f *fleet) box(name string) image.Box {
	f.t.Helper()
	s := f.project.Services[name]
	dir, err := os.MkdirTemp(f.dir, name+"-")
	if err != nil {
		f.t.Fatal(err)
	}
	box, err := f.image.Container(f.t.Context(), dir)
	if err != nil {
		f.t.Fatal(err)
	}
	box.ReadOnly, box.Env = s.ReadOnly, nil
	env := slices.Clone(f.image.Env)
	for variable, value := range s.Environment {
		env = append(env, variable+"="+*value)
	}
	if command := s.Command[0]; command == "checker" || command == "veriflier" {
		env = append(env, "JETMON_ALLOW_PRIVATE=true")
	}
	here := strings.NewReplacer("=0.0.0.0:", "="+f.address(name)+":", "=:", "="+f.address(name)+":", "=127.0.0.1:6060", "="+f.address(name)+":6060")
	for _, variable := range env {
		box.Env = append(box.Env, here.Replace(variable))
	}
	box.Mounts = []image.Mount{{Source: filepath.Join(f.dir, "hosts"), Target: "/etc/hosts", ReadOnly: true}}
	for _, v := range s.Volumes {
		box.Mounts = append(box.Mounts, image.Mount{Source: f.volume(v), Target: v.Target, ReadOnly: v.ReadOnly})
	}
	if err := box.Prepare(); err != nil {
		f.t.Fatalf("%s: %v", name, err)
	}
	return box
}

// volume returns the folder that is mounted. As Docker does, a new volume takes the owner of
// the image's folder in its place.
func (f *fleet) volume(v types.ServiceVolumeConfig) string {
	f.t.Helper()
	if v.Type != types.VolumeTypeVolume {
		f.t.Fatalf("a %s at %s is not known here", v.Type, v.Target)
	}
	dir := filepath.Join(f.dir, "volume-"+v.Source)
	if err := os.Mkdir(dir, 0o755); err == nil {
		if info, err := os.Stat(filepath.Join(f.image.Root, v.Target)); err == nil {
			owner := info.Sys().(*syscall.Stat_t)
			if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	if v.Volume != nil {
		dir = filepath.Join(dir, v.Volume.Subpath)
	}
	return dir
}

// run runs a service to its end, with the arguments of docker compose run if there are any.
func (f *fleet) run(name string, args []string) (string, error) {
	f.t.Helper()
	if args == nil {
		args = f.project.Services[name].Command
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	out, err := f.box(name).Command(ctx, slices.Concat(f.image.Entrypoint, args)...).CombinedOutput()
	return string(out), err
}

// launch starts a service that goes on.
func (f *fleet) launch(name string) {
	f.t.Helper()
	s := &service{name: name, box: f.box(name), log: &output{}, done: make(chan error, 1)}
	s.cmd = s.box.Command(context.WithoutCancel(f.t.Context()), slices.Concat(f.image.Entrypoint, f.project.Services[name].Command)...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	f.running[name] = s
}

// healthy asks a service once whether it is healthy.
func (f *fleet) healthy(ctx context.Context, name string) (string, error) {
	return f.check(ctx, f.running[name])
}

// healthCheck runs the image's health check.
func (f *fleet) healthCheck(ctx context.Context, s *service) (string, error) {
	out, err := s.box.Beside(ctx, s.cmd.Process.Pid, f.image.Health[1:]...).CombinedOutput()
	return string(out), err
}

// awaitHealth waits until a service is healthy.
func (f *fleet) awaitHealth(name string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		out, err := f.healthy(ctx, name)
		if err == nil {
			return
		}
		select {
		case err := <-f.running[name].done:
			log := f.running[name].log
			delete(f.running, name)
			f.t.Fatalf("%s has ended: %v: %s", name, err, log)
		case <-ctx.Done():
			f.t.Fatalf("%s does not become healthy: %s\n%s", name, out, f.running[name].log)
		default:
		}
	}
}

// stop stops a service as Docker does, and wants it to end in order and in time.
func (f *fleet) stop(name string) {
	f.t.Helper()
	s := f.running[name]
	delete(f.running, name)
	if f.image.StopSignal != "SIGTERM" {
		f.t.Fatalf("the stop signal is %s", f.image.StopSignal)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Error(err)
	}
	grace := time.Duration(*f.project.Services[name].StopGracePeriod)
	select {
	case err := <-s.done:
		if err != nil {
			f.t.Errorf("%s ends with %v: %s", name, err, s.log)
		}
	case <-time.After(grace):
		_ = s.cmd.Process.Kill()
		f.t.Errorf("%s does not end within %s: %s", name, grace, s.log)
	}
}

// end kills what still runs.
func (f *fleet) end() {
	for name, s := range f.running {
		_ = s.cmd.Process.Kill()
		<-s.done
		if f.t.Failed() {
			f.t.Logf("%s:\n%s", name, tail(s.log.String()))
		}
	}
}

// tail returns the end of a log.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// database stands for the image of MariaDB: it makes the database and the user that the
// service's variables name, with the password of its file.
func (f *fleet) database(s types.ServiceConfig) {
	f.t.Helper()
	get := func(name string) string { return *s.Environment[name] }
	password := ""
	for _, v := range s.Volumes {
		if name, ok := strings.CutPrefix(get("MARIADB_PASSWORD_FILE"), v.Target+"/"); ok {
			path := filepath.Join(f.volume(v), name)
			text, err := os.ReadFile(path)
			if err != nil {
				f.t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				f.t.Fatal(err)
			}
			// The user of MariaDB's image reads it by its group.
			if gid := fmt.Sprint(info.Sys().(*syscall.Stat_t).Gid); !slices.Contains(s.GroupAdd, gid) || info.Mode().Perm() != 0o640 {
				f.t.Errorf("the password is %s of group %s, MariaDB has %v", info.Mode(), gid, s.GroupAdd)
			}
			password = string(text)
		}
	}
	server := mariadb.NewServer(f.t)
	// The tests' own user steps aside: it has the same name, and more rights.
	server.Query(f.t, fmt.Sprintf("CREATE DATABASE `%s`; CREATE USER '%s'@'%%' IDENTIFIED BY '%s'; GRANT ALL ON `%s`.* TO '%s'@'%%'; RENAME USER CURRENT_USER TO tests@127.0.0.1",
		get("MARIADB_DATABASE"), get("MARIADB_USER"), password, get("MARIADB_DATABASE"), get("MARIADB_USER")))
	_, rest, _ := strings.Cut(server.DSN(), "tcp(")
	to, _, _ := strings.Cut(rest, ")")
	l, err := net.Listen("tcp", f.address("mariadb")+":3306")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = l.Close() })
	go forward(l, to)
}

// forward passes connections on until the listener is closed.
func forward(l net.Listener, to string) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer in.Close()
			out, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer out.Close()
			go func() {
				_, _ = io.Copy(out, in)
				_ = out.Close()
			}()
			_, _ = io.Copy(in, out)
		}()
	}
}
