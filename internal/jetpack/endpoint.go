package jetpack

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// The steps of section 2.
const (
	checkGet     = "xmlrpc_get"
	checkPost    = "xmlrpc_post"
	checkMethods = "xmlrpc_methods"
	checkDetour  = "detour"
	checkREST    = "rest_index"
	checkRSD     = "rsd"
)

// detour is Jetpack's alternative URL, for sites whose host blocks xmlrpc.php.
const detour = "/?for=jetpack&jetpack=comms"

// endpoint looks for the URL at which XML-RPC answers.
func (r *run) endpoint(ctx context.Context) {
	if !r.reached {
		r.skipAll("there is no connection", checkGet, checkPost, checkMethods, checkDetour, checkREST, checkRSD)
		return
	}
	got, getErr := r.send(ctx, request{method: http.MethodGet, url: r.at("/xmlrpc.php")})
	var post outcome
	postErr := errNoTime
	if getErr == nil {
		post, postErr = r.call(ctx, r.at("/xmlrpc.php"), "demo.sayHello")
	}
	r.judgeGet(got, getErr, post)
	r.judgePost(post, postErr)
	r.listMethods(ctx)
	r.tryDetour(ctx)
	r.restIndex(ctx)
	r.rsd(ctx)
}

// outcome is the result of a call.
type outcome struct {
	reply
	block.Verdict
	value xmlrpc.Value
	fault *xmlrpc.Fault
}

// call calls a method. Its error is errNoTime or about the address.
func (r *run) call(ctx context.Context, to, method string, params ...xmlrpc.Value) (outcome, error) {
	body, err := xmlrpc.EncodeCall(method, params...)
	if err != nil {
		return outcome{}, err
	}
	got, err := r.send(ctx, request{method: http.MethodPost, url: to, body: body, contentType: "text/xml"})
	if err != nil {
		return outcome{}, err
	}
	return judged(got), nil
}

func judged(got reply) outcome {
	out := outcome{reply: got}
	if got.failure != "" {
		out.Verdict = block.Of(got.failure)
	} else {
		out.Verdict, out.value, out.fault = block.OfPost(got.Answer)
	}
	return out
}

// seen describes a reply as evidence.
func (o reply) seen() string {
	if o.failure != "" {
		return o.why
	}
	parts := []string{fmt.Sprintf("%d", o.Status)}
	if kind, _, _ := strings.Cut(o.Header.Get("Content-Type"), ";"); kind != "" {
		parts = append(parts, kind)
	}
	for _, name := range []string{"Server", "Cf-Ray", "X-Sucuri-Id", "Sg-Captcha", "Www-Authenticate", "Retry-After", "Allow"} {
		if v := o.Header.Get(name); v != "" {
			parts = append(parts, name+": "+quote(v))
		}
	}
	if to := o.Header.Get("Location"); to != "" {
		parts = append(parts, "Location: "+withoutQuery(to))
	}
	if text := quote(string(o.Body[:min(len(o.Body), 500)])); text != "" {
		parts = append(parts, fmt.Sprintf("%q", shorten(text)))
	} else {
		parts = append(parts, "no content")
	}
	return strings.Join(parts, ", ")
}

// maxExcerpt is how much of a page the evidence shows.
const maxExcerpt = 120

func shorten(text string) string {
	if len(text) <= maxExcerpt {
		return text
	}
	return strings.ToValidUTF8(text[:maxExcerpt], "") + "..."
}

// judgeGet adds the finding about the GET. It depends on the POST, because Jetpack needs
// only that.
func (r *run) judgeGet(got reply, err error, post outcome) {
	if err != nil {
		r.skip(checkGet, err.Error())
		return
	}
	v := block.Of(got.failure)
	if got.failure == "" {
		v = block.OfGet(got.Answer)
	}
	f := Finding{Check: checkGet, Verdict: Pass, Seen: "GET " + r.at("/xmlrpc.php") + ": " + got.seen()}
	if v.Kind != block.Open {
		f.Verdict, f.Cause, f.Means, f.Do = Fail, string(v.Kind), v.Means, v.Do
		if post.Kind == block.Open || post.Kind == block.Disabled {
			f.Verdict = Warn
			f.Means += " Only GET is affected; Jetpack calls by POST, which works."
		}
	}
	r.add(f)
}

func (r *run) judgePost(post outcome, err error) {
	if err != nil {
		r.skip(checkPost, err.Error())
		return
	}
	f := Finding{Check: checkPost, Verdict: Pass, Seen: "POST demo.sayHello: " + post.seen()}
	switch post.Kind {
	case block.Open:
		r.door = r.at("/xmlrpc.php")
		f.Seen = fmt.Sprintf("POST demo.sayHello: %d, %s", post.Status, quote(fmt.Sprint(post.value)))
		if post.fault != nil {
			f.Seen = "POST demo.sayHello: " + quote(post.fault.Error())
		}
	case block.Disabled:
		r.door = r.at("/xmlrpc.php")
		f.Verdict, f.Cause, f.Means, f.Do = Warn, string(post.Kind), post.Means, post.Do
	default:
		f.Verdict, f.Cause, f.Means, f.Do = Fail, string(post.Kind), post.Means, post.Do
	}
	r.noteClock(post.reply)
	r.add(f)
}

// listMethods counts the methods of WordPress itself.
func (r *run) listMethods(ctx context.Context) {
	if r.door == "" {
		r.skip(checkMethods, "xmlrpc.php is not open")
		return
	}
	got, err := r.call(ctx, r.door, "system.listMethods")
	if err != nil {
		r.skip(checkMethods, err.Error())
		return
	}
	names, ok := xmlrpc.Strings(got.value)
	switch {
	case got.Kind != block.Open || !ok:
		r.add(Finding{Check: checkMethods, Verdict: Warn, Cause: "methods_unreadable", Seen: got.seen(),
			Means: "The list of methods cannot be read although XML-RPC answers.", Do: "Look for a plugin that changes system.listMethods or truncates long answers."})
	case !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "wp.") }):
		r.add(Finding{Check: checkMethods, Verdict: Warn, Cause: "methods_removed", Seen: fmt.Sprintf("%d methods, none of them wp.*", len(names)),
			Means: "A plugin or filter (xmlrpc_methods) removes WordPress's own methods; Jetpack's may be gone, too.",
			Do:    "Look for a plugin against XML-RPC; the next section shows whether Jetpack is affected."})
	default:
		r.pass(checkMethods, fmt.Sprintf("%d methods", len(names)))
	}
}

// tryDetour tries Jetpack's detour, and uses it when xmlrpc.php is closed.
func (r *run) tryDetour(ctx context.Context) {
	got, err := r.call(ctx, r.at(detour), "system.listMethods")
	if err != nil {
		r.skip(checkDetour, err.Error())
		return
	}
	switch {
	case got.Kind == block.Open && r.door != "":
		r.pass(checkDetour, "open, and not needed")
	case got.Kind == block.Open:
		r.door = r.at(detour)
		r.pass(checkDetour, "open: Jetpack can use it while xmlrpc.php is closed")
	case r.door != "":
		r.skip(checkDetour, "closed ("+string(got.Kind)+"), and not needed")
	default:
		r.add(Finding{Check: checkDetour, Verdict: Fail, Cause: "detour_" + string(got.Kind), Seen: "POST " + detour + ": " + got.seen(),
			Means: "Jetpack's detour is closed, too, or Jetpack is not active.", Do: "Open xmlrpc.php first; the detour is for hosts that cannot."})
	}
}

// index is the REST API's description of itself.
type index struct {
	URL        string   `json:"url"`
	Home       string   `json:"home"`
	Namespaces []string `json:"namespaces"`
}

// restIndex looks for the REST API at its two addresses.
func (r *run) restIndex(ctx context.Context) {
	var first reply
	for i, path := range []string{"/wp-json/", "/?rest_route=/"} {
		ask := "?"
		if strings.Contains(path, "?") {
			ask = "&"
		}
		// The whole index of a site with many plugins is large.
		got, err := r.send(ctx, request{method: http.MethodGet, url: r.at(path) + ask + "_fields=name,url,home,namespaces"})
		if err != nil {
			r.skip(checkREST, err.Error())
			return
		}
		if i == 0 {
			first = got
		}
		var about index
		if got.failure != "" || got.Status != http.StatusOK || json.Unmarshal(got.Body, &about) != nil || len(about.Namespaces) == 0 {
			continue
		}
		r.api, r.claimed, r.hasREST = r.at(path), about.Home, slices.Contains(about.Namespaces, "jetpack/v4")
		r.judgeIndex(about, path)
		return
	}
	v := block.Of(first.failure)
	if first.failure == "" {
		v = block.OfGet(first.Answer)
	}
	f := Finding{Check: checkREST, Verdict: Warn, Cause: "rest_" + string(v.Kind), Seen: "GET wp-json: " + first.seen(),
		Means: "The REST API does not answer; Jetpack's newer parts (settings, sync, plugins) need it.",
		Do:    "Save the permalinks once (Settings > Permalinks), and look for a plugin or rule that blocks /wp-json."}
	r.add(f)
}

func (r *run) judgeIndex(about index, path string) {
	seen := fmt.Sprintf("%s: home %s, %d namespaces", path, quote(about.Home), len(about.Namespaces))
	home, err := url.Parse(about.Home)
	if err != nil || about.Home == "" || sameSite(home, r.home) {
		if path != "/wp-json/" {
			r.add(Finding{Check: checkREST, Verdict: Warn, Cause: "rest_plain", Seen: seen, Means: "The REST API answers only at ?rest_route=: pretty permalinks do not work.",
				Do: "Save the permalinks once (Settings > Permalinks); in nginx use try_files $uri $uri/ /index.php?$args."})
			return
		}
		r.pass(checkREST, seen)
		return
	}
	r.add(Finding{Check: checkREST, Verdict: Warn, Cause: "home_differs", Seen: seen,
		Means: "The site believes that it is at " + quote(about.Home) + ", but it was reached at " + r.home.String() + ".",
		Do:    "Set home and siteurl (Settings > General, or wp-config.php) to the address that visitors reach."})
}

// sameSite compares addresses as Jetpack does, except that it ignores a trailing slash.
func sameSite(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(hostPort(a), hostPort(b)) && strings.Trim(a.Path, "/") == strings.Trim(b.Path, "/")
}

// rsd asks the site for the advertised address of its XML-RPC.
func (r *run) rsd(ctx context.Context) {
	if r.door != r.at("/xmlrpc.php") {
		r.skip(checkRSD, "xmlrpc.php is not open")
		return
	}
	got, err := r.send(ctx, request{method: http.MethodGet, url: r.at("/xmlrpc.php?rsd")})
	if err != nil {
		r.skip(checkRSD, err.Error())
		return
	}
	var about struct {
		APIs []struct {
			Name string `xml:"name,attr"`
			Link string `xml:"apiLink,attr"`
		} `xml:"service>apis>api"`
	}
	if got.failure != "" || got.Status != http.StatusOK || xml.Unmarshal(got.Body, &about) != nil || len(about.APIs) == 0 {
		r.skip(checkRSD, "not offered: "+got.seen())
		return
	}
	link := about.APIs[0].Link
	u, err := url.Parse(link)
	if want, wantErr := url.Parse(r.door); err == nil && wantErr == nil && sameSite(u, want) {
		r.pass(checkRSD, "points to "+quote(link))
		return
	}
	r.add(Finding{Check: checkRSD, Verdict: Warn, Cause: "rsd_differs", Seen: "points to " + withoutQuery(link),
		Means: "The site advertises another address for its xmlrpc.php than the one that answers; WordPress.com believes the site.",
		Do:    "Set siteurl (Settings > General, or wp-config.php) to the address of the WordPress installation."})
}

// noteClock records the site's clock from an answer made by PHP.
func (r *run) noteClock(got reply) {
	if got.hasClock && got.failure == "" {
		r.clock, r.hasClock = got.clock, true
	}
}
