package errorlog

import "github.com/Automattic/jetmon/internal/jetpack/cause"

// upstreamTroubles are between the web server and PHP, or of the machine.
var upstreamTroubles = []trouble{
	{
		kind: KindDiskFull, marks: []string{"No space left on device", "Disk quota exceeded"}, wide: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "The disk is full, or a quota is used up; sessions, caches, the database and long answers fail.",
			Owner: "Ask the host for room, or for what uses it: backups and logs grow first.",
			Host:  "Make room, and look at inodes too (df -i).",
		},
	}, {
		kind: KindOpenFiles, marks: []string{"Too many open files", "worker_connections are not enough"}, wide: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "The web server has used up its connections or open files, and drops requests.",
			Host:  "Raise worker_connections and worker_rlimit_nofile (LimitNOFILE of the service).",
		},
		apache: "Raise LimitNOFILE of the service.",
	}, {
		kind: KindHeaderTooBig, marks: []string{"upstream sent too big header"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "The headers of PHP's response do not fit into the first buffer; the caller gets a 502.",
			Owner: "Find the plugin that sets so many cookies or headers.",
			Host:  "Raise fastcgi_buffer_size (proxy_buffer_size behind a proxy) to 16k or 32k.",
		},
	}, {
		kind: KindUpstreamTimeout, marks: []string{"upstream timed out", "Connection timed out) while", "The timeout specified has expired"},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "PHP did not answer within the web server's time limit; the caller gets a 504.",
			Owner: "Find out what is slow: a plugin that waits for another server, a large table.",
			Host:  "Look at PHP-FPM's slow log and the number of its processes before raising fastcgi_read_timeout.",
		},
		apache: "Look at PHP-FPM's slow log and the number of its processes before raising ProxyTimeout.",
	}, {
		kind: KindUpstreamDenied, marks: []string{"failed (13: Permission denied) while connecting to upstream", "(13)Permission denied: AH02454", "(13)Permission denied: AH00957"}, wide: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "The web server may not use PHP's socket; every page is a 502.",
			Host:  "Give the socket to the web server's user (listen.owner, listen.group, listen.mode in the pool; with SELinux httpd_can_network_connect).",
		},
		apache: "Give the socket to Apache's user (listen.owner, listen.group, listen.mode in the pool; with SELinux httpd_can_network_connect).",
	}, {
		kind: KindUpstreamRefused, wide: true, marks: []string{
			"connect() to unix:", "connect() failed", "no live upstreams", "attempt to connect to", "failed to make connection to backend",
		},
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "The web server could not reach PHP: it is not running, or its queue is full; the caller gets a 502.",
			Owner: "Ask the host whether PHP runs; nothing in wp-admin helps.",
			Host:  "Check that PHP-FPM runs and that the socket is the one in fastcgi_pass; raise pm.max_children and listen.backlog.",
		},
		apache: "Check that PHP-FPM runs and that the socket is the one in SetHandler or ProxyPassMatch; raise pm.max_children and listen.backlog.",
	}, {
		kind: KindUpstreamClosed, marks: []string{
			"upstream prematurely closed", "recv() failed (104", "Connection reset by peer) while reading", "readv() failed (104",
			"Premature end of script headers", "End of script output before headers",
		},
		cause: cause.Cause{
			Sure:  cause.Likely,
			Means: "PHP went away in the middle of a response: it crashed, was killed or restarted.",
			Host:  "Search PHP-FPM's log for SIGSEGV or request_terminate_timeout, and the kernel's for the OOM killer.",
		},
	},
}

// remarks are troubles that stop nothing.
var remarks = []trouble{
	{
		kind: KindTemporaryFile, marks: []string{"an upstream response is buffered to a temporary file"}, harmless: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "Responses that are larger than all buffers and that the client reads slowly went through a file on disk: slower, and broken when the disk is full.",
			Host:  "Set more buffers: see the proposal from the access log.",
		},
	}, {
		kind: KindRequestToFile, marks: []string{"a client request body is buffered to a temporary file"}, harmless: true,
		cause: cause.Cause{
			Sure:  cause.Certain,
			Means: "Uploads are larger than client_body_buffer_size and go through a file.",
			Host:  "Nothing, unless the disk is slow or full; then raise client_body_buffer_size.",
		},
	}, {
		kind: KindPHPStderr, marks: []string{"FastCGI sent in stderr", "PHP Warning", "PHP Notice", "PHP Deprecated", "Got error 'PHP message"}, harmless: true,
		cause: cause.Cause{
			Means: "PHP writes warnings. When display_errors is on, they also appear in answers and break their XML.",
			Owner: "Update the plugins whose files are named.",
			Host:  "Keep display_errors off in production.",
		},
	}, {
		kind: KindOther, harmless: true,
		cause: cause.Cause{
			Means: "Entries with no known relation to Jetpack.",
			Host:  "Read them if nothing else explains the trouble.",
		},
	},
}
