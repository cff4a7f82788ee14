package arch

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is the parsed text of one package.
type source struct {
	house *house
	pkg   listed
	fset  *token.FileSet
	files []*ast.File
	found []violation
}

// checkFiles reads the files of a package and checks them against the rules.
func (h *house) checkFiles(p listed) ([]violation, error) {
	s := &source{house: h, pkg: p, fset: token.NewFileSet()}
	for _, name := range p.sources() {
		text, err := s.read(name, maxLines)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(s.fset, filepath.Join(p.Dir, name), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", p.place(name), err)
		}
		s.files = append(s.files, file)
	}
	for _, name := range p.tests() {
		if _, err := s.read(name, maxTestLines); err != nil {
			return nil, err
		}
	}
	for _, file := range s.files {
		s.checkUses(file)
		s.checkInit(file)
		s.checkGoroutines(file)
		s.checkShapes(file)
		s.checkAliases(file)
	}
	s.checkVariables()
	return s.found, nil
}

// read reads a file and checks its length.
func (s *source) read(name string, most int) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(s.pkg.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.pkg.place(name), err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines > most {
		s.found = append(s.found, violation{
			s.pkg.place(name), fmt.Sprintf("has %d lines, at most %d are allowed", lines, most),
			"a file is read in one sitting: split it by what it decides",
		})
	}
	return text, nil
}

func (s *source) add(at token.Pos, what, why string) {
	position := s.fset.Position(at)
	where := fmt.Sprintf("%s:%d", s.pkg.place(filepath.Base(position.Filename)), position.Line)
	s.found = append(s.found, violation{where, what, why})
}

func (s *source) checkInit(file *ast.File) {
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			s.add(f.Pos(), "has an init function", "importing a package has no effect")
		}
	}
}

// checkGoroutines finds goroutines that a pure package starts. Its tests run without the
// race detector (test-race in the Makefile).
func (s *source) checkGoroutines(file *ast.File) {
	if !matches(pure(), s.pkg.path) || matches(impure(), s.pkg.path) {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			s.add(n.Pos(), "starts a goroutine", "a pure package computes a value, and does nothing beside")
		}
		return true
	})
}

// checkUses finds names of other packages that this one must not use.
func (s *source) checkUses(file *ast.File) {
	imported := importsOf(file)
	for _, r := range useRules() {
		if !matches(r.of, s.pkg.path) || matches(r.except, s.pkg.path) {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name := qualified(n, imported); name != "" && named(r.deny, name) && !named(r.allow, name) {
				s.add(n.Pos(), "uses "+name, r.why)
			}
			return true
		})
	}
}

// importsOf maps the names of the packages in a file to their paths.
func importsOf(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		if i.Name != nil {
			names[i.Name.Name] = path
			continue
		}
		// The import has no name, so guess it from the path; a version is no name.
		parts := strings.Split(path, "/")
		last := parts[len(parts)-1]
		if len(parts) > 1 && len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" {
			last = parts[len(parts)-2]
		}
		names[last] = path
	}
	return names
}

// qualified returns "import/path.Name" if n is a name of another package, otherwise "". A
// local variable that hides a package would fool it, as it would fool readers.
func qualified(n ast.Node, imported map[string]string) string {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || imported[x.Name] == "" {
		return ""
	}
	return imported[x.Name] + "." + sel.Sel.Name
}

// named reports whether "import/path.Name" is listed, itself or by "import/path.*".
func named(list []string, name string) bool {
	if name == "" {
		return false
	}
	dot := strings.LastIndexByte(name, '.')
	return slices.Contains(list, name) || slices.Contains(list, name[:dot]+".*")
}
