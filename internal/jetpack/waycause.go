package jetpack

import (
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// wayText is what a failure on the way to the site means and what to do about it.
type wayText struct{ means, owner, host string }

// ours are the failures that are our own, by the check engine's reasons.
var ours = map[string]wayText{
	"resolver_unreachable": {"Our own name servers do not answer: this says nothing about the site.", "Try again later, or from another network; nothing is to be done at the site.", ""},
	"no_route":             {"The machine that runs this diagnosis has no way to the site's network, as without IPv6.", "Diagnose the site from a machine with a way to it; nothing is to be done at the site.", ""},
	"node_resources":       {"The machine that runs this diagnosis has no memory or sockets left.", "Try again when that machine is less busy; nothing is to be done at the site.", ""},
	"no_roots":             {"The machine that runs this diagnosis has no list of issuers to trust, so no certificate can be judged.", "Install the list (in Debian the package ca-certificates) there; nothing is to be done at the site.", ""},
}

var dnsTexts = map[string]wayText{
	"nxdomain":    {"The site's name does not exist, so nobody can find the site.", "Check whether the domain has expired, and its name servers at the registrar.", "Check that the zone has a record for the name."},
	"nodata":      {"The site's name exists, but has no address.", "Add an A or AAAA record for the name (with and without www).", "Add an A or AAAA record to the zone."},
	"servfail":    {"The name servers of the domain fail.", "Ask who runs the name servers; after a change, check DNSSEC (a DS record that matches no key).", "Look at the zone's state on its name servers, and at its signatures."},
	"refused":     {"The name servers refuse to answer for the domain: it is not set up there.", "Set the name servers at the registrar to those of the host or DNS service.", "Set up the zone on the name servers that the domain names."},
	"timeout":     {"The domain's name servers do not answer.", "Ask who runs the name servers; check their names at the registrar.", "Look whether the name servers run, and let UDP and TCP port 53 through."},
	"cname_loop":  {"The site's name leads to itself: its CNAME records make a loop.", "Correct the CNAME record of the name.", ""},
	"bad_answer":  {"The domain's name servers give answers that nobody can read.", "Ask who runs the name servers.", "Look for a firewall that changes DNS answers."},
	"other_fault": {"The site's name cannot be resolved.", "Check the domain's name servers and records.", ""},
}

var tcpTexts = map[string]wayText{
	"refused":             {"The server refuses connections: no web server listens on the port.", "Ask the host whether the web server runs; check that the domain points to the right server.", "Start the web server, and check the port that it listens on."},
	"reset":               {"The server, or a firewall before it, breaks connections off at once.", "Ask the host for a firewall that refuses strangers.", "Look for a firewall that answers with RST, and for a full accept queue."},
	"lost":                {"Connections break as soon as they are made.", "Ask the host to look at the server's network.", "Look at the network, and for a firewall that closes connections."},
	"timeout":             {"The server does not answer: it is off, or a firewall swallows the packets.", "Ask the host whether the server is on, and whether a firewall blocks strangers.", "Look whether the server is up, and let everybody in on ports 80 and 443."},
	"host_unreachable":    {"The server's network says that the server is not there.", "Check that the domain points to the server's present address.", "Look whether the server is on, and at its address."},
	"network_unreachable": {"There is no way to the server's network.", "Check that the domain points to the server's present address; ask the host for its state.", "Look at the routes to the server's network."},
	"other_fault":         {"No connection to the server is possible.", "Ask the host whether the server is up.", "Look at the server and its firewall."},
}

var tlsTexts = map[string]wayText{
	"expired":                     {"The certificate has expired, so callers refuse to talk to the site.", "Renew the certificate in the host's panel, and ask why it was not renewed by itself.", "Renew it (certbot renew --dry-run shows what hinders it), and load it in the web server."},
	"not_yet_valid":               {"The certificate is not valid yet.", "Ask the host: the certificate begins in the future, or a clock is wrong.", "Check the clock of the server that made the certificate."},
	"self_signed":                 {"The certificate is signed by nobody but itself, so callers do not trust it.", "Turn on the host's free certificate (Let's Encrypt) for the site.", "Install a certificate of a public issuer for this name."},
	"unknown_issuer":              {"Nobody knows the issuer of the certificate; mostly the intermediate certificate is missing.", "Ask the host to install the full chain of the certificate.", "Serve the full chain (fullchain.pem), not the certificate alone."},
	"wrong_host":                  {"The certificate is for another name.", "Order a certificate for this name (with and without www).", "Check which virtual host answers for this name, and its certificate."},
	"wrong_usage":                 {"The certificate may not be used by servers.", "Ask the host for a certificate for web servers.", "Install a certificate with the usage serverAuth."},
	"invalid_chain":               {"The chain of the certificate is not valid.", "Ask the host to check the chain.", "Compare the chain with what the issuer publishes."},
	"bad_certificate":             {"The certificate cannot be read.", "Ask the host for a new certificate.", "Look at the certificate's file; make it anew."},
	"not_tls":                     {"The server does not speak TLS on the port of https.", "Ask the host to turn https on for the site.", "Configure TLS on this port (listen 443 ssl, SSLEngine on)."},
	"protocol_version":            {"The server speaks no version of TLS that callers still use.", "Ask the host to turn on TLS 1.2 and 1.3.", "Turn on TLS 1.2 and 1.3."},
	"unrecognized_name":           {"The server does not know this name in TLS.", "Ask the host to set the site up under this name.", "Add the name to the virtual host for TLS."},
	"client_certificate_required": {"The server wants a certificate of its callers, which WordPress.com does not have.", "Ask the host to let callers without a certificate in, at least to xmlrpc.php.", "Turn client certificates off (ssl_verify_client, SSLVerifyClient); behind Cloudflare these are authenticated origin pulls: let the domain point to Cloudflare."},
	"handshake":                   {"The TLS handshake does not end in time.", "Ask the host for load and firewall of the server.", "Look for load, and for a firewall that swallows large packets (MTU)."},
	"other_fault":                 {"The TLS handshake fails, so callers do not get as far as HTTP.", "Ask the host to check certificate and TLS settings of the server and its CDN.", "Try the handshake (openssl s_client -servername), and compare with the server's log."},
}

var redirectTexts = map[string]wayText{
	"loop":         {"The home page redirects in a circle, so no caller arrives.", "Make WordPress Address and Site Address equal to the address that visitors use; with Cloudflare set SSL to Full, not Flexible.", "Let the proxy pass X-Forwarded-Proto, and look for two redirects that contradict each other."},
	"too_many":     {"The home page redirects more than ten times, so callers give up.", "Look for plugins and rules that redirect one after the other, and lead straight to the end.", "Join the redirects into one."},
	"unroutable":   {"The home page redirects to an address that is not one of the public Internet.", "Set WordPress Address and Site Address to the public address (after a move from a test machine they often still have the old one).", ""},
	"not_allowed":  {"The home page redirects to where callers must not go.", "Set WordPress Address and Site Address to the public address.", ""},
	"target":       {"The home page redirects to an address that cannot be reached.", "Set WordPress Address and Site Address to an address that works, or repair the one redirected to.", "Look at the redirects of server and CDN."},
	"bad_location": {"The home page redirects to an address that is none.", "Check WordPress Address and Site Address for typing errors, and the rules that redirect.", "Look at the redirects of server and CDN for a bad address."},
	"other_fault":  {"The home page redirects to where no caller can go.", "Make WordPress Address and Site Address match the redirects of server and CDN.", "Look at the Location of the redirect."},
}

// wayCause makes a cause of a failure on the way. Prefix is the step, reason the engine's.
func wayCause(prefix, reason string, texts map[string]wayText) cause.Cause {
	if t, ok := ours[reason]; ok {
		return cause.Cause{Name: "our_" + reason, Weight: cause.Ours, Sure: cause.Certain, Means: t.means, Owner: t.owner, Host: t.host}
	}
	t, ok := texts[reason]
	if !ok {
		t = texts["other_fault"]
	}
	return cause.Cause{Name: prefix + "_" + reason, Weight: cause.Whole, Sure: cause.Certain, Means: t.means, Owner: t.owner, Host: t.host}
}

// The causes of section 1 that have no reason of the engine's.
var (
	privateAddress = cause.Cause{
		Name: "private_address", Weight: cause.Whole, Sure: cause.Certain, Means: "The address is not one of the public Internet, so WordPress.com cannot reach the site.",
		Owner: "Give the site a public name and address; to diagnose a private one, allow private addresses (--allow-private).",
	}
	expiringCertificate = cause.Cause{
		Name: "tls_expiring", Weight: cause.Minor, Sure: cause.Certain, Means: "The certificate expires soon; then all calls fail.",
		Owner: "Ask the host whether it is renewed by itself.", Host: "Find out why it is not renewed (certbot renew --dry-run).",
	}
	oldTLS = cause.Cause{
		Name: "tls_deprecated", Weight: cause.Minor, Sure: cause.Certain, Means: "The server speaks only old versions of TLS, which callers are giving up one after another.",
		Owner: "Ask the host for TLS 1.2 or 1.3.", Host: "Turn on TLS 1.2 and 1.3 (ssl_protocols, SSLProtocol).",
	}
	brokenIPv6 = cause.Cause{
		Name: "ipv6_broken", Weight: cause.Partial, Sure: cause.Certain, Means: "The name has an IPv6 address that does not answer: callers that prefer IPv6 wait or fail.",
		Owner: "Ask the host whether the server has IPv6; if not, take the AAAA record out of the DNS settings.", Host: "Make the web server listen on IPv6 (listen [::]:443), and let it through the firewall.",
	}
	headRefused = cause.Cause{
		Name: "head_refused", Weight: cause.Minor, Sure: cause.Certain, Means: "HEAD fails where GET works: monitors that use HEAD see the site as down.",
		Owner: "Look for a firewall or plugin that refuses HEAD, and let it through.", Host: "Allow the method HEAD in web server and firewall.",
	}
	homeRefuses = cause.Cause{
		Name: "home_unsteady", Weight: cause.Partial, Sure: cause.Possible, Means: "The home page fails for one request and works for the next: it is unsteady, or treats callers differently.",
		Owner: "Diagnose again; if it stays, look for a firewall or cache that treats user agents differently.", Host: "Compare the two requests in the access log.",
	}
	homeMissing = cause.Cause{
		Name: "home_missing", Weight: cause.Partial, Sure: cause.Certain, Means: "The home page does not exist (404), so monitors see the site as down.",
		Owner: "Check the address, and Settings > Reading for a home page that was moved to the bin.", Host: "Check the document root of the site, and that index.php gets what is no file.",
	}
	movedSite = cause.Cause{
		Name: "address_redirects", Weight: cause.Minor, Means: "Calls to the given address are lost: it redirects them, a redirected POST becomes a GET, and signed calls are not repeated.",
		Owner: "Make sure that WordPress Address, Site Address and WordPress.com have the address redirected to.",
	}
)

// wayCauses returns all causes of section 1.
func wayCauses() []cause.Cause {
	all := []cause.Cause{privateAddress, expiringCertificate, oldTLS, brokenIPv6, headRefused, homeRefuses, homeMissing, movedSite}
	for reason := range ours {
		all = append(all, wayCause("", reason, nil))
	}
	for prefix, texts := range map[string]map[string]wayText{checkDNS: dnsTexts, checkTCP: tcpTexts, checkTLS: tlsTexts, "redirect": redirectTexts} {
		for reason := range texts {
			all = append(all, wayCause(prefix, reason, texts))
		}
	}
	return all
}

// isOurs reports whether an observation says nothing about the site.
func isOurs(o check.Observation) bool {
	_, known := ours[o.Reason]
	return known && o.Outcome == check.OutcomeUnknown
}
