package arch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// house is a module, as go list reports it.
type house struct {
	dir      string
	module   string
	packages []listed
}

// listed is one package of go list -json.
type listed struct {
	ImportPath, Dir, Name             string
	Imports                           []string
	GoFiles, CgoFiles, IgnoredGoFiles []string
	TestGoFiles, XTestGoFiles         []string
	Module                            *struct{ Path, Dir string }
	path                              string // inside the module; "" is its root
}

// load reads the module that contains dir. It uses no network and compiles nothing.
func load(ctx context.Context, dir string) (*house, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-e",
		"-json=ImportPath,Dir,Name,Imports,GoFiles,CgoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Module", "./...")
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", dir, err, stderr.String())
	}
	h := &house{}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read go list: %w", err)
		}
		if p.Module == nil {
			return nil, fmt.Errorf("%s is in no module", p.ImportPath)
		}
		h.dir, h.module = p.Module.Dir, p.Module.Path
		p.path = h.inside(p.ImportPath)
		h.packages = append(h.packages, p)
	}
	if len(h.packages) == 0 {
		return nil, fmt.Errorf("there is no package in %s", dir)
	}
	return h, nil
}

// inside shortens an import path of this module to the path inside the module.
func (h *house) inside(importPath string) string {
	if importPath == h.module {
		return ""
	}
	return strings.TrimPrefix(importPath, h.module+"/")
}

// ours reports whether the import path belongs to this module.
func (h *house) ours(importPath string) bool {
	return importPath == h.module || strings.HasPrefix(importPath, h.module+"/")
}

func (p *listed) generated() bool { return matches([]string{"gen/..."}, p.path) }

// sources lists the files that are not tests, including those for other systems.
func (p *listed) sources() []string {
	files := slices.Concat(p.GoFiles, p.CgoFiles, p.IgnoredGoFiles)
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}

func (p *listed) tests() []string { return slices.Concat(p.TestGoFiles, p.XTestGoFiles) }

// violation is one breach of a rule.
type violation struct {
	where string // package or file:line inside the module
	what  string
	why   string
}

func (v violation) String() string { return v.where + ": " + v.what + " (" + v.why + ")" }

// check checks the house against every rule.
func (h *house) check() ([]violation, error) {
	found := h.checkFloors()
	for _, p := range h.packages {
		if p.generated() {
			continue
		}
		found = append(found, h.checkImports(p)...)
		found = append(found, checkName(p)...)
		more, err := h.checkFiles(p)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func (h *house) checkImports(p listed) []violation {
	var found []violation
	for _, r := range importRules() {
		if !matches(r.of, p.path) || matches(r.except, p.path) {
			continue
		}
		for _, i := range p.Imports {
			name := i
			if h.ours(i) {
				name = h.inside(i)
			}
			if matches(r.deny, name) || r.allow != nil && !matches(r.allow, name) {
				found = append(found, violation{orRoot(p.path), "imports " + name, r.why})
			}
		}
	}
	return found
}

func checkName(p listed) []violation {
	for _, name := range []string{p.Name, path.Base(p.path)} {
		if slices.Contains(bannedNames(), name) {
			return []violation{{orRoot(p.path), "is named " + name, "a package is named by what it owns or decides"}}
		}
	}
	return nil
}

// matches reports whether name matches a pattern: it is equal, or below PATTERN/...
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if pattern == "..." {
			return true
		}
		tree, below := strings.CutSuffix(pattern, "/...")
		return name == tree || below && strings.HasPrefix(name, tree+"/")
	})
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func orRoot(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// place names a file inside the module.
func (p *listed) place(file string) string { return filepath.ToSlash(filepath.Join(p.path, file)) }
