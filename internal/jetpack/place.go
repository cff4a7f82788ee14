package jetpack

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/block"
)

// front is what the home page says.
type front struct {
	block.Verdict
	reply reply
	// seen is true when there was an answer, or a failure to give one; why is the reason when
	// nothing was asked.
	seen bool
	why  string
}

// isRefused reports whether something answers instead of the home page on purpose.
func (f *front) isRefused() bool {
	switch f.Kind {
	case block.Firewall, block.Challenge, block.DenyRule, block.Forbidden, block.SecurityPlugin:
		return f.seen
	}
	return false
}

// isWordPress reports whether the page has marks of WordPress.
func (f *front) isWordPress() bool {
	return bytes.Contains(f.reply.Body, []byte("wp-content/")) || bytes.Contains(f.reply.Body, []byte("wp-includes/")) ||
		bytes.Contains(f.reply.Body, []byte("wp-json")) || bytes.Contains(f.reply.Body, []byte("api.w.org")) ||
		strings.Contains(f.reply.Header.Get("Link"), "api.w.org") || f.reply.Header.Get("X-Redirect-By") == "WordPress"
}

// plainPermalinks reports whether WordPress itself names the address of its REST API without
// pretty permalinks.
func (f *front) plainPermalinks() bool {
	return strings.Contains(f.reply.Header.Get("Link"), "rest_route=") || bytes.Contains(f.reply.Body, []byte("?rest_route=")) &&
		!strings.Contains(f.reply.Header.Get("Link"), "wp-json")
}

// editURI finds the address of xmlrpc.php in a page of WordPress.
var editURI = regexp.MustCompile(`<link[^>]{0,200}rel="EditURI"[^>]{0,200}href="([^"]{1,300})"`)

// index is what is asked of the REST API's description of itself, and how it was found.
type index struct {
	URL, Home  string
	Namespaces []string
	// path is where it was found below the home's address; first is the answer at the usual
	// place, why the reason when nothing was asked.
	path  string
	first reply
	why   string
	// before and after are what stands around its JSON.
	before, after string
}

// indexPaths are the places of the index: with and without pretty permalinks. The whole
// index of a site with many plugins is large, so only some fields are asked for.
const (
	indexPath      = "/wp-json/"
	plainIndexPath = "/?rest_route=/"
	indexFields    = "_fields=name,url,home,namespaces"
)

// locate finds out where WordPress's files and its REST API are: its home may be above its
// files, and the given path may be a page of a site above it.
func (r *run) locate(ctx context.Context) {
	root := *r.home
	root.Path = "/"
	if r.home.Path == "/" {
		r.about = r.findIndex(ctx, r.home, indexPath, plainIndexPath)
	} else {
		r.locateBelow(ctx, &root)
	}
	r.files = r.home
	switch {
	case r.about.path != "":
		r.believe(&root)
	default:
		if m := editURI.FindSubmatch(r.front.reply.Body); m != nil {
			r.takeFiles(strings.TrimSuffix(withoutQuery(string(m[1])), "xmlrpc.php"))
		}
	}
}

// locateBelow is locate for a given path below the root.
func (r *run) locateBelow(ctx context.Context, root *url.URL) {
	if r.about = r.findIndex(ctx, r.home, indexPath); r.about.path != "" {
		return
	}
	above := r.findIndex(ctx, root, indexPath, plainIndexPath)
	door := strings.TrimSuffix(r.home.String(), "/") + "/xmlrpc.php"
	switch {
	case above.path != "" && r.below(above.URL), above.path != "" && !r.isDoor(ctx, door):
		r.about, r.home = above, root
	case above.path == "" && !r.isDoor(ctx, door) && r.isDoor(ctx, root.String()+"xmlrpc.php"):
		r.home = root
	default:
		first := r.about.first
		r.about = r.findIndex(ctx, r.home, plainIndexPath)
		r.about.first = first
	}
}

// believe takes the addresses that the index states, as far as their paths go.
func (r *run) believe(root *url.URL) {
	if home, err := url.Parse(r.about.Home); err == nil && strings.Trim(home.Path, "/") == "" && r.home.Path != "/" && r.about.path == plainIndexPath {
		// Every page of WordPress answers with the index at ?rest_route.
		r.home = root
	}
	r.files = r.home
	r.takeFiles(r.about.URL)
	r.api = r.at(r.about.path)
	r.claimed, r.hasREST = r.about.Home, slices.Contains(r.about.Namespaces, "jetpack/v4")
}

// below reports whether an address of WordPress's files is the path that was given.
func (r *run) below(files string) bool {
	u, err := url.Parse(files)
	return err == nil && strings.Trim(u.Path, "/") == strings.Trim(r.home.Path, "/")
}

// takeFiles takes the path of WordPress's files from an address that the site states. The
// host stays: others are for WordPress.com to believe.
func (r *run) takeFiles(stated string) {
	u, err := url.Parse(stated)
	if err != nil || u.Host == "" {
		return
	}
	files := *r.home
	files.Path = strings.TrimRight(u.Path, "/") + "/"
	r.files = &files
}

// claims reports whether the site states this address as its home.
func (r *run) claims(home *url.URL) bool {
	u, err := url.Parse(r.claimed)
	return err == nil && sameSite(u, home)
}

// findIndex asks for the index at its places below an address.
func (r *run) findIndex(ctx context.Context, home *url.URL, paths ...string) index {
	var found index
	for i, path := range paths {
		ask := "?"
		if strings.Contains(path, "?") {
			ask = "&"
		}
		got, err := r.send(ctx, request{method: http.MethodGet, url: strings.TrimSuffix(home.String(), "/") + path + ask + indexFields})
		if err != nil {
			found.why = err.Error()
			return found
		}
		if i == 0 {
			found.first = got
		}
		if about, ok := readIndex(got); ok {
			about.path, about.first = path, found.first
			return about
		}
		if code, _ := restCode(got); code != "" {
			return found // it is there, and closed
		}
	}
	return found
}

// readIndex reads an index, and what stands around it. A whole index may be longer than what
// is read of an answer; what is asked for stands in its beginning.
func readIndex(got reply) (about index, ok bool) {
	at := bytes.IndexByte(got.Body, '{')
	if got.failure != "" || got.Status != http.StatusOK || at < 0 {
		return about, false
	}
	d := json.NewDecoder(bytes.NewReader(got.Body[at:]))
	whole := about.read(d) == nil
	if len(about.Namespaces) == 0 {
		return about, false
	}
	about.before = string(bytes.TrimSpace(got.Body[:at]))
	if whole {
		about.after = string(bytes.TrimSpace(got.Body[at+int(d.InputOffset()):]))
	}
	return about, true
}

// read reads the members of an index one after the other.
func (x *index) read(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var into any = new(json.RawMessage)
		switch name {
		case "url":
			into = &x.URL
		case "home":
			into = &x.Home
		case "namespaces":
			into = &x.Namespaces
		}
		if err := d.Decode(into); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// isDoor reports whether WordPress itself answers at a URL.
func (r *run) isDoor(ctx context.Context, at string) bool {
	got, err := r.send(ctx, request{method: http.MethodGet, url: at})
	return err == nil && got.failure == "" && block.OfGet(got.Answer).Kind == block.Open
}

// isCode recognises a code of WordPress's REST API, which is safe to show.
var isCode = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// restCode returns code and message of an answer that refuses in the form of WordPress's
// REST API; an empty code is no such answer.
func restCode(got reply) (code, message string) {
	var e struct{ Code, Message string }
	if got.failure != "" || got.Status < 400 || json.Unmarshal(bytes.TrimPrefix(got.Body, []byte("\ufeff")), &e) != nil || !isCode.MatchString(e.Code) {
		return "", ""
	}
	return e.Code, e.Message
}
