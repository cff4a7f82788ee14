// Package ui holds the cockpit: the web application at /ui/, for people. Its modules run in the
// browser as they lie in app/; nothing builds them. app/vendor has the libraries that `make
// vendor-ui` copies from npm, at the versions of tools/npm/package.json.
//
// The page loads everything below a path with the hash of all files in it, so a browser keeps
// what it has for ever and another version of Jetmon is another path. docs/design/0037 says how
// the modules are arranged.
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed app
var files embed.FS

const (
	// Prefix is below what all pages are; each of these is the same HTML, and its module finds
	// out which page it is.
	Prefix = "/ui/"
	// SessionPath is where a person signs in and out.
	SessionPath = "/ui/session"

	assets    = Prefix + "a/"
	hashBytes = 8
)

// Policy is the Content-Security-Policy of the pages: nothing inline, nothing from elsewhere,
// no text that becomes HTML or code.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// File is a file that a browser loads.
type File struct {
	Type string
	Body []byte // read-only
	// Page means that it is the HTML of a page; any other file never changes under its path.
	Page bool
}

// App is the application as it is served.
type App struct {
	page   File
	assets map[string]File // by their paths
}

// New reads the files.
func New() (*App, error) {
	names, err := list(files)
	if err != nil {
		return nil, fmt.Errorf("the files of the cockpit: %w", err)
	}
	sum := sha256.New()
	bodies := map[string][]byte{}
	for _, name := range names {
		body, err := files.ReadFile("app/" + name)
		if err != nil {
			return nil, fmt.Errorf("the files of the cockpit: %w", err)
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(body))
		sum.Write(body)
		bodies[name] = body
	}
	bodies[style] = join(bodies)
	base := assets + hex.EncodeToString(sum.Sum(nil)[:hashBytes]) + "/"
	a := &App{assets: map[string]File{}}
	var preloads strings.Builder
	for _, name := range append(names, style) {
		if name == "index.html" || path.Ext(name) == ".css" && name != style {
			continue
		}
		kind := typeOf(name)
		if kind == "" {
			continue // a licence: for those who read the source
		}
		a.assets[base+name] = File{Type: kind, Body: bodies[name]}
		if atOnce(name) {
			fmt.Fprintf(&preloads, "<link rel=\"modulepreload\" href=\"%s\">\n", html.EscapeString(base+name))
		}
	}
	body := bytes.ReplaceAll(bodies["index.html"], []byte("{base}"), []byte(base))
	a.page = File{Type: "text/html; charset=utf-8", Body: bytes.Replace(body, []byte("{preloads}\n"), []byte(preloads.String()), 1), Page: true}
	return a, nil
}

// style is the name of the style sheets as one: nothing is drawn before a browser has them all.
const style = "style.css"

// join returns the style sheets, those that others refine first.
func join(bodies map[string][]byte) []byte {
	var all [][]byte
	for _, name := range []string{"vendor/uplot.css", "base.css", "parts.css", "pages.css"} {
		all = append(all, bodies[name])
	}
	return bytes.Join(all, []byte("\n"))
}

// list returns the names of the files in app/, sorted.
func list(files fs.FS) (names []string, err error) {
	err = fs.WalkDir(files, "app", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(name, "app/"))
		}
		return err
	})
	slices.Sort(names)
	return names, err
}

// atOnce reports whether every page needs a file: modules that are not of one page, which load
// when that is opened. Without a hint the browser would find them one after the other.
func atOnce(name string) bool {
	return path.Ext(name) == ".js" && !strings.HasPrefix(name, "pages/") && name != "vendor/uplot.js" && name != "parts/chart.js"
}

// typeOf returns the media type of a file; "" when nobody loads it.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml; charset=utf-8"
	}
	return ""
}

// Find returns the file at a path below Prefix.
func (a *App) Find(path string) (File, bool) {
	switch {
	case strings.HasPrefix(path, assets):
		f, ok := a.assets[path]
		return f, ok
	case strings.HasPrefix(path, Prefix):
		return a.page, true
	}
	return File{}, false
}
