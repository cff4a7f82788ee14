package jetpack

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
	"github.com/Automattic/jetmon/internal/page"
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
	if r.files.Path != r.home.Path && !r.isDoor(ctx, r.xmlrpcURL()) && r.isDoor(ctx, r.at("/xmlrpc.php")) {
		r.files = r.home // the site is wrong about itself
	}
	got, getErr := r.send(ctx, request{method: http.MethodGet, url: r.xmlrpcURL()})
	var post outcome
	postErr := errNoTime
	if getErr == nil {
		post, postErr = r.call(ctx, r.xmlrpcURL(), "demo.sayHello")
	}
	r.judgeGet(got, getErr, post)
	if source := block.OfGet(got.Answer); source.Kind == block.Source && post.Kind == block.PostRefused {
		post.Verdict = source // a web server takes no POST for a file that it only hands out
	}
	r.judgePost(ctx, post, postErr)
	if r.front.Kind == block.Missing && post.Kind == block.Open {
		r.restate(checkAnswer, homeMissing)
	}
	r.listMethods(ctx)
	r.tryDetour(ctx)
	r.judgeREST(post.Verdict)
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
	switch {
	case got.failure != "":
		out.Verdict = block.Of(got.failure)
	case got.endless && got.Status == http.StatusOK:
		out.Verdict = block.Of(block.TooLong)
	default:
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
	if text := quote(excerpt(o.Body)); text != "" {
		parts = append(parts, fmt.Sprintf("%q", shorten(text)))
	} else {
		parts = append(parts, "no content")
	}
	return strings.Join(parts, ", ")
}

// excerpt returns what a page shows, or the beginning of a body that is none.
func excerpt(body []byte) string {
	text := string(body[:min(len(body), 500)])
	if !strings.HasPrefix(strings.TrimSpace(text), "<") || strings.HasPrefix(strings.TrimSpace(text), "<?") {
		return text
	}
	o := page.OutlineOf(body[:min(len(body), 16<<10)])
	switch shown := o.Text; {
	case o.Title == "" && shown == "":
		return text
	case o.Title == "" || strings.HasPrefix(shown, o.Title):
		return shown
	case shown == "":
		return o.Title
	default:
		return o.Title + ": " + shown
	}
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
	switch {
	case got.endless && got.Status == http.StatusOK:
		v = block.Of(block.TooLong)
	case got.failure == "":
		v = block.OfGet(got.Answer)
	}
	v = r.explained(v)
	seen := "GET " + r.xmlrpcURL() + ": " + got.seen()
	switch {
	case v.Kind == block.Open:
		r.pass(checkGet, seen)
	case post.Kind == block.Open || post.Kind == block.Disabled:
		v.Weight = cause.Minor
		v.Means += " Only GET is affected; Jetpack calls by POST, which works."
		r.show(checkGet, Warn, v.Cause, seen)
	default:
		r.show(checkGet, Fail, v.Cause, seen)
	}
}

// explained returns what the home page says instead of a verdict that only guesses: in
// maintenance, or without a database, xmlrpc.php ends without a word.
func (r *run) explained(v block.Verdict) block.Verdict {
	whole := r.whole()
	switch {
	case whole.Kind != "" && (v.Kind == whole.Kind || isMute(v.Kind)):
		return whole
	case v.Kind == r.front.Kind && v.Name == r.front.Name:
		return r.front.Verdict
	case v.Kind == block.Missing && r.front.seen && r.front.Kind == block.Open && r.about.path == "" && !r.front.isWordPress():
		v.Cause = noWordPress
	}
	return v
}

// whole returns the fault of the whole site that its home page tells, or the REST API where
// the home page comes from a cache; the kind is empty when there is none.
func (r *run) whole() block.Verdict {
	if r.front.Kind.IsWhole() {
		return r.front.Verdict
	}
	if first := r.about.first; first.Status >= http.StatusInternalServerError && first.failure == "" {
		switch v := block.OfPage(first.Answer); v.Kind {
		case block.Maintenance, block.DatabaseAway, block.FatalError, block.PHPFatal:
			v.Weight = cause.Whole
			return v
		}
	}
	return block.Verdict{}
}

// isMute reports whether a kind of answer says nothing about its reason.
func isMute(k block.Kind) bool {
	switch k {
	case block.EmptyAnswer, block.ServerError, block.PHPDied, block.HTMLAnswer, block.Strange, block.Missing, block.Overloaded, block.JunkAnswer, block.Listing:
		return true
	}
	return false
}

func (r *run) judgePost(ctx context.Context, post outcome, err error) {
	if err != nil {
		r.skip(checkPost, err.Error())
		return
	}
	r.noteClock(post.reply)
	seen := "POST demo.sayHello: " + post.seen()
	if post.fault != nil {
		seen = "POST demo.sayHello: " + quote(post.fault.Error())
	}
	switch post.Kind {
	case block.Open:
		r.door = r.xmlrpcURL()
		if post.fault == nil {
			seen = fmt.Sprintf("POST demo.sayHello: %d, %s", post.Status, quote(fmt.Sprint(post.value)))
		}
		r.pass(checkPost, seen)
	case block.Disabled:
		r.door = r.xmlrpcURL()
		r.show(checkPost, Warn, post.Cause, seen)
	case block.CallUnread:
		c, more := r.unread(ctx, post.Cause)
		r.shut = &block.Verdict{Kind: post.Kind, Cause: c}
		r.show(checkPost, Fail, c, seen+more)
	case block.OutputBefore, block.OutputAfter:
		r.show(checkPost, Fail, post.Cause, seen+around(post.Body))
	default:
		r.show(checkPost, Fail, r.explained(post.Verdict).Cause, seen)
	}
}

// around shows what stands before or after the XML of an answer.
func around(body []byte) string {
	text := string(body)
	if i := strings.Index(text, "<?xml"); i > 0 && strings.TrimSpace(text[:i]) != "" {
		return "; before the XML: " + fmt.Sprintf("%q", shorten(quote(text[:i])))
	}
	if i := strings.LastIndex(text, "</methodResponse>"); i >= 0 {
		return "; after the XML: " + fmt.Sprintf("%q", shorten(quote(text[i+len("</methodResponse>"):])))
	}
	return ""
}

// unread finds out why WordPress cannot read a valid call. A route of the REST API that needs
// a body says whether bodies arrive: it refuses one that is no JSON before it looks at
// anything else, so nothing is done.
func (r *run) unread(ctx context.Context, c cause.Cause) (cause.Cause, string) {
	if r.api == "" {
		return c, ""
	}
	got, err := r.send(ctx, request{method: http.MethodPost, url: r.api + "batch/v1", body: []byte("{"), contentType: "application/json"})
	if err != nil {
		return c, ""
	}
	switch code, _ := restCode(got); code {
	case "rest_invalid_json":
		return noXMLModule, "; the REST API gets the bodies of calls"
	case "rest_missing_callback_param":
		return bodyLost, "; the REST API gets no body either"
	}
	return c, ""
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
	case got.Kind != block.Open:
		r.show(checkMethods, Warn, got.Cause, got.seen())
	case !ok:
		r.show(checkMethods, Warn, unreadableMethods, got.seen())
	case !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "wp.") }):
		r.show(checkMethods, Warn, removedMethods, fmt.Sprintf("%d methods, none of them wp.*", len(names)))
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
	case got.Kind == block.HTMLAnswer || got.Kind == block.Missing:
		r.show(checkDetour, Fail, closedDetour, "POST "+detour+": "+got.seen())
	case r.shut != nil && r.shut.Kind == got.Kind:
		r.show(checkDetour, Fail, r.shut.Cause, "POST "+detour+": "+got.seen())
	default:
		r.show(checkDetour, Fail, r.explained(got.Verdict).Cause, "POST "+detour+": "+got.seen())
	}
}

// sameSite compares addresses as Jetpack does, except that it ignores a trailing slash.
func sameSite(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(hostPort(a), hostPort(b)) && strings.Trim(a.Path, "/") == strings.Trim(b.Path, "/")
}

// rsd asks the site for the advertised address of its XML-RPC.
func (r *run) rsd(ctx context.Context) {
	if r.door != r.xmlrpcURL() {
		r.skip(checkRSD, "xmlrpc.php is not open")
		return
	}
	got, err := r.send(ctx, request{method: http.MethodGet, url: r.xmlrpcURL() + "?rsd"})
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
	r.show(checkRSD, Warn, otherDoor, "points to "+withoutQuery(link))
}
