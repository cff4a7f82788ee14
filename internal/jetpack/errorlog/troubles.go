package errorlog

import "github.com/Automattic/jetmon/internal/jetpack/cause"

// jetpackTroubles are written by Jetpack itself.
var jetpackTroubles = []trouble{
	{
		kind: KindBufferMismatch, marks: []string{"The buffer you checked in was not checked out"}, wide: true,
		cause: cause.Cause{
			Sure: cause.Certain, Weight: cause.Partial,
			Means: "Jetpack Sync's lock was taken by another process while this one was sending (buffer_mismatch). It is not about nginx's or FastCGI's buffers.",
			Owner: "Update Jetpack. The items are sent again, so a message now and then is harmless; if there are many, ask the host for the line below.",
			Host:  "Run WP-Cron from the system (DISABLE_WP_CRON and a job every few minutes) so that one process syncs at a time, and find what makes PHP, the database or requests to WordPress.com slower than the lock lasts (two minutes).",
		},
	}, {
		kind: KindSyncQueue, marks: []string{"Error checking in buffer", "There are no checked out buffers", "There is an unclosed buffer", "Timeout waiting for sync queue"}, wide: true,
		cause: cause.Cause{
			Sure: cause.Certain, Weight: cause.Partial,
			Means: "Jetpack Sync lost its lock: sending took longer than the lock lasts (two minutes), or another process holds it.",
			Owner: "Update Jetpack; a lock that was left behind ends by itself after two minutes.",
			Host:  "Look for slow requests to WordPress.com and slow PHP, and run WP-Cron from the system.",
		},
	}, {
		kind: KindJetpackSigned, marks: []string{"signature_mismatch", "invalid_nonce", "unknown_token", "no_valid_blog_token", "invalid_body_hash", "no_possible_tokens"}, wide: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "Jetpack refused a signed call from WordPress.com.",
			Owner: "Run jetmon diagnose with the site's URL and its token: it finds out which part of the signature does not match.",
			Host:  "Check that the clock is right, and that the proxy passes on the host name, scheme and port that visitors use.",
		},
	},
}

// phpTroubles are written by PHP, PHP-FPM, or for them.
var phpTroubles = []trouble{
	{
		kind: KindPHPMemory, marks: []string{"Allowed memory size of", "Out of memory (allocated"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "PHP ran out of memory in the middle of a request; the caller gets an empty or truncated answer.",
			Owner: "Update the plugin that the message names, and ask whether it needs so much memory.",
			Host:  "Raise memory_limit, and WP_MEMORY_LIMIT in wp-config.php.",
		},
	}, {
		kind: KindPHPTime, marks: []string{"Maximum execution time of", "execution timed out ("},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "PHP was stopped because a request took too long.",
			Owner: "Update the plugin that the message names; it may wait for another server.",
			Host:  "Find what is slow (database, calls to other servers) before raising max_execution_time or request_terminate_timeout.",
		},
	}, {
		kind: KindPHPFatal, marks: []string{"PHP Fatal error", "PHP Parse error", "Uncaught Error", "Uncaught Exception", "PHP Compile error"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "PHP died in a request; then XML-RPC answers are empty or HTML, and Jetpack cannot read them.",
			Owner: "Update the plugin or theme whose file the message names, or go back to the version before.",
			Host:  "Check that the version of PHP is one that the named plugin or theme supports.",
		},
	}, {
		kind: KindPHPCrash, marks: []string{"exited on signal", "exit signal Segmentation fault", "(SIGSEGV"}, wide: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "A process of PHP or of the web server crashed; its callers get a 502 or nothing.",
			Host:  "Update PHP and its extensions (opcache and debuggers first); signal 9 is the kernel's OOM killer.",
		},
	}, {
		kind: KindMaxChildren, marks: []string{"server reached pm.max_children", "server reached max_children", "server reached MaxRequestWorkers", "server reached MaxClients", "seems busy (you may need to increase"}, wide: true,
		cause: cause.Cause{
			Sure: cause.Certain, Weight: cause.Partial,
			Means: "All processes of PHP (or Apache) were busy; further requests wait or fail.",
			Owner: "Find out what asks so often: bots, a plugin's admin-ajax.php, a cron that overlaps.",
			Host:  "Raise pm.max_children if there is memory for it, or find in PHP-FPM's slow log what keeps the processes busy.",
		},
		apache: "Raise MaxRequestWorkers if there is memory for it, or find in mod_status what keeps the processes busy.",
	}, {
		kind: KindPHPSlow, marks: []string{"executing too slow", "script_filename = "},
		cause: cause.Cause{
			Sure: cause.Certain, Weight: cause.Partial,
			Means: "Requests take longer than request_slowlog_timeout; WordPress.com waits for ten seconds.",
			Owner: "Update the plugin in whose files the slow calls are.",
			Host:  "The first line of each stack in the slow log is what PHP waited for: curl_exec is another server, mysqli_query the database.",
		},
	}, {
		kind: KindDatabase, marks: []string{"WordPress database error", "MySQL server has gone away", "Deadlock found", "Too many connections", "Lock wait timeout"}, wide: true,
		cause: cause.Cause{
			Sure: cause.Certain, Weight: cause.Partial,
			Means: "The database refused a query; nonces, tokens and the sync queue live there.",
			Owner: "Ask the host to look at the database; the message names the table.",
			Host:  "Check the table that the message names (wp db check only reads), and the limits of connections and packets.",
		},
	},
}

// ruleTroubles are requests that the web server's own rules refuse, and rules that are wrong.
var ruleTroubles = []trouble{
	{
		kind: KindModSecurity, marks: []string{"ModSecurity: Access denied", "ModSecurity: Request denied"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "mod_security refuses requests by a rule, whose id the message names.",
			Owner: "Send the host the rule's id and the path; they can exempt it for xmlrpc.php and wp-json.",
			Host:  "Exempt the rule for xmlrpc.php and wp-json (SecRuleRemoveById in a LocationMatch). 949110 and 959100 only add up the scores of others: their ids are in the warnings beside them.",
		},
	}, {
		kind: KindModSecurityNoted, marks: []string{"ModSecurity: Warning"}, harmless: true,
		cause: cause.Cause{
			Means: "mod_security remarks on requests, and lets them through as long as their scores stay low.",
			Host:  "Nothing, unless it refuses the same requests; then these are the rules to exempt.",
		},
	}, {
		kind: KindHtaccess, marks: []string{
			".htaccess: Invalid command", ".htaccess pcfg_openfile", ".htaccess: Option ", "not allowed here", ".htaccess: syntax error", ".htaccess: <", ".htaccess: Expected", "RewriteRule: cannot compile",
		}, wide: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "A .htaccess file is wrong, so Apache answers every request of its folder with 500 (or 403 when it cannot read the file).",
			Owner: "Put the last working .htaccess back; saving the permalinks in wp-admin writes WordPress's own part of it again.",
			Host:  "The message names the file and the line: load the module of the command, allow it (AllowOverride), or correct the line.",
		},
	}, {
		kind: KindRedirectLoop, marks: []string{"AH00124", "exceeded the limit of 10 internal redirects", "rewrite or internal redirection cycle"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "Rewrite rules lead a request round in a circle, and it ends with 500.",
			Owner: "Save the permalinks in wp-admin: that writes WordPress's rules again. In a subdirectory, RewriteBase must be that directory.",
			Host:  "In nginx, try_files must end in the index.php that exists.",
		},
		apache: "Compare the rules in .htaccess with WordPress's own; RewriteBase must be the directory of index.php.",
	}, {
		kind: KindScriptUnknown, marks: []string{"Primary script unknown", "Primary script not found"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "PHP-FPM was asked for a file that it cannot find, and answers 404 \"File not found.\"",
			Owner: "If the path is xmlrpc.php, WordPress's own file is missing or not readable: update or reinstall WordPress's files in wp-admin.",
			Host:  "Check SCRIPT_FILENAME and root, and that PHP-FPM (its user, chroot, container) sees the files at the same path.",
		},
		apache: "Check DocumentRoot and the path in ProxyPassMatch or SetHandler, and that PHP-FPM (its user, chroot, container) sees the files at the same path.",
	}, {
		kind: KindForbiddenByRule, marks: []string{"access forbidden by rule", "client denied by server configuration"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "A rule of the web server's own configuration refuses requests.",
			Owner: "Ask the host to let WordPress.com's addresses use xmlrpc.php and wp-json.",
			Host:  "Find the deny in the location for xmlrpc.php, and allow WordPress.com's addresses there.",
		},
		apache: "Find the Require (or Deny from) for xmlrpc.php, also in .htaccess, and let WordPress.com's addresses through.",
	}, {
		kind: KindRateLimit, marks: []string{"limiting requests, excess", "limiting connections by zone"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "A rate limit of the web server refuses requests.",
			Owner: "Ask the host to exempt WordPress.com's addresses from the rate limit.",
			Host:  "Exempt WordPress.com's addresses from limit_req on xmlrpc.php and wp-json.",
		},
	}, {
		kind: KindRequestTooLarge, marks: []string{"client intended to send too large body", "exceeds the configured limit", "is larger than the configured max"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "Requests are larger than the server accepts and get a 413; uploads and syncs fail.",
			Owner: "Ask the host to accept larger requests.",
			Host:  "Raise client_max_body_size, and PHP's post_max_size.",
		},
		apache: "Raise LimitRequestBody (LimitXMLRequestBody), and PHP's post_max_size.",
	},
}
