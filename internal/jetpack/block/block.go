package block

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// Kind classifies an answer.
type Kind string

// The kinds.
const (
	// Open is WordPress's own answer.
	Open Kind = "open"
	// MethodFilter is a refusal of GET that is not WordPress's own.
	MethodFilter Kind = "method_filter"
	// PostRefused is a 405 to a POST.
	PostRefused Kind = "post_refused"
	// SecurityPlugin is WordPress's text as a page: a plugin ended the request.
	SecurityPlugin Kind = "security_plugin"
	// Firewall is 403 or 406, or the page of a product.
	Firewall Kind = "firewall"
	// Missing is 404 or 410.
	Missing Kind = "missing"
	// Redirected sends the caller elsewhere.
	Redirected Kind = "redirected"
	// BasicAuth is 401.
	BasicAuth Kind = "basic_auth"
	// RateLimit is 429 or 503.
	RateLimit Kind = "rate_limit"
	// Maintenance is WordPress's own 503.
	Maintenance Kind = "maintenance"
	// Challenge is a captcha or a puzzle for browsers.
	Challenge Kind = "bot_challenge"
	// EmptyAnswer, HTMLAnswer and JunkAnswer are successes that are not clean XML-RPC.
	EmptyAnswer Kind = "empty_answer"
	HTMLAnswer  Kind = "html_answer"
	JunkAnswer  Kind = "junk_answer"
	// ServerError is any other 5xx.
	ServerError Kind = "server_error"
	// Disabled means that XML-RPC itself is off for methods with a login.
	Disabled Kind = "xmlrpc_disabled"
	// Timeout means that no answer came in time.
	Timeout Kind = "timeout"
	// Lost means that the connection broke.
	Lost Kind = "connection_lost"
	// Strange is any other answer.
	Strange Kind = "strange_answer"
)

// CoreText is WordPress's answer to a GET of xmlrpc.php.
const CoreText = "XML-RPC server accepts POST requests only."

// disabledText is WordPress's text when XML-RPC is off.
const disabledText = "XML-RPC services are disabled on this site"

// Answer is an HTTP response.
type Answer struct {
	Status int
	Header http.Header
	// Body is the beginning of the decoded body.
	Body []byte
}

// Verdict is the meaning of an answer.
type Verdict struct {
	Kind Kind
	// Who is the product that answered, empty if unknown.
	Who string
	// Means and Do explain it to the owner of the site.
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

// OfGet returns the meaning of the answer to a GET of xmlrpc.php.
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

// OfPost returns the meaning of the answer to an XML-RPC call. When it is Open, value is
// the decoded answer, or fault is not nil.
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

// common handles answers that mean the same for GET and POST.
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

// Of returns the verdict for a kind without an answer: Timeout or Lost.
func Of(k Kind) Verdict { return verdict(k, "") }

type meaning struct{ means, do string }

var meanings = map[Kind]meaning{
	Open:         {"XML-RPC is open.", ""},
	MethodFilter: {"The web server or a firewall limits methods: the 405 is not WordPress's own.", "Remove rules for xmlrpc.php (limit_except, LimitExcept, Require) and let POST through."},
	PostRefused:  {"POST is not allowed to xmlrpc.php: a method filter of the web server, a CDN or a static cache answers.", "Allow POST for /xmlrpc.php in the web server, CDN and firewall."},
	SecurityPlugin: {"A security plugin in WordPress blocks the calls.",
		"Turn off its option against XML-RPC (\"disable XML-RPC\", \"block xmlrpc.php\") or let Jetpack through in its settings."},
	Firewall:    {"A firewall or a rule of the web server refuses the calls.", "Let WordPress.com's address ranges (https://jetpack.com/ips-v4.txt) through to /xmlrpc.php, or ask the host to."},
	Missing:     {"xmlrpc.php does not exist there: it was deleted, a rule hides it, or WordPress is in another directory.", "Restore the file (reinstall WordPress from Dashboard > Updates), remove the rule, and give the address of the WordPress installation."},
	Redirected:  {"The call is redirected: a POST becomes a GET or loses its body, and signed calls are never repeated.", "Set home and siteurl (Settings > General) to the address redirected to, then let Jetpack update its address (Site Health, identity crisis); exempt xmlrpc.php from redirects."},
	BasicAuth:   {"HTTP authentication guards the site: WordPress.com has no password for it.", "Exempt /xmlrpc.php and /wp-json from the password (Satisfy Any, auth_basic off)."},
	RateLimit:   {"Too many requests, or the server reports an overload.", "Exempt WordPress.com's address ranges from rate limits on xmlrpc.php; look at the load of the server."},
	Maintenance: {"WordPress is in maintenance mode.", "Wait; if no update is running, delete the file .maintenance."},
	Challenge:   {"A bot protection asks the browser to solve a puzzle, which servers cannot do.", "Let WordPress.com's address ranges through the bot protection of the host or CDN (at SiteGround: ask support to allow Jetpack)."},
	EmptyAnswer: {"The answer has no content: PHP died, or a plugin ended the request.", "Look for a fatal error in PHP's log, and deactivate plugins one by one."},
	HTMLAnswer:  {"A page comes instead of XML-RPC: a cache, a plugin, a parked domain or another application answers.", "Exclude xmlrpc.php from page caches, and find the plugin that handles the request."},
	JunkAnswer:  {"Something stands before or after the XML (a BOM, blank lines, PHP warnings): callers cannot parse it (fault -32700).", "Find the file that prints it (often a BOM or blank line in wp-config.php or functions.php), and turn display_errors off."},
	ServerError: {"The server fails (5xx).", "Look for the reason in the logs of the web server and PHP: jetmon diagnose logs helps."},
	Disabled:    {"XML-RPC is off for methods that need a login (filter xmlrpc_enabled).", "Remove the filter or the plugin that sets it."},
	Timeout:     {"The call gets no answer at all: a firewall drops it, or PHP hangs.", "Let WordPress.com's address ranges through the firewall of server and host; if others get an answer, look at PHP's slow log."},
	Lost:        {"The connection breaks before the answer.", "Look for crashes of PHP or the web server, and for a firewall that resets connections."},
	Strange:     {"WordPress does not give such an answer.", "Look at what answers on this address."},
}
