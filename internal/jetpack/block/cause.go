package block

import (
	"maps"
	"slices"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// causeOf returns the cause of a kind that no product makes.
func causeOf(k Kind) cause.Cause {
	if k == Open {
		return cause.Cause{}
	}
	c := causes[k]
	c.Name = string(k)
	return c
}

// Causes returns all causes that a verdict may have.
func Causes() []cause.Cause {
	var all []cause.Cause
	for _, k := range slices.Sorted(maps.Keys(causes)) {
		all = append(all, causeOf(k))
	}
	for _, p := range products() {
		all = append(all, p.refuses().Cause)
		if p.puzzleOwner != "" {
			all = append(all, p.challenges().Cause)
		}
	}
	for _, s := range servers {
		all = append(all, s.denies().Cause)
	}
	for _, status := range slices.Sorted(maps.Keys(origins)) {
		all = append(all, origin(status).Cause)
	}
	return all
}

// origins are Cloudflare's reports about the site's own server.
var origins = map[int]struct{ name, means, owner, host string }{
	520: {"origin_strange", "Cloudflare gets an answer from the site's server that it cannot read (520).", "Ask the host to look at the server's error log at the time of a call.", "Look for crashes of the web server, and for headers over 128 KB (cookies)."},
	521: {"origin_refused", "The site's server refuses Cloudflare's connections (521).", "Ask the host whether the web server runs and lets Cloudflare in.", "Start the web server, and allow Cloudflare's address ranges in the firewall."},
	522: {"origin_timeout", "The site's server does not answer Cloudflare's connections (522).", "Ask the host whether the server is overloaded or drops Cloudflare's packets.", "Look at load and firewall (fail2ban, CSF): Cloudflare's ranges must never be blocked."},
	523: {"origin_unreachable", "Cloudflare finds no way to the site's server (523).", "Check the server's address in Cloudflare's DNS settings.", "Check the route to the server and its address."},
	524: {"origin_slow", "The site's server connects, but gives Cloudflare no answer in time (524).", "Ask the host what PHP is busy with.", "Look at PHP's slow log, and at the number of PHP's processes."},
	525: {"origin_tls", "Cloudflare and the site's server do not agree on TLS (525).", "Ask the host for a valid certificate on the server itself.", "Install a certificate for the site on the server, and turn on TLS 1.2."},
	526: {"origin_certificate", "Cloudflare does not trust the certificate of the site's server (526).", "Renew the server's own certificate, or install one of Cloudflare's for origins.", "Renew the certificate on the server; Cloudflare's mode is full (strict)."},
	530: {"origin_unknown", "Cloudflare does not know where the site's server is (530, as error 1016).", "Check the records in Cloudflare's DNS settings: a name that they point to does not resolve.", "Check the name that the site's records point to."},
}

// origin returns the verdict for a status from 520 to 530 of Cloudflare.
func origin(status int) Verdict {
	o, ok := origins[status]
	if !ok {
		status = 520
		o = origins[status]
	}
	return Verdict{Kind: Origin, Who: "Cloudflare", Cause: cause.Cause{Name: o.name, Sure: cause.Certain, Means: o.means, Owner: o.owner, Host: o.host}}
}
