package errorlog

import "strings"

// Kind is a known trouble, or KindOther.
type Kind string

// The troubles.
const (
	KindBufferMismatch  Kind = "sync_buffer_mismatch"
	KindSyncQueue       Kind = "sync_queue"
	KindJetpackSigned   Kind = "jetpack_signature"
	KindPHPMemory       Kind = "php_memory"
	KindPHPTime         Kind = "php_time"
	KindPHPFatal        Kind = "php_fatal"
	KindDatabase        Kind = "database"
	KindHeaderTooBig    Kind = "upstream_header_too_big"
	KindTemporaryFile   Kind = "response_to_temporary_file"
	KindRequestToFile   Kind = "request_to_temporary_file"
	KindRequestTooLarge Kind = "request_too_large"
	KindUpstreamTimeout Kind = "upstream_timeout"
	KindUpstreamRefused Kind = "upstream_unavailable"
	KindUpstreamClosed  Kind = "upstream_closed"
	KindMaxChildren     Kind = "php_fpm_max_children"
	KindForbiddenByRule Kind = "forbidden_by_rule"
	KindRateLimit       Kind = "rate_limit"
	KindModSecurity     Kind = "mod_security"
	KindPHPStderr       Kind = "php_stderr"
	KindOther           Kind = "other"
)

// trouble describes one kind: the texts that identify it, its meaning and the advice. A
// harmless one deserves only a remark.
type trouble struct {
	kind     Kind
	marks    []string
	harmless bool
	means    string
	do       string
}

// troubles are in the order of recognition: the particular before the general.
var troubles = []trouble{
	{
		kind: KindBufferMismatch, marks: []string{"The buffer you checked in was not checked out"},
		means: "Jetpack Sync's lock was taken by another process while this one was sending (buffer_mismatch). It is not about nginx's or FastCGI's buffers.",
		do:    "Update Jetpack; let one process sync at a time: turn on dedicated sync or a real cron (DISABLE_WP_CRON with a system cron), exclude options jpsq_* from a persistent object cache. If it goes on, reset the locks: wp jetpack sync reset, or DELETE /wp-json/jetpack/v4/sync/locks.",
	}, {
		kind: KindSyncQueue, marks: []string{"Error checking in buffer", "There are no checked out buffers", "There is an unclosed buffer", "Timeout waiting for sync queue"},
		means: "Jetpack Sync lost its lock: sending took longer than the lock lasts, or another process holds it.",
		do:    "Look for slow requests to WordPress.com and slow PHP; run WP-Cron from the system; reset the locks if this does not end by itself.",
	}, {
		kind: KindJetpackSigned, marks: []string{"signature_mismatch", "invalid_nonce", "unknown_token", "no_valid_blog_token", "invalid_body_hash", "no_possible_tokens"},
		means: "Jetpack refused a signed call from WordPress.com.",
		do:    "Run jetmon diagnose with the site's URL and its token: it shows which part of the signature does not match.",
	}, {
		kind: KindPHPMemory, marks: []string{"Allowed memory size of"},
		means: "PHP ran out of memory in the middle of a request; the caller gets an empty or truncated answer.",
		do:    "Raise memory_limit and WP_MEMORY_LIMIT, and find the plugin that the message names.",
	}, {
		kind: KindPHPTime, marks: []string{"Maximum execution time of"},
		means: "PHP was stopped because a request took too long.",
		do:    "Find what is slow (database, calls to other servers) before raising max_execution_time.",
	}, {
		kind: KindPHPFatal, marks: []string{"PHP Fatal error", "PHP Parse error", "Uncaught Error", "Uncaught Exception", "PHP Compile error"},
		means: "PHP died in a request; then XML-RPC answers are empty or HTML, and Jetpack cannot read them.",
		do:    "Fix or turn off the plugin or theme whose file the message names.",
	}, {
		kind: KindDatabase, marks: []string{"WordPress database error", "MySQL server has gone away", "Deadlock found", "Too many connections", "Lock wait timeout"},
		means: "The database refused a query; nonces, tokens and the sync queue live there.",
		do:    "Repair the tables (wp db check), look at the limits of connections and packets.",
	}, {
		kind: KindHeaderTooBig, marks: []string{"upstream sent too big header"},
		means: "The headers of PHP's response do not fit into the first buffer; the caller gets a 502.",
		do:    "Raise fastcgi_buffer_size (16k or 32k), or find what sets so many cookies.",
	}, {
		kind: KindTemporaryFile, marks: []string{"an upstream response is buffered to a temporary file"}, harmless: true,
		means: "Responses are larger than all FastCGI or proxy buffers together and go through a file on disk: slower, and broken when the disk is full.",
		do:    "Set more buffers: see the proposal from the access log.",
	}, {
		kind: KindRequestToFile, marks: []string{"a client request body is buffered to a temporary file"}, harmless: true,
		means: "Uploads are larger than client_body_buffer_size and go through a file.",
		do:    "Nothing, unless the disk is slow or full; then raise client_body_buffer_size.",
	}, {
		kind: KindRequestTooLarge, marks: []string{"client intended to send too large body", "exceeds the configured limit"},
		means: "Requests are larger than the server accepts and get a 413; uploads and syncs fail.",
		do:    "Raise client_max_body_size (LimitRequestBody), and PHP's post_max_size.",
	}, {
		kind: KindUpstreamTimeout, marks: []string{"upstream timed out", "Connection timed out) while", "The timeout specified has expired"},
		means: "PHP did not answer within the web server's time limit; the caller gets a 504.",
		do:    "Look at PHP-FPM's slow log and the number of its processes before raising fastcgi_read_timeout.",
	}, {
		kind: KindUpstreamRefused, marks: []string{
			"connect() to unix:", "connect() failed", "no live upstreams", "attempt to connect to", "failed to make connection to backend",
		},
		means: "The web server could not reach PHP: it is not running, or its queue is full; the caller gets a 502.",
		do:    "Check that PHP-FPM runs and that the socket is the one configured; raise pm.max_children and listen.backlog.",
	}, {
		kind: KindUpstreamClosed, marks: []string{
			"upstream prematurely closed", "recv() failed (104", "Connection reset by peer) while reading", "readv() failed (104",
			"Premature end of script headers", "End of script output before headers",
		},
		means: "PHP went away in the middle of a response: it crashed, was killed or restarted.",
		do:    "Search PHP-FPM's log for SIGSEGV or request_terminate_timeout, and into the kernel's for the OOM killer.",
	}, {
		kind: KindMaxChildren, marks: []string{"server reached pm.max_children", "server reached max_children", "server reached MaxRequestWorkers"},
		means: "All processes of PHP (or Apache) were busy; further requests wait or fail.",
		do:    "Raise the limit if there is memory, or find what keeps them busy.",
	}, {
		kind: KindForbiddenByRule, marks: []string{"access forbidden by rule", "client denied by server configuration"},
		means: "A rule of the web server's own configuration refuses requests (deny, Require).",
		do:    "Check whether the requests are for xmlrpc.php or wp-json; let WordPress.com's addresses through.",
	}, {
		kind: KindRateLimit, marks: []string{"limiting requests, excess", "limiting connections by zone"},
		means: "A rate limit of the web server refuses requests.",
		do:    "Exempt WordPress.com's addresses from limit_req on xmlrpc.php and wp-json.",
	}, {
		kind: KindModSecurity, marks: []string{"ModSecurity: Access denied", "ModSecurity: Warning"},
		means: "mod_security refuses requests by a rule, whose id the message names.",
		do:    "Exempt that rule for xmlrpc.php and wp-json (SecRuleRemoveById in a LocationMatch).",
	}, {
		kind: KindPHPStderr, marks: []string{"FastCGI sent in stderr", "PHP Warning", "PHP Notice", "PHP Deprecated", "Got error 'PHP message"}, harmless: true,
		means: "PHP writes warnings. When display_errors is on, they also appear before the XML of answers and break it.",
		do:    "Turn display_errors off in production; fix the named files.",
	},
}

// kindOf returns the trouble of an entry, nil if it is unknown.
func kindOf(text string) *trouble {
	for i := range troubles {
		t := troubles[i]
		for _, mark := range t.marks {
			if strings.Contains(text, mark) {
				return &t
			}
		}
	}
	return nil
}
