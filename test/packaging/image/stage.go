package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// build is one run of a Dockerfile.
type build struct {
	dir, context, base string
	given, global      map[string]string
	stages             map[string]*stage
}

// stage is one stage.
type stage struct {
	root, workdir string
	// machine says that the stage runs programs, by mounts of this machine.
	machine bool
	env     []string
	args    map[string]string
	image   Image
}

// declare gives an ARG its value: what was given, or its default.
func (b *build) declare(to map[string]string, c instructions.ArgCommand) {
	for _, arg := range c.Args {
		switch given, ok := b.given[arg.Key]; {
		case ok:
			to[arg.Key] = given
		case arg.Value != nil:
			to[arg.Key] = *arg.Value
		default:
			to[arg.Key] = b.global[arg.Key]
		}
	}
}

// follow executes one stage.
func (b *build) follow(ctx context.Context, in *instructions.Stage) (*stage, error) {
	s := &stage{root: filepath.Join(b.dir, fmt.Sprintf("stage-%d", len(b.stages))), workdir: "/", args: map[string]string{}}
	if err := os.MkdirAll(s.root, 0o755); err != nil {
		return nil, err
	}
	base, err := s.expand(in.BaseName, b.global)
	if err != nil {
		return nil, err
	}
	if base != "scratch" {
		proxy, err := goEnv(ctx, "GOPROXY")
		if err != nil {
			return nil, err
		}
		b.base, s.machine = base, true
		s.env = []string{"PATH=/goroot/bin:/usr/sbin:/usr/bin:/sbin:/bin", "GOPATH=/go", "HOME=/root", "GOROOT=/goroot", "GOPROXY=" + proxy}
	}
	b.stages[in.Name] = s
	for _, c := range in.Commands {
		if err := b.command(ctx, s, c); err != nil {
			return nil, fmt.Errorf("%s: %w", c, err)
		}
	}
	return s, nil
}

// expand replaces the variables of a word.
func (s *stage) expand(word string, vars map[string]string) (string, error) {
	text, _, err := shell.NewLex('\\').ProcessWord(word, shell.EnvsFromSlice(pairs(vars)))
	return text, err
}

// variables are what a command of the stage can refer to.
func (s *stage) variables() map[string]string {
	vars := maps.Clone(s.args)
	for _, pair := range s.env {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	return vars
}

func pairs(vars map[string]string) []string {
	var all []string
	for name, value := range vars {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all
}

func (b *build) command(ctx context.Context, s *stage, c instructions.Command) error {
	if e, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		if err := e.Expand(func(word string) (string, error) { return s.expand(word, s.variables()) }); err != nil {
			return err
		}
	}
	switch c := c.(type) {
	case *instructions.ArgCommand:
		b.declare(s.args, *c)
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			s.env = append(s.env, pair.Key+"="+pair.Value)
		}
	case *instructions.WorkdirCommand:
		s.workdir = c.Path
		return os.MkdirAll(filepath.Join(s.root, c.Path), 0o755)
	case *instructions.CopyCommand:
		return b.copy(ctx, s, c)
	case *instructions.RunCommand:
		return b.run(ctx, s, c)
	case *instructions.LabelCommand:
		s.image.Labels = map[string]string{}
		for _, pair := range c.Labels {
			s.image.Labels[pair.Key] = pair.Value
		}
	case *instructions.UserCommand:
		s.image.User = c.User
	case *instructions.StopSignalCommand:
		s.image.StopSignal = c.Signal
	case *instructions.HealthCheckCommand:
		s.image.Health = c.Health.Test
	case *instructions.EntrypointCommand:
		s.image.Entrypoint = c.CmdLine
	case *instructions.CmdCommand:
		s.image.Cmd = c.CmdLine
	case *instructions.ExposeCommand:
	default:
		return errors.New("this instruction is not known here")
	}
	return nil
}

// copy copies files and folders. A folder's contents go into the destination, which exists
// then.
func (b *build) copy(ctx context.Context, s *stage, c *instructions.CopyCommand) error {
	if c.Chmod != "" || c.Link || c.Parents || len(c.SourceContents) > 0 || len(c.ExcludePatterns) > 0 {
		return errors.New("this form of COPY is not known here")
	}
	from := b.context
	if c.From != "" {
		stage, ok := b.stages[c.From]
		if !ok {
			return fmt.Errorf("there is no stage %s", c.From)
		}
		from = stage.root
	}
	to := c.DestPath
	if !filepath.IsAbs(to) {
		to = filepath.Join(s.workdir, to)
	}
	to = filepath.Join(s.root, to)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, source := range c.SourcePaths {
		source = filepath.Join(from, source)
		if info, err := os.Stat(source); err != nil {
			return err
		} else if info.IsDir() {
			source += "/."
		}
		if out, err := exec.CommandContext(ctx, "cp", "-a", source, to).CombinedOutput(); err != nil {
			return fmt.Errorf("cp: %w: %s", err, out)
		}
	}
	if c.Chown == "" {
		return nil
	}
	out, err := exec.CommandContext(ctx, "chown", "-R", c.Chown, to).CombinedOutput()
	if err != nil {
		return fmt.Errorf("chown: %w: %s", err, out)
	}
	return nil
}

// run runs a shell's command in the root of the stage.
func (b *build) run(ctx context.Context, s *stage, c *instructions.RunCommand) error {
	if !s.machine || !c.PrependShell {
		return errors.New("there is no shell for this RUN")
	}
	box, err := s.box(ctx, b.dir)
	if err != nil {
		return err
	}
	box.Env, box.Offline = append(slices.Clone(s.env), pairs(s.args)...), instructions.GetNetwork(c) == instructions.NetworkNone
	for _, m := range instructions.GetMounts(c) {
		if m.Type != instructions.MountTypeCache {
			return fmt.Errorf("--mount=type=%s is not known here", m.Type)
		}
		source, err := cache(ctx, m.Target)
		if err != nil {
			return err
		}
		box.Mounts = append(box.Mounts, Mount{Source: source, Target: m.Target})
	}
	if err := box.Prepare(); err != nil {
		return err
	}
	out, err := box.Command(ctx, "/bin/sh", "-c", strings.Join(c.CmdLine, " ")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// box returns the surroundings of the stage's programs.
func (s *stage) box(ctx context.Context, dir string) (Box, error) {
	goroot, err := goEnv(ctx, "GOROOT")
	if err != nil {
		return Box{}, err
	}
	box := Box{Root: s.root, User: "0:0", Dir: s.workdir, Mounts: []Mount{{Source: goroot, Target: "/goroot", ReadOnly: true}}}
	for _, path := range []string{"/usr", "/etc"} {
		box.Mounts = append(box.Mounts, Mount{Source: path, Target: path, ReadOnly: true})
	}
	box.Mounts = append(box.Mounts, Mount{Source: "/dev", Target: "/dev"}, Mount{Source: "/proc", Target: "/proc"})
	for _, path := range []string{"/bin", "/sbin", "/lib", "/lib64"} {
		target, err := os.Readlink(path)
		if err != nil { // a system whose /bin is a folder, or without /lib64
			if _, err := os.Stat(path); err == nil {
				box.Mounts = append(box.Mounts, Mount{Source: path, Target: path, ReadOnly: true})
			}
			continue
		}
		if _, err := os.Lstat(filepath.Join(s.root, path)); err == nil {
			continue
		}
		if err := os.Symlink(target, filepath.Join(s.root, path)); err != nil {
			return box, err
		}
	}
	return box, os.MkdirAll(filepath.Join(s.root, "tmp"), 0o777)
}

// cache returns the folder of this machine that a cache of the build stands for.
func cache(ctx context.Context, target string) (string, error) {
	name, ok := map[string]string{"/go/pkg/mod": "GOMODCACHE", "/root/.cache/go-build": "GOCACHE"}[target]
	if !ok {
		return "", fmt.Errorf("a cache at %s is not known here", target)
	}
	return goEnv(ctx, name)
}

func goEnv(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("go env %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}
