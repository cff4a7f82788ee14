package arch

import (
	"go/ast"
	"go/token"
	"strings"
)

const constantWhy = "a package-level variable must be one that nobody can change: see internal/arch/rules.go"

// checkVariables checks the package-level variables of all files together, because one file
// may declare a variable that another one changes.
func (s *source) checkVariables() {
	tables := map[string]token.Pos{}
	for _, file := range s.files {
		imported := importsOf(file)
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && !embedded(g, v) {
					s.checkVariable(v, imported, tables)
				}
			}
		}
	}
	for _, file := range s.files {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				s.checkChanges(f, tables)
			}
		}
	}
}

func (s *source) checkVariable(v *ast.ValueSpec, imported map[string]string, tables map[string]token.Pos) {
	for i, name := range v.Names {
		if name.Name == "_" {
			continue
		}
		var value ast.Expr
		if i < len(v.Values) {
			value = v.Values[i]
		}
		switch kind := s.kindOf(value, v.Type, imported); {
		case kind == immutable:
		case kind == table && !name.IsExported():
			tables[name.Name] = name.Pos()
		case kind == table:
			s.add(name.Pos(), "variable "+name.Name+" is an exported table, which any package can change", constantWhy)
		default:
			s.add(name.Pos(), "variable "+name.Name+" is mutable", constantWhy)
		}
	}
}

type variableKind int

const (
	mutable variableKind = iota
	immutable
	table
)

// kindOf judges a variable by its value and by the type that its declaration names.
func (s *source) kindOf(value, declared ast.Expr, imported map[string]string) variableKind {
	switch v := value.(type) {
	case *ast.CallExpr:
		maker := qualified(v.Fun, imported)
		if named(immutableMakers(), maker) || named(testMakers(), maker) && matches([]string{"test/..."}, s.pkg.path) {
			return immutable
		}
	case nil:
		if typ, ok := declared.(*ast.Ident); ok && typ.Name == "string" {
			return table // the linker fills it
		}
	case *ast.CompositeLit:
		if !named(statefulTypes(), qualified(v.Type, imported)) {
			return table
		}
	}
	return mutable
}

// embedded reports whether //go:embed fills a variable.
func embedded(g *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{g.Doc, v.Doc} {
		if doc == nil {
			continue
		}
		for _, line := range doc.List {
			if strings.HasPrefix(line.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// checkChanges finds changes of tables in a function. It skips a table that a parameter or
// local variable of the same name hides.
func (s *source) checkChanges(f *ast.FuncDecl, tables map[string]token.Pos) {
	hidden := localNames(f)
	changed := func(at ast.Node, target ast.Expr) {
		name := rootName(target)
		if _, ok := tables[name]; ok && !hidden[name] {
			s.add(at.Pos(), "table "+name+" is changed or could be", constantWhy)
		}
	}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, left := range n.Lhs {
					changed(n, left)
				}
			}
		case *ast.IncDecStmt:
			changed(n, n.X)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				changed(n, n.X)
			}
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				changed(n, n.Key)
				changed(n, n.Value)
			}
		case *ast.CallExpr:
			if fun, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 {
				switch fun.Name {
				case "delete", "clear", "copy", "append":
					changed(n, n.Args[0])
				}
			}
		}
		return true
	})
}

// rootName returns the variable x of an expression such as x[i].f or (*x).
func rootName(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return ""
		}
	}
}

// localNames returns all names that a function declares anywhere.
func localNames(f *ast.FuncDecl) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, left := range n.Lhs {
					names[rootName(left)] = true
				}
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				names[rootName(n.Key)], names[rootName(n.Value)] = true, true
			}
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		}
		return true
	})
	return names
}
