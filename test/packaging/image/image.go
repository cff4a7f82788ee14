package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// Image is what the last stage of the Dockerfile makes.
type Image struct {
	// Root is the folder with its files.
	Root string
	// Base is the FROM of the stage that compiles.
	Base                    string
	Env                     []string
	User, Dir, StopSignal   string
	Entrypoint, Cmd, Health []string
	Labels                  map[string]string
}

// Build follows the Dockerfile of a repository, in an empty folder dir.
func Build(ctx context.Context, repository, dir string, args map[string]string) (*Image, error) {
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(parsed.Warnings) > 0 {
		return nil, fmt.Errorf("the Dockerfile: %s", parsed.Warnings[0].Short)
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, err
	}
	b := &build{dir: dir, context: filepath.Join(dir, "context"), given: args, global: map[string]string{}, stages: map[string]*stage{}}
	if err := copyContext(ctx, repository, b.context); err != nil {
		return nil, err
	}
	for _, arg := range global {
		b.declare(b.global, arg)
	}
	var last *stage
	for i := range stages {
		if last, err = b.follow(ctx, &stages[i]); err != nil {
			return nil, fmt.Errorf("stage %d: %w", i, err)
		}
	}
	if last.machine {
		return nil, errors.New("the last stage is not from scratch")
	}
	last.image.Root, last.image.Env, last.image.Dir, last.image.Base = last.root, last.env, last.workdir, b.base
	return &last.image, nil
}

// copyContext copies what docker build would send: the files that git knows or would add,
// without those that .dockerignore names.
func copyContext(ctx context.Context, repository, to string) error {
	list, err := exec.CommandContext(ctx, "git", "-C", repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("git ls-files: %w", err)
	}
	file, err := os.Open(filepath.Join(repository, ".dockerignore"))
	if err != nil {
		return err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return err
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return err
	}
	for path := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if skip, err := ignored.MatchesOrParentMatches(path); err != nil || skip {
			if err != nil {
				return err
			}
			continue
		}
		text, err := os.ReadFile(filepath.Join(repository, path))
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o755), os.WriteFile(target, text, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// Container returns a box with a copy of the image's files, in an empty folder.
func (i *Image) Container(ctx context.Context, dir string) (Box, error) {
	root := filepath.Join(dir, "root")
	if out, err := exec.CommandContext(ctx, "cp", "-al", i.Root, root).CombinedOutput(); err != nil {
		return Box{}, fmt.Errorf("cp: %w: %s", err, out)
	}
	return Box{Root: root, User: i.User, Dir: i.Dir, Env: i.Env}, nil
}
