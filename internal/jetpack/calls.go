package jetpack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/block"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/xmlrpc"
)

// The steps of section 3.
const (
	checkConnected = "jetpack_connected"
	checkClock     = "clock"
	checkBlogToken = "signed_by_blog"
	checkUserToken = "signed_by_user"
)

// How wrong a site's clock may be: a site accepts calls from 10 minutes before to 5 minutes
// after its own time.
const (
	maxAhead  = 600 * time.Second
	maxBehind = 300 * time.Second
	warnClock = 60 * time.Second
)

// calls makes unsigned and signed calls to Jetpack itself.
func (r *run) calls(ctx context.Context) {
	if r.door == "" {
		r.skipAll("XML-RPC is not open", checkConnected, checkClock, checkBlogToken, checkUserToken)
		return
	}
	r.connected(ctx)
	r.judgeClock()
	r.signed(ctx, checkBlogToken, r.target.Blog, "jetpack.testConnection")
	r.signed(ctx, checkUserToken, r.target.User, "jetpack.testAPIUserCode")
}

// forJetpack returns the door's URL with the parameter that addresses Jetpack.
func (r *run) forJetpack() string {
	if strings.Contains(r.door, "?") {
		return r.door
	}
	return r.door + "?for=jetpack"
}

// connected finds out whether Jetpack is active and connected, from the methods that it
// offers to unsigned callers.
func (r *run) connected(ctx context.Context) {
	got, err := r.call(ctx, r.forJetpack(), "system.listMethods")
	if err != nil {
		r.skip(checkConnected, err.Error())
		return
	}
	r.noteClock(got.reply)
	f := Finding{Check: checkConnected, Verdict: Fail}
	names, ok := xmlrpc.Strings(got.value)
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, "jetpack.") })
	f.Seen = "methods for strangers: " + quote(strings.Join(names, ", "))
	switch {
	case got.Kind != block.Open || !ok:
		f.Cause, f.Seen, f.Means, f.Do = string(got.Kind), "POST for=jetpack: "+got.seen(), got.Means, got.Owner
		if got.Kind == block.Open {
			f.Cause, f.Means, f.Do = "methods_unreadable", "Jetpack's list of methods cannot be read.", "Look for a plugin that changes XML-RPC's answers."
		} else {
			f.Means = "Calls with for=jetpack are treated differently from others. " + f.Means
		}
	case len(names) == 0:
		f.Cause, f.Seen = "jetpack_absent", "no Jetpack methods for for=jetpack"
		f.Means = "Jetpack is not installed or not active (or a plugin removes its methods)."
		f.Do = "Activate Jetpack, and look for plugins against XML-RPC."
	case slices.Contains(names, "jetpack.verifyRegistration"):
		f.Cause = "not_connected"
		f.Means = "Jetpack is active but not connected to WordPress.com."
		f.Do = "Connect it in wp-admin (Jetpack > Connect)."
	default:
		f.Verdict = Pass
		f.Seen = "connected; " + f.Seen
	}
	r.add(f)
}

// judgeClock compares the site's clock with ours.
func (r *run) judgeClock() {
	if !r.hasClock {
		r.skip(checkClock, "the answers have no Date")
		return
	}
	skew := r.clock.Round(time.Second)
	f := Finding{Check: checkClock, Verdict: Pass, Seen: "the site's clock is " + skewSeen(skew)}
	if skew > warnClock || skew < -warnClock {
		f.Verdict, f.Cause = Warn, "clock"
		f.Means = "The server's clock is wrong; beyond the difference it has learned, Jetpack accepts at most 10 minutes ahead or 5 behind."
		f.Do = "Set the server's clock by NTP (timedatectl set-ntp true)."
	}
	if skew > maxAhead || skew < -maxBehind {
		f.Verdict = Fail
		f.Means = "The server's clock is so wrong that signed calls are refused as too old (invalid_signature), unless Jetpack has learned the difference."
	}
	r.add(f)
}

func skewSeen(skew time.Duration) string {
	switch {
	case skew > time.Second:
		return skew.String() + " ahead"
	case skew < -time.Second:
		return (-skew).String() + " behind"
	}
	return "right"
}

// variant is another host and port under which a site may believe to be called.
type variant struct {
	host string
	port int
}

// signed makes a signed call with one of the site's tokens.
func (r *run) signed(ctx context.Context, name string, token signature.Credential, method string) {
	if token.IsZero() {
		r.skip(name, "no "+strings.TrimPrefix(name, "signed_by_")+" token is given")
		return
	}
	got, err := r.signedCall(ctx, token, method, variant{})
	if err != nil {
		r.skip(name, err.Error())
		return
	}
	refusal, refused := refusalOf(got)
	f := Finding{Check: name, Verdict: Fail}
	switch {
	case got.Kind != block.Open:
		f.Cause, f.Seen, f.Means, f.Do = string(got.Kind), "signed "+method+": "+got.seen(), got.Means, got.Owner
		if got.Kind == block.Redirected {
			f.Means = "Signed calls never follow a redirect. " + f.Means
		}
	case refused:
		advice := refusal.Explain()
		f.Cause, f.Seen, f.Means, f.Do = string(refusal.Code), quote(got.fault.Text), advice.Means, advice.Do
		r.refine(ctx, &f, refusal, token, method)
	case got.fault != nil && got.fault.Code == xmlrpc.MethodUnknown:
		f.Cause, f.Seen = "signature_ignored", quote(got.fault.Error())
		f.Means = "The site treats the signed call as unsigned: the signature was refused without a reason, or the query did not reach PHP."
		f.Do = "Look for jetpack errors in PHP's log and in Tools > Site Health; check that rewrite rules keep the query ($args, QSA)."
	case got.fault != nil:
		f.Cause, f.Seen = "fault", quote(got.fault.Error())
		f.Means, f.Do = "The signed call is refused by something other than the signature.", "Look for the text in plugins and PHP's log."
	default:
		f.Verdict = Pass
		f.Seen = fmt.Sprintf("%s: the site accepts the %s token (answer: %s)", method, token.Kind(), quote(fmt.Sprint(got.value)))
	}
	r.add(f)
}

// signedCall makes a call that is signed for a host and port, which may differ from those
// of the connection.
func (r *run) signedCall(ctx context.Context, token signature.Credential, method string, as variant) (outcome, error) {
	var params []xmlrpc.Value
	if method == "jetpack.testAPIUserCode" {
		// Only the two sides know a valid code, so the answer is false. But any answer shows
		// that the signature is good.
		params = []xmlrpc.Value{[]xmlrpc.Value{1, int(token.UserID()), signature.NewNonce(), strings.Repeat("0", 32)}}
	}
	body, err := xmlrpc.EncodeCall(method, params...)
	if err != nil {
		return outcome{}, err
	}
	signed, err := token.SignQuery(signature.Call{
		Method: http.MethodPost, URL: r.forJetpack(), Body: body, Time: r.now(), As: signature.As{Host: as.host, Port: as.port},
	})
	if err != nil {
		return outcome{}, err
	}
	got, err := r.send(ctx, request{method: http.MethodPost, url: signed, body: body, contentType: "text/xml"})
	if err != nil {
		return outcome{}, err
	}
	return judged(got), nil
}

func refusalOf(got outcome) (*signature.Error, bool) {
	if got.fault == nil {
		return nil, false
	}
	return signature.ParseFault(got.fault.Text)
}

// refine adds measurements to refusals that have a measurable reason.
func (r *run) refine(ctx context.Context, f *Finding, refusal *signature.Error, token signature.Credential, method string) {
	switch {
	case refusal.Code == signature.InvalidSignature && strings.Contains(refusal.Message, "too old") && r.hasClock:
		f.Means += " Measured: the site's clock is " + skewSeen(r.clock.Round(time.Second)) + "."
	case refusal.Code == signature.SignatureMismatch:
		if as, ok := r.believed(ctx, token, method); ok {
			f.Cause = "signature_port"
			f.Seen += fmt.Sprintf("; accepted when signed for host %s, port %d", as.host, as.port)
			f.Means = fmt.Sprintf("The site believes that it was called as %s on port %d, but was called as %s: a proxy in front does not pass the port on.",
				as.host, as.port, hostPort(r.home))
			f.Do = portAdvice(r.home, as)
		}
	}
}

func portAdvice(home *url.URL, as variant) string {
	if strings.Contains(as.host, ":") {
		return "Jetpack cannot work on a port other than 80 and 443: the Host header has the port in it. Put a proxy on the standard port in front."
	}
	constant, forwarded := "JETPACK_SIGNATURE__HTTP_PORT", "80"
	if home.Scheme == "https" {
		constant, forwarded = "JETPACK_SIGNATURE__HTTPS_PORT", "443"
	}
	return fmt.Sprintf("Let the proxy send X-Forwarded-Port: %s, or put define( '%s', %d ); into wp-config.php.", forwarded, constant, as.port)
}

// believed finds the host and port under which the site believes to be called. It signs
// for those that proxies usually produce, with a separate call for each.
func (r *run) believed(ctx context.Context, token signature.Credential, method string) (variant, bool) {
	host, own := r.home.Hostname(), 443
	if r.home.Scheme == "http" {
		own = 80
	}
	var tries []variant
	if port, err := strconv.Atoi(r.home.Port()); err == nil {
		// PHP treats "host:port" as the host.
		tries = append(tries, variant{net.JoinHostPort(host, r.home.Port()), port}, variant{net.JoinHostPort(host, r.home.Port()), own})
		own = port
	}
	for _, port := range []int{80, 443, 8080, 8443, 8000, 81, 7080, 6081, 8888} {
		if port != own {
			tries = append(tries, variant{host, port})
		}
	}
	for _, as := range tries {
		got, err := r.signedCall(ctx, token, method, as)
		if err != nil || got.Kind != block.Open {
			return variant{}, false
		}
		if _, refused := refusalOf(got); !refused && got.fault == nil {
			return as, true
		}
	}
	return variant{}, false
}
