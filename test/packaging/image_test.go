package packaging_test

import (
	"bytes"
	"context"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/certs"
	"github.com/Automattic/jetmon/test/packaging/image"
)

// maxImage is the most that the files of the image may have.
const maxImage = 60_000_000

func TestTheImageIsSmallAndHasNothingButTheProgram(t *testing.T) {
	i := theImage(t)
	var files []string
	var size int64
	err := filepath.WalkDir(i.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		name, err := filepath.Rel(i.Root, path)
		files = append(files, name)
		if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s: %v", name, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"etc/group", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/bin/jetmon", "usr/share/doc/jetmon/LICENSE"}
	if !slices.Equal(files, want) {
		t.Errorf("files %v, want %v", files, want)
	}
	t.Logf("the image has %d bytes", size)
	if size > maxImage {
		t.Errorf("the image has %d bytes, at most %d are allowed", size, maxImage)
	}
	binary, err := elf.Open(filepath.Join(i.Root, "usr/bin/jetmon"))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if needed, err := binary.ImportedLibraries(); err != nil || len(needed) > 0 || binary.Section(".interp") != nil {
		t.Errorf("the program is not static: %v %v", needed, err)
	}
}

func TestTheImageSaysWhatItIs(t *testing.T) {
	i := theImage(t)
	if i.User != "65532:65532" || i.StopSignal != "SIGTERM" || !slices.Equal(i.Entrypoint, []string{"/usr/bin/jetmon"}) {
		t.Errorf("user %s, stop signal %s, entry point %v", i.User, i.StopSignal, i.Entrypoint)
	}
	for name, want := range map[string]string{"version": version, "revision": "0123456789ab", "created": "2026-01-02T03:04:05Z", "licenses": "GPL-2.0-or-later"} {
		if got := i.Labels["org.opencontainers.image."+name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
	module, err := os.ReadFile(filepath.Join(repository, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	if language == nil || !regexp.MustCompile(`^golang:`+regexp.QuoteMeta(string(language[1]))+`\.\d+-\w+$`).MatchString(i.Base) {
		t.Errorf("the image is compiled by %s, and go.mod says %q", i.Base, language)
	}
}

// run runs the program of the image in a container without a network.
func run(t *testing.T, env []string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	i := theImage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	box, err := i.Container(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	box.ReadOnly, box.Offline, box.Env = true, true, append(slices.Clone(i.Env), env...)
	cmd := box.Command(ctx, append(slices.Clone(i.Entrypoint), args...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestTheProgramRunsInTheImageAsAnybody(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{theImage(t).Cmd, "Usage: jetmon"},
		{[]string{"version"}, "jetmon " + version + " go1."},
		{[]string{"context", "list"}, ""},
	} {
		stdout, stderr, err := run(t, nil, tt.args...)
		if err != nil || !strings.Contains(stdout, tt.want) || stderr != "" {
			t.Errorf("%v: %v: %s%s", tt.args, err, stdout, stderr)
		}
	}
}

// The path is the first that Go's crypto/x509 looks at.
func TestTheImageTrustsTheAuthoritiesOfTheWeb(t *testing.T) {
	all, err := certs.ReadFile(filepath.Join(theImage(t).Root, "etc/ssl/certs/ca-certificates.crt"))
	if err != nil || len(all) < 50 {
		t.Errorf("%d authorities, %v", len(all), err)
	}
}

func TestTheHealthCheckIsTrue(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"a role that can work", []string{"--insecure"}, ""},
		{"a role that cannot", []string{"--insecure", "--anchor=http://127.0.0.1:1/"}, "its anchors do not answer"},
	} {
		t.Run(tt.name, func(t *testing.T) { checkHealth(t, tt.args, tt.want) })
	}
	if stdout, stderr, err := run(t, nil, "ready"); err == nil || !strings.Contains(stderr, "nothing answers") {
		t.Errorf("without a role: %v: %s%s", err, stdout, stderr)
	}
}

// checkHealth wants a veriflier to become healthy, or to be unhealthy for a reason.
func checkHealth(t *testing.T, args []string, want string) {
	i := theImage(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	box, err := i.Container(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	box.ReadOnly, box.Offline = true, true
	role := box.Command(ctx, slices.Concat(i.Entrypoint, []string{"veriflier", "--name=v"}, args)...)
	var log bytes.Buffer
	role.Stderr = &log
	if err := role.Start(); err != nil {
		t.Fatal(err)
	}
	healthy := awaitHealth(ctx, t, i, box, role, want)
	if healthy != (want == "") {
		t.Errorf("healthy is %v: %s", healthy, log.String())
	}
	if err := role.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := role.Wait(); err != nil {
		t.Errorf("the role ends with %v: %s", err, log.String())
	}
}

// awaitHealth runs the health check until it says what is wanted, or time is up.
func awaitHealth(ctx context.Context, t *testing.T, i *image.Image, box image.Box, role *exec.Cmd, want string) bool {
	t.Helper()
	if len(i.Health) < 2 || i.Health[0] != "CMD" {
		t.Fatalf("the health check is %v: a shell would run it", i.Health)
	}
	box.Offline = false // it joins the network of the role
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		out, err := box.Beside(ctx, role.Process.Pid, i.Health[1:]...).CombinedOutput()
		if ctx.Err() != nil {
			t.Fatalf("the health check never says %q: %v: %s", want, err, out)
		}
		if want == "" && err == nil {
			return true
		}
		if want != "" && strings.Contains(string(out), want) {
			return err == nil
		}
	}
}
