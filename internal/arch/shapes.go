package arch

import (
	"fmt"
	"go/ast"
	"strconv"
)

// checkShapes measures the functions and interfaces of a file.
func (s *source) checkShapes(file *ast.File) {
	imported := importsOf(file)
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			s.checkFunction(n, imported)
		case *ast.InterfaceType:
			if methods := methodsOf(n); methods > maxMethods {
				s.add(n.Pos(), fmt.Sprintf("interface has %d methods, at most %d are allowed", methods, maxMethods),
					"an implementer of a wide interface knows too much: split it by its callers")
			}
		}
		return true
	})
}

func (s *source) checkFunction(f *ast.FuncDecl, imported map[string]string) {
	first, last := s.fset.Position(f.Pos()).Line, s.fset.Position(f.End()).Line
	if lines := last - first + 1; lines > maxFunctionLines {
		s.add(f.Pos(), fmt.Sprintf("%s has %d lines, at most %d are allowed", f.Name.Name, lines, maxFunctionLines),
			"a function is one thought: give its steps names")
	}
	if given(f.Type, imported) {
		return
	}
	if n := parametersOf(f.Type, imported); n > maxParameters {
		s.add(f.Pos(), fmt.Sprintf("%s takes %d parameters, at most %d are allowed", f.Name.Name, n, maxParameters),
			"a caller cannot tell many positional arguments apart: pass an Options struct")
	}
}

// parametersOf counts the positional parameters that a caller must tell apart: a leading
// context or testing handle and a variadic tail do not count.
func parametersOf(f *ast.FuncType, imported map[string]string) (count int) {
	for i, field := range f.Params.List {
		if i == 0 && named(leadingTypes(), typeName(field.Type, imported)) {
			continue
		}
		if _, variadic := field.Type.(*ast.Ellipsis); variadic {
			continue
		}
		count += max(1, len(field.Names))
	}
	return count
}

// given reports whether a library prescribes the signature: one of its parameters has a
// type that occurs only in such signatures.
func given(f *ast.FuncType, imported map[string]string) bool {
	for _, field := range f.Params.List {
		if named(givenTypes(), typeName(field.Type, imported)) {
			return true
		}
	}
	return false
}

// typeName returns "import/path.Name" for a type of another package or a pointer to one, and
// "" for all others.
func typeName(e ast.Expr, imported map[string]string) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	return qualified(e, imported)
}

// methodsOf counts the methods that an interface declares itself; those of the interfaces
// that it embeds were counted where they are declared.
func methodsOf(i *ast.InterfaceType) (count int) {
	for _, m := range i.Methods.List {
		if _, ok := m.Type.(*ast.FuncType); ok {
			count += len(m.Names)
		}
	}
	return count
}

// checkAliases forbids aliases of generated packages, so that each has the same name in all
// files.
func (s *source) checkAliases(file *ast.File) {
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil || i.Name == nil || i.Name.Name == "_" || !s.house.ours(path) || !matches([]string{"gen/..."}, s.house.inside(path)) {
			continue
		}
		s.add(i.Pos(), "imports "+s.house.inside(path)+" as "+i.Name.Name, "a generated package keeps its own name everywhere")
	}
}
