package block

import "github.com/Automattic/jetmon/internal/jetpack/cause"

// causes are what is wrong with an answer that no product made. Their names are the kinds.
var causes = map[Kind]cause.Cause{
	MethodFilter: {
		Weight: cause.Partial, Means: "The web server or a firewall limits methods: the 405 is not WordPress's own.",
		Owner: "Ask the host to let GET and POST through to xmlrpc.php.",
		Host:  "Look for limit_except, LimitExcept or a CDN's list of methods about xmlrpc.php, and allow GET and POST.",
	},
	PostRefused: {
		Means: "POST is not allowed to xmlrpc.php: a method filter of the web server, a CDN or a static cache answers.",
		Owner: "Ask the host to allow POST for xmlrpc.php; with a CDN, look at its allowed methods.",
		Host:  "Allow POST for /xmlrpc.php in web server, CDN and firewall; nginx answers so when it serves the file itself.",
	},
	SecurityPlugin: {
		Means: "A plugin in WordPress refuses the calls with an error page.",
		Owner: "Look in the security plugins for an option against XML-RPC (\"block xmlrpc.php\"), and lift it or let Jetpack through there.",
	},
	Forbidden: {
		Sure: cause.Possible, Means: "Something in front of WordPress refuses the calls, and does not say what it is.",
		Owner: "Ask the host which firewall or rule refuses POST /xmlrpc.php, and to let " + ranges + " through.",
		Host:  "Look for the refused POST in the logs of firewall and web server.",
	},
	Challenge: {
		Means: "A bot protection asks each caller to solve a puzzle, which browsers can and servers cannot.",
		Owner: "Let " + ranges + " through the bot protection, or ask the host to.",
		Host:  "Except /xmlrpc.php and WordPress.com's addresses from the test for browsers.",
	},
	Missing: {
		Means: "xmlrpc.php does not exist there: the file is gone, a rule hides it, or WordPress is in another directory.",
		Owner: "Give the address of WordPress itself (Settings > General > WordPress Address); if that is right, reinstall WordPress from Dashboard > Updates.",
		Host:  "Look whether xmlrpc.php is there and readable, and for a rule that answers 404 for it.",
	},
	Redirected: {
		Means: "The call is redirected: a POST becomes a GET or loses its body, and signed calls are never repeated.",
		Owner: "Set WordPress Address and Site Address (Settings > General) to the address redirected to, and let Jetpack update its own when it asks whether the site moved.",
		Host:  "Except xmlrpc.php from the redirects of web server and CDN.",
	},
	LoginWall: {
		Means: "A login stands before xmlrpc.php: callers are shown a form instead of an answer.",
		Owner: "Look for a plugin or a setting of the host that makes the site private, and except xmlrpc.php and wp-json from it.",
		Host:  "If the host protects the site (staging, private mode), open it for WordPress.com.",
	},
	BasicAuth: {
		Means: "HTTP authentication guards the site: WordPress.com has no password for it.",
		Owner: "Take the password off the site (staging sites of hosts have a switch), or ask the host to except xmlrpc.php and wp-json from it.",
		Host:  "Except /xmlrpc.php and /wp-json from the password (Satisfy Any in Apache, auth_basic off in nginx).",
	},
	RateLimit: {
		Means: "The site is asked too often, or so it says: a rate limit refuses the calls (429).",
		Owner: "Look for a limit on requests in security plugins and CDN, and except WordPress.com's addresses.",
		Host:  "Except WordPress.com's addresses from limits on xmlrpc.php (limit_req, fail2ban).",
	},
	Overloaded: {
		Means: "The server says that it cannot serve the request now (503): it is overloaded, or something is switched off on purpose.",
		Owner: "Ask the host about the load of the server, and look for plugins that close the site.",
		Host:  "Look at load, at the limit on PHP's processes (max_children in PHP-FPM's log) and at rules that answer 503.",
	},
	ResourceLimit: {
		Means: "The account has used up what its plan allows (processor, memory or traffic), and the host answers for it.",
		Owner: "Look at the usage in the host's panel; a bigger plan or fewer plugins help.",
		Host:  "Look at the account's limits (CloudLinux LVE, bandwidth).",
	},
	TooLarge: {
		Means: "The server refuses the body of a call as too large (413), although it is short.",
		Owner: "Ask the host to raise the limit on bodies; Jetpack sends up to some hundred kilobytes.",
		Host:  "Raise client_max_body_size in nginx or LimitRequestBody in Apache to 10 MB, also for xmlrpc.php.",
	},
	HeaderTooLarge: {
		Means: "The server refuses the address of a call as too long: signed calls have about 400 characters of query.",
		Owner: "Ask the host to raise the limit on request lines.",
		Host:  "Raise large_client_header_buffers in nginx or LimitRequestLine in Apache to 8 KB.",
	},
	ServerError: {
		Means: "The server fails (5xx) without saying why.",
		Owner: "Look at Tools > Site Health, and ask the host for the error log at the time of a call.",
		Host:  "Look for the reason in the logs of web server and PHP: jetmon diagnose logs reads them.",
	},
	PHPDied: {
		Means: "PHP ends with a fatal error and shows nothing (status 500, and nothing in the answer).",
		Owner: "Undo the latest change to a plugin, above all one that has to do with XML-RPC; WP_DEBUG_LOG in wp-config.php writes down which file it is.",
		Host:  "Look for \"PHP Fatal error\" or \"Allowed memory size\" in PHP's error log at the time of a call: the line names the file.",
	},
	PHPDown: {
		Means: "The web server gets no answer from what is behind it (502): PHP does not run, or dies.",
		Owner: "Ask the host to look at PHP: the web server runs, and PHP behind it does not.",
		Host:  "Restart PHP-FPM or the application server, and look in its log for crashes (SIGSEGV, out of memory).",
	},
	PHPSlow: {
		Means: "PHP does not answer the web server in time (504).",
		Owner: "Look for plugins that wait for other servers, and ask the host for PHP's slow log.",
		Host:  "Look at PHP's slow log, and at fastcgi_read_timeout or proxy_read_timeout.",
	},
	Maintenance: {
		Sure: cause.Certain, Means: "WordPress is in maintenance mode: an update runs, or one broke off and left the file .maintenance behind.",
		Owner: "Wait for ten minutes; if it stays, ask the host to rename the file .maintenance in WordPress's directory.",
		Host:  "If no update is running, rename the file .maintenance in WordPress's directory.",
	},
	DatabaseAway: {
		Sure: cause.Certain, Means: "WordPress cannot reach its database, so nothing of the site works.",
		Owner: "Ask the host whether the database runs; after a move, check DB_HOST, DB_NAME and DB_USER in wp-config.php.",
		Host:  "Look whether MySQL or MariaDB runs, accepts the user of wp-config.php, and has connections left (max_connections).",
	},
	FatalError: {
		Sure: cause.Certain, Means: "PHP ends with a fatal error in WordPress, a plugin or the theme: visitors see \"There has been a critical error on this website\".",
		Owner: "Look into the mail with the subject \"Your Site is Experiencing a Technical Issue\": it names the plugin and has a link to recovery mode.",
		Host:  "Look for \"PHP Fatal error\" in the error log: it names the file.",
	},
	PHPFatal: {
		Sure: cause.Certain, Means: "PHP ends with a fatal error and shows it to visitors.",
		Owner: "The page names the file with the error: undo the latest change to that plugin or theme.",
		Host:  "Turn display_errors off, and look for \"PHP Fatal error\" in the error log.",
	},
	ComingSoon: {
		Weight: cause.Partial, Means: "The site shows a page that says coming soon or under maintenance (503), not its own pages.",
		Owner: "Publish the site: end the coming-soon or maintenance mode of its plugin, theme or host.",
	},
	Installer: {
		Means: "WordPress is not installed there: its installer answers, so it does not find its tables.",
		Owner: "After a move, check the database and $table_prefix in wp-config.php before anything is installed anew.",
		Host:  "Check that the database of wp-config.php is the site's and has its tables.",
	},
	Parked: {
		Sure: cause.Certain, Means: "The domain is parked: a registrar's page answers, and not the site.",
		Owner: "Renew the domain, or point its records to the host again.",
		Host:  "Check whether the domain is still the customer's and points to this server.",
	},
	Suspended: {
		Means: "The host has suspended the account: its page answers instead of the site.",
		Owner: "Ask the host why the account is suspended (bills, abuse, load).",
		Host:  "Look at the reason for the suspension.",
	},
	DefaultPage: {
		Means: "The greeting of a new web server answers: the server does not know this site's name.",
		Owner: "Check that the domain points to the right server, and ask the host whether the site is set up there.",
		Host:  "Add the name to the site's virtual host (server_name, ServerName), and check which one is the default.",
	},
	Listing: {
		Means: "The server lists a directory instead of running WordPress: index.php is not there, or is not the index.",
		Owner: "Look whether WordPress's files are in the directory that the domain points to.",
		Host:  "Check the document root, and that index.php is an index (index, DirectoryIndex).",
	},
	Source: {
		Sure: cause.Certain, Means: "The server hands out the source of PHP files instead of running them: secrets in them may be read by anybody.",
		Owner: "Ask the host at once to turn PHP on for the site.",
		Host:  "Connect PHP for .php files (fastcgi_pass, AddHandler), then change the passwords in wp-config.php.",
	},
	EmptyAnswer: {
		Means: "The answer has no content: PHP died, or something ended the request without a word.",
		Owner: "Look for plugins that were changed lately, and ask the host for PHP's log at the time of a call.",
		Host:  "Look for a fatal error in PHP's log, with display_errors off and log_errors on.",
	},
	HTMLAnswer: {
		Means: "A page comes instead of XML-RPC: a cache, a plugin or another application answers.",
		Owner: "Except xmlrpc.php from page caches, and look for a plugin that takes all addresses for its own.",
		Host:  "Look whether a rewrite rule sends /xmlrpc.php to another file.",
	},
	JSONAnswer: {
		Means: "JSON comes instead of XML-RPC: another application answers at this address.",
		Owner: "Give Jetpack the address of WordPress: with a separate front end, that is another one than the visitors'.",
		Host:  "Send /xmlrpc.php to WordPress, and not to the application in front.",
	},
	ByteOrderMark: {
		Sure: cause.Certain, Means: "A byte order mark stands before WordPress's answers: callers cannot parse them.",
		Owner: "A PHP file (often wp-config.php or the theme's functions.php) was saved as \"UTF-8 with BOM\": save it as UTF-8 without one.",
		Host:  "Search WordPress's files for a byte order mark (grep -rl $'\\xEF\\xBB\\xBF' --include=*.php).",
	},
	OutputBefore: {
		Sure: cause.Certain, Means: "A file prints text before WordPress's answers, as a warning of PHP: callers cannot parse them.",
		Owner: "The evidence names the file or its text: update that plugin or theme, and set WP_DEBUG_DISPLAY to false in wp-config.php.",
		Host:  "Turn display_errors off for the site.",
	},
	OutputAfter: {
		Sure: cause.Certain, Means: "A file prints text after the XML, as a warning of PHP at the end of the request: callers cannot parse the answer.",
		Owner: "Look for a plugin that works at the end of requests (shutdown), and update it; the evidence shows its text.",
		Host:  "Turn display_errors off, and look for what runs on shutdown.",
	},
	WideAnswer: {
		Means: "The answer is in UTF-16, which no caller of XML-RPC expects.",
		Owner: "A file was saved in UTF-16, or a filter recodes the pages: save it as UTF-8.",
		Host:  "Look for an output filter of server or PHP that changes the encoding.",
	},
	CutShort: {
		Means: "The answer ends in the middle: what is in front of PHP cuts it off.",
		Owner: "Ask the host to look for a proxy or cache that cuts answers off, and for a full disk.",
		Host:  "Compare the length in the access log with a direct call of PHP; look for a full disk, small buffers and a broken compression.",
	},
	JunkAnswer: {
		Means: "The answer is broken XML: something changes it on its way.",
		Owner: "Look for plugins and optimisers that change pages (minify, compress), and except xmlrpc.php.",
		Host:  "Except text/xml from filters that change content (mod_pagespeed, compression twice).",
	},
	BadEncoding: {
		Means: "The answer says that it is compressed, and is not, or is damaged: callers cannot read it.",
		Owner: "Turn compression off in one of the places that do it: plugin, CDN or server.",
		Host:  "Look for compression twice (zlib.output_compression in PHP beside gzip of the web server).",
	},
	TooLong: {
		Means: "The answer is far longer than any answer of WordPress to this call: something else answers, or the same is printed again and again.",
		Owner: "Look for a plugin or a redirect that makes a page of the call; the evidence shows how the answer begins.",
		Host:  "Look in the access log for the length of the answer, and in the error log for a warning that repeats.",
	},
	CallUnread: {
		Sure: cause.Possible, Means: "WordPress cannot read a valid call (fault -32700): PHP has no XML module, or the call does not arrive whole.",
		Owner: "Look at Tools > Site Health > Info > Server for PHP's modules, and ask the host about \"xml\".",
		Host:  "Check php -m for xml, and whether a proxy in front loses or changes the bodies of POST.",
	},
	Disabled: {
		Means: "A plugin answers every call that XML-RPC is off (fault 405). WordPress's own filter xmlrpc_enabled leaves Jetpack alone.",
		Owner: "Look for a plugin that replaces WordPress's server of XML-RPC, and let Jetpack through in its settings.",
	},
	Timeout: {
		Means: "The call gets no answer at all: a firewall swallows it, or PHP hangs.",
		Owner: "Ask the host whether a firewall swallows WordPress.com's calls; if pages are slow as well, look for a plugin that hangs.",
		Host:  "Let " + ranges + " through the firewall; if others get an answer, look at PHP's slow log.",
	},
	Lost: {
		Means: "The connection is closed before the answer: a firewall or a rule hangs up (nginx's 444), or PHP or the server crashes.",
		Owner: "Ask the host for a firewall or rule that closes connections of POST /xmlrpc.php.",
		Host:  "Look for \"return 444\", a firewall that hangs up, and crashes of PHP or web server in the logs.",
	},
	Strange: {
		Sure: cause.Possible, Means: "WordPress does not give such an answer.",
		Owner: "Look at what answers on this address.",
		Host:  "Look in the logs of web server and proxies for who gave this status.",
	},
}
