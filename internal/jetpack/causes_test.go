package jetpack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/errorlog"
	"github.com/Automattic/jetmon/internal/jetpack/mistake"
)

// destructive are words of advice that may cost the owner something.
var destructive = regexp.MustCompile(`(?i)\b(delete|erase|wipe|reset|disable|deactivate|uninstall|drop|truncate|purge|clear the|rm -|flush)\b`)

// aboutDanger are words with which a sentence warns of such a command instead.
var aboutDanger = regexp.MustCompile(`(?i)\b(never|not|no|without|no longer|undo|throws? away|before)\b`)

// isName recognises the names of causes.
var isName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// siteCauses returns the causes that the diagnosis of a site may show.
func siteCauses() []cause.Cause {
	return slices.Concat(wayCauses(), doorCauses(), connectionCauses(), syncCauses(), knownCauses(), block.Causes(), mistake.Causes())
}

// allCauses returns the causes that can be listed; some of logs are checked in their source
// only.
func allCauses() []cause.Cause { return append(siteCauses(), errorlog.Causes()...) }

func TestEveryCauseIsExplained(t *testing.T) {
	t.Parallel()
	all := allCauses()
	if len(all) < 150 {
		t.Errorf("only %d causes", len(all))
	}
	means, advice := map[string]string{}, map[string]string{}
	for _, c := range all {
		if !isName.MatchString(c.Name) {
			t.Errorf("the name %q", c.Name)
		}
		if c.Sure.String() == "" || c.Weight < cause.Ours || c.Weight > cause.Minor {
			t.Errorf("%s: %+v", c.Name, c)
		}
		if c.Owner == "" && c.Host == "" {
			t.Errorf("%s says nothing to do", c.Name)
		}
		for part, text := range map[string]string{"meaning": c.Means, "owner's line": c.Owner, "host's line": c.Host} {
			if text == "" && part != "meaning" {
				continue
			}
			if !isLine(text) {
				t.Errorf("%s: the %s is no line of text: %q", c.Name, part, text)
			}
		}
		unique(t, means, c.Name, c.Means)
		unique(t, advice, c.Name, c.Owner+" | "+c.Host)
	}
}

func TestFindingsWithOneNameHaveOneCause(t *testing.T) {
	t.Parallel()
	seen := map[string]cause.Cause{}
	for _, c := range siteCauses() {
		if other, twice := seen[c.Name]; twice && other != c {
			t.Errorf("%s is two causes: %+v, %+v", c.Name, other, c)
		}
		seen[c.Name] = c
	}
}

// isLine reports whether a text is one line of whole sentences.
func isLine(text string) bool {
	return len(text) >= 15 && len(text) <= 400 && !strings.ContainsAny(text, "\n\t") && text == strings.TrimSpace(text) && strings.ContainsAny(text[len(text)-1:], ".)\"")
}

// unique fails the test when two causes have the same text.
func unique(t *testing.T, seen map[string]string, name, text string) {
	t.Helper()
	if other, ok := seen[text]; ok && other != name {
		t.Errorf("%s says the same as %s: %s", name, other, text)
	}
	seen[text] = name
}

func TestNoAdviceDestroysAnything(t *testing.T) {
	t.Parallel()
	for _, c := range allCauses() {
		for _, text := range []string{c.Owner, c.Host} {
			if bad := harmful(text); bad != "" {
				t.Errorf("%s: %q in %q", c.Name, bad, text)
			}
		}
	}
	texts := 0
	for _, text := range adviceInSource(t) {
		texts++
		if bad := harmful(text); bad != "" {
			t.Errorf("%q in %q", bad, text)
		}
	}
	if texts < 100 {
		t.Errorf("only %d texts were found in the source", texts)
	}
	for _, bad := range []string{"Run wp jetpack sync reset.", "Deactivate all plugins.", "Delete the file .maintenance.", "DROP the table."} {
		if harmful(bad) == "" {
			t.Errorf("%q is not found", bad)
		}
	}
}

// harmful returns a destructive word of advice, if a sentence with one does not warn of it.
func harmful(text string) string {
	for sentence := range strings.SplitSeq(text, ". ") {
		if bad := destructive.FindString(sentence); bad != "" && !aboutDanger.MatchString(sentence) {
			return bad
		}
	}
	return ""
}

// adviceInSource returns the texts of fields that are advice, in all packages below this one.
func adviceInSource(t *testing.T) []string {
	t.Helper()
	var texts []string
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "fakejetpack") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if field, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := field.Key.(*ast.Ident); ok && slices.Contains([]string{"Owner", "Host", "Do", "owner", "host", "puzzleOwner", "puzzleHost"}, key.Name) {
					texts = append(texts, literals(field.Value)...)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// literals returns the string literals in an expression.
func literals(e ast.Expr) []string {
	var all []string
	ast.Inspect(e, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if text, err := strconv.Unquote(l.Value); err == nil {
				all = append(all, text)
			}
		}
		return true
	})
	return all
}
