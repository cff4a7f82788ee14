package block

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// Kind is a way of answering.
type Kind string

// The kinds.
const (
	// Open is WordPress's own answer.
	Open Kind = "open"
	// MethodFilter: GET is refused, and not by WordPress.
	MethodFilter Kind = "method_filter"
	// PostRefused: POST is answered 405.
	PostRefused Kind = "post_refused"
	// SecurityPlugin: a plugin ends the request with WordPress's text as a page.
	SecurityPlugin Kind = "security_plugin"
	// Firewall: 403 or 406, or the page of a product.
	Firewall Kind = "firewall"
	// Missing: 404 or 410.
	Missing Kind = "missing"
	// Redirected: the answer sends the caller elsewhere.
	Redirected Kind = "redirected"
	// BasicAuth: 401.
	BasicAuth Kind = "basic_auth"
	// RateLimit: 429, or 503.
	RateLimit Kind = "rate_limit"
	// Maintenance: WordPress's own 503.
	Maintenance Kind = "maintenance"
	// Challenge: a captcha or a puzzle for browsers.
	Challenge Kind = "bot_challenge"
	// EmptyAnswer, HTMLAnswer and JunkAnswer: a success that is not clean XML-RPC.
	EmptyAnswer Kind = "empty_answer"
	HTMLAnswer  Kind = "html_answer"
	JunkAnswer  Kind = "junk_answer"
	// ServerError: any other 5xx.
	ServerError Kind = "server_error"
	// Disabled: XML-RPC itself says that it is off for methods with a login.
	Disabled Kind = "xmlrpc_disabled"
	// Timeout: nothing came in time.
	Timeout Kind = "timeout"
	// Lost: the connection broke.
	Lost Kind = "connection_lost"
	// Strange is none of these.
	Strange Kind = "strange_answer"
)

// CoreText is what WordPress answers to a GET of xmlrpc.php.
const CoreText = "XML-RPC server accepts POST requests only."

// disabledText is WordPress's text when XML-RPC is off.
const disabledText = "XML-RPC services are disabled on this site"

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	// Body is its beginning, unpacked.
	Body []byte
}

// Verdict is what an answer means.
type Verdict struct {
	Kind Kind
	// Who is the product that answered, as far as it shows; else empty.
	Who string
	// Means and Do are for the owner of the site.
	Means, Do string
}

func verdict(k Kind, who string) Verdict {
	v := Verdict{Kind: k, Who: who, Means: meanings[k].means, Do: meanings[k].do}
	if who != "" && (k == Firewall || k == Challenge || k == RateLimit) {
		v.Means = who + " answers instead of the site: " + lowerFirst(v.Means)
	}
	return v
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// OfGet judges the answer to a GET of xmlrpc.php.
func OfGet(a Answer) Verdict {
	switch {
	case a.Status == http.StatusMethodNotAllowed && strings.TrimSpace(string(a.Body)) == CoreText:
		return verdict(Open, "")
	case a.Status == http.StatusMethodNotAllowed:
		return verdict(MethodFilter, whose(a))
	case a.Status >= 200 && a.Status < 300 && !isChallenge(a):
		switch {
		case len(bytes.TrimSpace(a.Body)) == 0:
			return verdict(EmptyAnswer, "")
		case strings.Contains(string(a.Body), CoreText):
			// Some servers turn WordPress's 405 into a 200.
			return verdict(Open, "")
		}
		return verdict(HTMLAnswer, whose(a))
	}
	return common(a)
}

// OfPost judges the answer to an XML-RPC call. When it is Open, the answer can be
// decoded; fault is not nil when it is one.
func OfPost(a Answer) (v Verdict, value xmlrpc.Value, fault *xmlrpc.Fault) {
	if a.Status == http.StatusMethodNotAllowed {
		return verdict(PostRefused, whose(a)), nil, nil
	}
	if a.Status < 200 || a.Status >= 300 || isChallenge(a) {
		return common(a), nil, nil
	}
	body := bytes.TrimSpace(a.Body)
	switch {
	case len(body) == 0:
		return verdict(EmptyAnswer, ""), nil, nil
	case !bytes.HasPrefix(a.Body, []byte("<?xml")) && !bytes.HasPrefix(a.Body, []byte("<methodResponse")):
		if !bytes.Contains(a.Body, []byte("<methodResponse")) {
			return verdict(HTMLAnswer, whose(a)), nil, nil
		}
		return verdict(JunkAnswer, ""), nil, nil
	}
	value, err := xmlrpc.DecodeAnswer(a.Body)
	fault, isFault := errors.AsType[*xmlrpc.Fault](err)
	switch {
	case isFault && fault.Code == xmlrpc.ServicesDisabled:
		return verdict(Disabled, ""), nil, fault
	case isFault:
		return verdict(Open, ""), nil, fault
	case err != nil:
		return verdict(JunkAnswer, ""), nil, nil
	}
	return verdict(Open, ""), value, nil
}

// common judges answers that mean the same whatever was asked.
func common(a Answer) Verdict {
	who := whose(a)
	switch {
	case isChallenge(a):
		return verdict(Challenge, who)
	case a.Status >= 300 && a.Status < 400:
		return verdict(Redirected, "")
	case a.Status == http.StatusUnauthorized:
		return verdict(BasicAuth, "")
	case a.Status == http.StatusForbidden && bytes.Contains(a.Body, []byte(disabledText)):
		return verdict(SecurityPlugin, who)
	case a.Status == http.StatusForbidden, a.Status == http.StatusNotAcceptable, a.Status == http.StatusUnavailableForLegalReasons:
		return verdict(Firewall, who)
	case a.Status == http.StatusNotFound, a.Status == http.StatusGone:
		return verdict(Missing, "")
	case a.Status == http.StatusServiceUnavailable && bytes.Contains(a.Body, []byte("scheduled maintenance")):
		return verdict(Maintenance, "")
	case a.Status == http.StatusTooManyRequests, a.Status == http.StatusServiceUnavailable:
		return verdict(RateLimit, who)
	case a.Status >= 500:
		return verdict(ServerError, who)
	}
	return verdict(Strange, who)
}

// Of gives the verdict of a kind that is not told by an answer: Timeout and Lost.
func Of(k Kind) Verdict { return verdict(k, "") }

type meaning struct{ means, do string }

var meanings = map[Kind]meaning{
	Open:         {"XML-RPC is open.", ""},
	MethodFilter: {"The web server or a firewall limits methods: the 405 is not WordPress's own.", "Remove rules for xmlrpc.php (limit_except, LimitExcept, Require) and let POST through."},
	PostRefused:  {"POST is not allowed to xmlrpc.php: a method filter of the web server, a CDN or a static cache answers.", "Allow POST for /xmlrpc.php in the web server, CDN and firewall."},
	SecurityPlugin: {"A security plugin in WordPress ends the calls.",
		"Turn off its option against XML-RPC (\"disable XML-RPC\", \"block xmlrpc.php\") or let Jetpack through in its settings."},
	Firewall:    {"A firewall or a rule of the web server refuses the calls.", "Let WordPress.com's address ranges (https://jetpack.com/ips-v4.txt) through to /xmlrpc.php, or ask the host to."},
	Missing:     {"xmlrpc.php does not exist there: it was deleted or a rule hides it, or WordPress lives in another directory.", "Restore the file (reinstall WordPress from Dashboard > Updates), remove the rule, and give the address where WordPress is installed."},
	Redirected:  {"The call is redirected: a POST becomes a GET or loses its body, and signed calls are never repeated.", "Set home and siteurl (Settings > General) to the address redirected to, then let Jetpack update its address (Site Health, identity crisis); exempt xmlrpc.php from redirects."},
	BasicAuth:   {"HTTP authentication guards the site: WordPress.com has no password for it.", "Exempt /xmlrpc.php and /wp-json from the password (Satisfy Any, auth_basic off)."},
	RateLimit:   {"Too many requests, or the server says that it is overloaded.", "Exempt WordPress.com's address ranges from rate limits on xmlrpc.php; look at the load of the server."},
	Maintenance: {"WordPress is in maintenance mode.", "Wait; if no update is running, delete the file .maintenance."},
	Challenge:   {"A check for bots wants a browser to solve a puzzle, which servers cannot.", "Let WordPress.com's address ranges through the bot protection of the host or CDN (at SiteGround: ask the support to allow Jetpack)."},
	EmptyAnswer: {"The answer has no content: PHP died, or a plugin ended the request.", "Look for a fatal error in PHP's log, and deactivate plugins one by one."},
	HTMLAnswer:  {"A page comes instead of XML-RPC: a cache, a plugin, a parked domain or another application answers.", "Exclude xmlrpc.php from page caches, and look which plugin takes the request."},
	JunkAnswer:  {"Something stands before or after the XML (a BOM, blank lines, PHP warnings): callers cannot parse it (fault -32700).", "Find the file that prints it (often a BOM or blank line in wp-config.php or functions.php), and turn display_errors off."},
	ServerError: {"The server fails (5xx).", "Look for the reason in the logs of the web server and PHP: jetmon diagnose logs helps."},
	Disabled:    {"XML-RPC is off for methods that need a login (filter xmlrpc_enabled).", "Remove the filter or the plugin that sets it."},
	Timeout:     {"The call gets no answer at all: a firewall drops it, or PHP hangs.", "Let WordPress.com's address ranges through the firewall of server and host; if others get an answer, look at PHP's slow log."},
	Lost:        {"The connection breaks before the answer.", "Look for crashes of PHP or the web server, and for a firewall that resets connections."},
	Strange:     {"This answer is not one that WordPress gives.", "Look at what answers on this address."},
}
