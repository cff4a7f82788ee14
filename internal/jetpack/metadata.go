package jetpack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// The steps of section 4.
const (
	checkKnown      = "known"
	checkKnownHome  = "known_home"
	checkKnownState = "known_jetpack"
	checkKnownDoor  = "known_xmlrpc"
)

// about is WordPress.com's description of a site.
type about struct {
	ID      int64  `json:"ID"`
	URL     string `json:"URL"`
	Jetpack *bool  `json:"jetpack"`
	Meta    struct {
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
		r.add(Finding{Check: checkKnown, Verdict: Fail, Cause: "unknown_blog", Seen: "404 unknown_blog for " + name,
			Means: "WordPress.com knows no site of this name: it is not connected, or connected under another address.",
			Do:    "Connect Jetpack in wp-admin; after a move, let it update its address (Site Health, identity crisis)."})
	case parsed && got.Status == http.StatusForbidden && a.Error == "unauthorized":
		r.pass(checkKnown, "WordPress.com knows the site, but shows no details: it is private")
	case !parsed || got.Status != http.StatusOK || a.ID == 0:
		r.skip(checkKnown, "WordPress.com's API gives no usable answer: "+got.seen())
	default:
		r.pass(checkKnown, fmt.Sprintf("site %d, %s", a.ID, quote(a.URL)))
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
		r.add(Finding{Check: checkKnownHome, Verdict: Fail, Cause: "address_differs", Seen: "WordPress.com says " + quote(a.URL) + ", the site is at " + r.home.String(),
			Means: "WordPress.com calls the site by http although it is at https (or the other way round): the redirect loses its calls.",
			Do:    "Set home and siteurl to the address that answers, then update it on WordPress.com (Site Health, identity crisis)."})
	default:
		r.add(Finding{Check: checkKnownHome, Verdict: Fail, Cause: "address_differs", Seen: "WordPress.com says " + quote(a.URL) + ", the site is at " + r.home.String(),
			Means: "WordPress.com knows the site by another address, and its calls go there.",
			Do:    "Resolve the identity crisis in wp-admin (Jetpack asks whether the site moved), or set home and siteurl back."})
	}
	switch {
	case a.Jetpack == nil:
		r.skip(checkKnownState, "WordPress.com does not say")
	case *a.Jetpack:
		r.pass(checkKnownState, "known as a Jetpack site")
	default:
		r.add(Finding{Check: checkKnownState, Verdict: Fail, Cause: "not_jetpack", Seen: "jetpack: false",
			Means: "WordPress.com does not consider the site a Jetpack site: the name belongs to a blog there, or the connection is gone.",
			Do:    "Check that the domain does not point to WordPress.com, and connect Jetpack again."})
	}
	r.compareDoor(a.Meta.Links["xmlrpc"])
}

func (r *run) compareDoor(link string) {
	u, err := url.Parse(link)
	own, ownErr := url.Parse(r.at("/xmlrpc.php"))
	switch {
	case link == "" || err != nil || ownErr != nil:
		r.skip(checkKnownDoor, "WordPress.com gives no link to xmlrpc.php")
	case sameSite(u, own):
		r.pass(checkKnownDoor, withoutQuery(link))
	default:
		r.add(Finding{Check: checkKnownDoor, Verdict: Fail, Cause: "xmlrpc_differs", Seen: "WordPress.com calls " + withoutQuery(link) + ", xmlrpc.php was looked for at " + own.String(),
			Means: "WordPress.com calls another xmlrpc.php than the one that belongs to this address.",
			Do:    "Set siteurl to the address of the WordPress installation, and let Jetpack update its address."})
	}
}
