package jetpack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// The steps of section 4.
const (
	checkKnown      = "known"
	checkKnownHome  = "known_home"
	checkKnownState = "known_jetpack"
	checkKnownDoor  = "known_xmlrpc"
)

// The causes that WordPress.com's record of a site shows.
const (
	knownNot     = "unknown_blog"
	knownScheme  = "scheme_differs"
	knownAddress = "address_differs"
	knownNotOurs = "not_jetpack"
	knownDoor    = "xmlrpc_differs"
)

// knownCauses returns every cause of section 4, with its text.
func knownCauses() []cause.Cause {
	return []cause.Cause{
		{
			Name: knownNot, Sure: cause.Likely,
			Means: "WordPress.com knows no site of this name: it is not connected, or connected under another address.",
			Owner: "Connect Jetpack in wp-admin; after a move, answer its question whether the site has moved.",
		}, {
			Name: knownScheme, Sure: cause.Likely,
			Means: "WordPress.com knows the site by http and it answers by https, or the other way round: where xmlrpc.php is redirected, calls are lost.",
			Owner: "Set home and siteurl (Settings > General) to the address that answers, then let Jetpack tell WordPress.com.",
			Host:  "Behind a proxy pass X-Forwarded-Proto on, so that WordPress knows by which scheme it was called.",
		}, {
			Name: knownAddress, Sure: cause.Likely,
			Means: "WordPress.com knows the site by another address, and its calls go there.",
			Owner: "Answer in wp-admin Jetpack's question whether the site has moved, or set home and siteurl back to what they were.",
			Host:  "After a move or a copy, see that only one of the two sites keeps the connection.",
		}, {
			Name: knownNotOurs, Sure: cause.Likely,
			Means: "WordPress.com has a site of this name that is none of Jetpack's: a blog of its own, or a connection that is gone.",
			Owner: "See that the domain does not point to a blog on WordPress.com, and connect Jetpack again.",
		}, {
			Name: knownDoor, Sure: cause.Likely,
			Means: "WordPress.com calls another xmlrpc.php than the one that belongs to this address.",
			Owner: "Set siteurl (Settings > General) to the folder where WordPress is installed, and let Jetpack tell WordPress.com.",
			Host:  "Look for WP_SITEURL in wp-config.php, and for a copy of WordPress in another folder.",
		},
	}
}

// knownCause returns a cause of section 4.
func knownCause(name string) cause.Cause {
	for _, c := range knownCauses() {
		if c.Name == name {
			return c
		}
	}
	return cause.Cause{Name: name}
}

// about is WordPress.com's description of a site.
type about struct {
	ID      int64  `json:"ID"`
	URL     string `json:"URL"`
	Jetpack *bool  `json:"jetpack"`
	// Connection is true for sites of Jetpack's smaller plugins, too.
	Connection bool `json:"jetpack_connection"`
	Plan       struct {
		Name    string `json:"product_name_short"`
		Expired bool   `json:"expired"`
	} `json:"plan"`
	Meta struct {
		Links map[string]string `json:"links"`
	} `json:"meta"`
	Error string `json:"error"`
}

// metadata asks WordPress.com about the site.
func (r *run) metadata(ctx context.Context) {
	rest := []string{checkKnownHome, checkKnownState, checkKnownDoor}
	if r.MetadataURL == NoMetadata {
		r.skipAll("WordPress.com is not asked", append([]string{checkKnown}, rest...)...)
		return
	}
	name := r.home.Hostname()
	if path := strings.Trim(r.home.Path, "/"); path != "" {
		name += "::" + strings.ReplaceAll(path, "/", "::")
	}
	got, err := r.send(ctx, request{method: http.MethodGet, url: r.MetadataURL + "rest/v1.1/sites/" + url.PathEscape(name)})
	if err != nil {
		r.skipAll("WordPress.com is not asked: "+err.Error(), append([]string{checkKnown}, rest...)...)
		return
	}
	var a about
	parsed := got.failure == "" && json.Unmarshal(got.Body, &a) == nil
	switch {
	case parsed && got.Status == http.StatusNotFound && a.Error == "unknown_blog":
		r.show(checkKnown, Fail, knownCause(knownNot), "404 unknown_blog for "+name)
	case parsed && got.Status == http.StatusForbidden && a.Error == "unauthorized":
		r.pass(checkKnown, "WordPress.com knows the site, but shows no details: it is private")
	case !parsed || got.Status != http.StatusOK || a.ID == 0:
		r.skip(checkKnown, "WordPress.com's API gives no usable answer: "+got.seen())
	default:
		r.pass(checkKnown, a.seen())
		r.compareKnown(&a)
		return
	}
	r.skipAll("WordPress.com does not mention it", rest...)
}

// compareKnown compares WordPress.com's description with the site itself.
func (r *run) compareKnown(a *about) {
	known, err := url.Parse(a.URL)
	switch {
	case a.URL == "" || err != nil:
		r.skip(checkKnownHome, "no URL is given")
	case sameSite(known, r.home):
		r.pass(checkKnownHome, "the same address: "+quote(a.URL))
	case strings.EqualFold(known.Host, r.home.Host) && known.Scheme != r.home.Scheme:
		r.show(checkKnownHome, Fail, knownCause(knownScheme), "WordPress.com says "+quote(a.URL)+", the site is at "+r.home.String())
	default:
		r.show(checkKnownHome, Fail, knownCause(knownAddress), "WordPress.com says "+quote(a.URL)+", the site is at "+r.home.String())
	}
	switch {
	case a.Jetpack == nil:
		r.skip(checkKnownState, "WordPress.com does not say")
	case *a.Jetpack:
		r.pass(checkKnownState, "known as a Jetpack site")
	case a.Connection:
		r.pass(checkKnownState, "connected by another of Jetpack's plugins")
	default:
		r.show(checkKnownState, Fail, knownCause(knownNotOurs), "jetpack: false")
	}
	r.compareDoor(a.Meta.Links["xmlrpc"])
}

func (r *run) compareDoor(link string) {
	u, err := url.Parse(link)
	own, ownErr := url.Parse(r.xmlrpcURL())
	switch {
	case link == "" || err != nil || ownErr != nil:
		r.skip(checkKnownDoor, "WordPress.com gives no link to xmlrpc.php")
	case sameSite(u, own):
		r.pass(checkKnownDoor, withoutQuery(link))
	default:
		r.show(checkKnownDoor, Fail, knownCause(knownDoor), "WordPress.com calls "+withoutQuery(link)+", xmlrpc.php was looked for at "+own.String())
	}
}

// seen describes the record as evidence.
func (a *about) seen() string {
	seen := fmt.Sprintf("site %d, %s", a.ID, quote(a.URL))
	if a.Plan.Name != "" {
		seen += ", plan " + quote(a.Plan.Name)
		if a.Plan.Expired {
			seen += " (expired)"
		}
	}
	return seen
}
