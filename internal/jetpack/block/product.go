package block

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// product is a firewall, recognised by its headers or by texts of its page. One of them is
// enough.
type product struct {
	// slug is its name for programs, the same as the check engine's.
	slug, name string
	// headers are pairs of a name and the prefix of its value, in lower case; "" is any
	// value.
	headers [][2]string
	// marks are texts of its page.
	marks []string
	// owner and host are what lets calls through that it refuses.
	owner, host string
	// puzzleOwner and puzzleHost are what ends its puzzles for callers, if it has any.
	puzzleOwner, puzzleHost string
}

// ranges is where WordPress.com publishes the addresses that it calls from.
const ranges = "WordPress.com's addresses (https://jetpack.com/ips-v4.txt)"

// isFirewall reports whether anything was recognised.
func (p product) isFirewall() bool { return p.slug != "" }

// refuses returns the verdict for a refusal by the product.
func (p product) refuses() Verdict {
	return Verdict{Kind: Firewall, Who: p.name, Cause: cause.Cause{
		Name: string(Firewall) + "_" + p.slug, Means: p.name + " refuses the calls: it answers instead of the site.", Owner: p.owner, Host: p.host,
	}}
}

// challenges returns the verdict for a puzzle of the product.
func (p product) challenges() Verdict {
	if !p.isFirewall() || p.puzzleOwner == "" {
		v := verdict(Challenge)
		v.Who = p.name
		return v
	}
	return Verdict{Kind: Challenge, Who: p.name, Cause: cause.Cause{
		Name: string(Challenge) + "_" + p.slug, Means: p.name + " asks each caller to solve a puzzle, which browsers can and servers cannot.",
		Owner: p.puzzleOwner, Host: p.puzzleHost,
	}}
}

// possibly returns a verdict for an answer that the product may just have passed on.
func (v Verdict) possibly() Verdict {
	v.Sure = cause.Possible
	return v
}

// ByReason returns the verdict for a firewall under the name that the check engine gives it.
func ByReason(reason string) Verdict {
	if p := bySlug(reason); p.isFirewall() {
		return p.refuses()
	}
	return verdict(Forbidden)
}

func bySlug(slug string) product {
	for _, p := range products() {
		if p.slug == slug {
			return p
		}
	}
	return product{}
}

// recognised returns the product that answered, judging by its page first. Headers are also
// there when a product in front passes an answer on.
func recognised(a Answer) (p product, byPage bool) {
	for _, p := range products() {
		for _, m := range p.marks {
			if bytes.Contains(a.Body, []byte(m)) {
				return p, true
			}
		}
	}
	if isServersOwn(a) {
		return product{}, false
	}
	for _, p := range products() {
		for _, h := range p.headers {
			if hasHeader(a.Header, h) {
				return p, false
			}
		}
	}
	return product{}, false
}

func hasHeader(header http.Header, h [2]string) bool {
	for _, v := range header.Values(h[0]) {
		if strings.HasPrefix(strings.ToLower(v), h[1]) {
			return true
		}
	}
	return false
}

// server is a web server, with the marks of its own pages.
type server struct {
	name        string
	marks       []string
	owner, host string
}

var servers = []server{
	{"openresty", []string{"<center>openresty"}, "Ask the host to lift its rule of openresty against xmlrpc.php.", "Look for a location or a Lua script of openresty that names xmlrpc.php, and let WordPress.com through."},
	{"nginx", []string{"<center>nginx"}, "Ask the host to lift nginx's rule against xmlrpc.php, at least for WordPress.com's addresses.", "Look in nginx's configuration for a location of xmlrpc.php with \"deny all\" or \"return 403\", and let WordPress.com's addresses through (allow ...;)."},
	{"Apache", []string{"You don't have permission to access"}, "Look into .htaccess for a block <Files xmlrpc.php> (security plugins write it), and lift it there or in the plugin.", "Look for \"Require all denied\" or \"Deny from all\" about xmlrpc.php in Apache's configuration, and for AH01630 in its error log."},
	{"LiteSpeed", []string{"Proudly powered by LiteSpeed"}, "Look for a rule about xmlrpc.php in .htaccess, and for the protection of WordPress in LiteSpeed Cache or cPanel.", "Look at LiteSpeed's WordPress protection and at the rules of mod_security that it runs, and except xmlrpc.php."},
	{"Microsoft-IIS", []string{"IIS "}, "Ask the host to lift the rule of request filtering against xmlrpc.php.", "Look at request filtering and URL rewriting in IIS (web.config) for xmlrpc.php."},
}

// isServersOwn reports whether a page is a web server's own, which a product in front passed
// on.
func isServersOwn(a Answer) bool {
	for _, s := range servers[:3] {
		for _, m := range s.marks {
			if bytes.Contains(a.Body, []byte(m)) && !bytes.Contains(a.Body, []byte("Reference&#32;")) {
				return true
			}
		}
	}
	return false
}

// deny returns the verdict for a refusal that no product made.
func deny(a Answer) Verdict {
	for _, s := range servers {
		for _, m := range s.marks {
			if bytes.Contains(a.Body, []byte(m)) {
				return s.denies()
			}
		}
	}
	for _, s := range servers {
		if hasHeader(a.Header, [2]string{"Server", strings.ToLower(s.name)}) {
			v := s.denies()
			v.Sure = cause.Possible
			return v
		}
	}
	return verdict(Forbidden)
}

func (s server) denies() Verdict {
	return Verdict{Kind: DenyRule, Who: s.name, Cause: cause.Cause{
		Name:  string(DenyRule) + "_" + strings.ToLower(strings.TrimPrefix(s.name, "Microsoft-")),
		Means: "A rule of " + s.name + " refuses the calls; WordPress does not see them.", Owner: s.owner, Host: s.host,
	}}
}
