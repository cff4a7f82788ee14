package jetpack

import (
	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/syncqueue"
)

// The causes that the site's own view of its synchronisation shows.
const (
	syncOff          = "sync_off"
	syncOffNetwork   = "sync_off_network"
	syncOffline      = "offline_mode"
	syncCrisis       = "identity_crisis"
	syncForbidden    = "sync_not_allowed"
	syncSenderOff    = "sync_sender_off"
	syncFullOff      = "full_sync_sender_off"
	syncByCronOff    = "sync_cron_off"
	syncChecksumsOff = "sync_checksums_off"
	syncOutOfSync    = "out_of_sync"
	syncFull         = "sync_queue_full"
	syncBehind       = "sync_behind"
	syncLockHeld     = "sync_lock_held"
	syncDNS          = "outbound_dns"
	syncOutbound     = "outbound_blocked"
	syncTLS          = "outbound_tls"
	syncRefused      = "sync_refused"
	syncWaits        = "sync_retry_after"
	syncThrottled    = "sync_throttled"
	syncSilent       = "sync_silent"
	syncFullStuck    = "full_sync_stuck"
	syncDedicatedOff = "dedicated_sync_failed"
	syncCronStopped  = "cron_stopped"
	syncCronEmpty    = "cron_empty"
	syncUnsigned     = "sync_unsigned"
	syncBadSignature = "rest_signature_refused"
	syncUnreadable   = "sync_unreadable"
)

// syncCauses returns every cause of section 5, with its text.
func syncCauses() []cause.Cause {
	return append(append(syncAllowedCauses(), syncSendingCauses()...), syncRunningCauses()...)
}

// syncCause returns a cause of section 5.
func syncCause(name string) cause.Cause {
	for _, c := range syncCauses() {
		if c.Name == name {
			return c
		}
	}
	return cause.Cause{Name: name, Weight: cause.Partial}
}

// syncAllowedCauses are those why a site does not synchronise on purpose.
func syncAllowedCauses() []cause.Cause {
	return []cause.Cause{
		{
			Name: syncOff, Weight: cause.Partial, Sure: cause.Certain,
			Means: "Jetpack Sync is switched off on this site: WordPress.com learns of no new post, plugin or setting.",
			Owner: "Switch it on with `wp jetpack sync enable`, then bring WordPress.com up to date with `wp jetpack sync start`.",
			Host:  "Look for who set the option jetpack_sync_settings_disable: a must-use plugin, an optimisation plugin, or someone who tried `wp jetpack sync`.",
		}, {
			Name: syncOffNetwork, Weight: cause.Partial, Sure: cause.Certain,
			Means: "Jetpack Sync is switched off for the whole network of sites (multisite): WordPress.com learns of no change on any of them.",
			Owner: "Ask the network's administrator to allow Jetpack Sync again.",
			Host:  "Set the network option jetpack_sync_settings_network_disable to 0.",
		}, {
			Name: syncOffline, Weight: cause.Blocking, Sure: cause.Certain,
			Means: "Jetpack is in offline mode: it takes the site for a local copy, and does not talk to WordPress.com.",
			Owner: "Check the site's address under Settings > General: one without a dot, or ending in .local or .test, makes Jetpack go offline.",
			Host:  "Take JETPACK_DEV_DEBUG, WP_LOCAL_DEV and WP_ENVIRONMENT_TYPE 'local' out of wp-config.php, and look for the filter jetpack_offline_mode.",
		}, {
			Name: syncCrisis, Weight: cause.Blocking, Sure: cause.Certain,
			Means: "Jetpack is in safe mode because of an identity crisis: the site's address is not the one that WordPress.com knows, so it sends nothing.",
			Owner: "Answer Jetpack's question in wp-admin: whether the site has moved here, or is a copy of another one.",
			Host:  "Check that home and siteurl are fixed (WP_HOME, WP_SITEURL), and do not follow the request's Host header.",
		}, {
			Name: syncForbidden, Weight: cause.Partial, Sure: cause.Possible,
			Means: "The site says that it may not synchronise, but not why.",
			Owner: "Look at Jetpack's notices in wp-admin: a connection that is half made is the usual reason.",
			Host:  "Look for a plugin that filters jetpack_sync_*, and for PHP errors of Jetpack.",
		}, {
			Name: syncSenderOff, Weight: cause.Partial, Sure: cause.Certain,
			Means: "The sender of the sync queue is switched off: changes are collected and never sent.",
			Owner: "Switch it on with `wp jetpack sync settings`, or ask Jetpack's support, who may have stopped it.",
			Host:  "Set the option jetpack_sync_settings_sync_sender_enabled to 1.",
		}, {
			Name: syncFullOff, Weight: cause.Minor, Sure: cause.Certain,
			Means: "The sender of full syncs is switched off: a full sync never advances.",
			Owner: "Ask Jetpack's support before a full sync: they may have stopped it.",
			Host:  "Set the option jetpack_sync_settings_full_sync_sender_enabled to 1.",
		}, {
			Name: syncByCronOff, Weight: cause.Minor, Sure: cause.Certain,
			Means: "Jetpack Sync is told not to use WP-Cron: it sends only while somebody edits or posts.",
			Host:  "Set the option jetpack_sync_settings_sync_via_cron to 1.",
		}, {
			Name: syncChecksumsOff, Weight: cause.Minor, Sure: cause.Certain,
			Means: "Checksums are switched off: WordPress.com cannot see whether its copy of the site is right.",
			Host:  "Set the option jetpack_sync_settings_checksum_disable to 0, unless the database was too slow for them.",
		},
	}
}

// syncSendingCauses are those why what is sent does not arrive.
func syncSendingCauses() []cause.Cause {
	return []cause.Cause{
		{
			Name: syncDNS, Weight: cause.Blocking, Sure: cause.Certain,
			Means: "The site's server cannot resolve WordPress.com's name, so nothing that the site sends arrives.",
			Owner: "Tell the host that PHP cannot resolve public-api.wordpress.com and jetpack.wordpress.com.",
			Host:  "Repair the server's resolver (/etc/resolv.conf; in a chroot or container too): `getent hosts public-api.wordpress.com`.",
		}, {
			Name: syncOutbound, Weight: cause.Blocking, Sure: cause.Certain,
			Means: "The site's server does not get through to WordPress.com: calls come in, but what the site sends out does not arrive.",
			Owner: "Ask the host to allow outgoing connections to public-api.wordpress.com and jetpack.wordpress.com, port 443.",
			Host:  "Try `curl -sI https://jetpack.wordpress.com/` as PHP's user, and look at egress rules, at WP_HTTP_BLOCK_EXTERNAL and at proxies.",
		}, {
			Name: syncTLS, Weight: cause.Blocking, Sure: cause.Certain,
			Means: "The site's server does not trust WordPress.com's certificate, or cannot speak TLS with it, so nothing that the site sends arrives.",
			Owner: "Tell the host that PHP's curl cannot verify public-api.wordpress.com, and check the server's date.",
			Host:  "Update the CA certificates and OpenSSL, check the clock, and look for a proxy that intercepts TLS.",
		}, {
			Name: syncRefused, Weight: cause.Partial, Sure: cause.Likely,
			Means: "WordPress.com refuses what the site sends, or something on the way answers in its place.",
			Owner: "Give the error's code and time to Jetpack's support; they see the other side of it.",
			Host:  "Look for an outgoing proxy that changes requests, and for a plugin that filters http_request_args.",
		}, {
			Name: syncWaits, Weight: cause.Partial, Sure: cause.Certain,
			Means: "WordPress.com has asked the site to wait before it sends more, for longer than usual.",
			Owner: "Wait until then; if it comes again, tell Jetpack's support how many changes the site makes.",
			Host:  "Check the server's clock: after a jump the time to wait for may be far ahead. An import or a busy shop has the same effect.",
		}, {
			Name: syncThrottled, Weight: cause.Minor, Sure: cause.Possible,
			Means: "The sender has put off its next turn further than it should: it slows down after slow or failed sends, and a clock that has jumped does the same.",
			Host:  "Check that the clock of server and database is right (timedatectl); Jetpack forgets times more than an hour ahead by itself.",
		}, {
			Name: syncSilent, Weight: cause.Partial, Sure: cause.Likely,
			Means: "The sender has not succeeded for a long time although items wait, and it has recorded no error: it does not run, or dies while it does.",
			Owner: "Open wp-admin and save something: the sender runs then as well. If the queue moves, WP-Cron is at fault.",
			Host:  "Look in PHP's log for memory, time limits and fatal errors of Jetpack's sender; see that ignore_user_abort is allowed.",
		}, {
			Name: syncDedicatedOff, Weight: cause.Minor, Sure: cause.Certain,
			Means: "Jetpack has given up sending by requests to itself for six hours, because they failed; it sends the slower way meanwhile.",
			Owner: "Run Tools > Site Health: its loopback test most likely fails as well.",
			Host:  "Let the server call its own public address: /wp-json/jetpack/v4/sync/spawn-sync must reach PHP, past CDN, password and firewall.",
		},
	}
}

// syncRunningCauses are about queue, lock, full sync, WP-Cron and reading them.
func syncRunningCauses() []cause.Cause {
	return []cause.Cause{
		{
			Name: syncOutOfSync, Weight: cause.Partial, Sure: cause.Certain,
			Means: "WordPress.com has compared its copy of the site with the site, and they differ.",
			Owner: "Start a full sync (`wp jetpack sync start`, or Jetpack's debugger), and see that it ends.",
		}, {
			Name: syncFull, Weight: cause.Partial, Sure: cause.Certain,
			Means: "The sync queue is full and hours behind: Jetpack takes in no more changes until some are sent.",
			Owner: "Find out what changes so often (an import, a statistics or cache plugin that writes options), and let the queue be sent; nothing needs to be emptied.",
			Host:  "Let wp-cron.php run from the system every minute until the queue is short, and look for slow connections to WordPress.com.",
		}, {
			Name: syncBehind, Weight: cause.Partial, Sure: cause.Likely,
			Means: "Changes reach WordPress.com late: the sender does not keep up, or does not run often enough.",
			Owner: "Wait after an import; else look for a plugin that changes many options or posts all the time.",
			Host:  "Run wp-cron.php from the system's crontab every five minutes, and look for slow requests to WordPress.com.",
		}, {
			Name: syncLockHeld, Weight: cause.Partial, Sure: cause.Likely,
			Means: "The queue's lock is taken again and again and nothing is sent: a process dies or times out while it sends. When two take the lock at once, PHP's log says \"" + syncqueue.ErrMismatch.Error() + "\" (" + syncqueue.ErrMismatch.Code() + "): one took the other's lock, and the items are sent again.",
			Owner: "Nothing is lost, and the lock ends by itself after two minutes: find the process that dies, with `jetmon diagnose logs`.",
			Host:  "Look in PHP's log for time limits, memory and fatal errors at the times of Jetpack's requests, and for max_children of PHP-FPM.",
		}, {
			Name: syncFullStuck, Weight: cause.Partial, Sure: cause.Likely,
			Means: "A full sync began hours ago and does not advance: parts of WordPress.com's copy stay old.",
			Owner: "Open wp-admin for some minutes: a full sync advances with requests and WP-Cron. Start it again only when that does not help.",
			Host:  "Look in PHP's log for the object on which it fails, and let wp-cron.php run from the system.",
		}, {
			Name: syncCronStopped, Weight: cause.Partial, Sure: cause.Likely,
			Means: "WP-Cron does not run: tasks are overdue although the site has visitors. Jetpack sends its queue late, or only while somebody edits.",
			Owner: "Look for DISABLE_WP_CRON in wp-config.php: with it, something else must call wp-cron.php, and nothing does.",
			Host:  "Call wp-cron.php from the system's crontab every five minutes (`wp cron event run --due-now`), or let the server call its own address.",
		}, {
			Name: syncCronEmpty, Weight: cause.Partial, Sure: cause.Likely,
			Means: "WordPress has no scheduled task at all, not even its own: the option cron is lost or damaged.",
			Owner: "Open wp-admin: WordPress and Jetpack schedule their tasks again. If the list is empty again later, a plugin clears it.",
			Host:  "Look at the option cron in the database, and at an object cache that does not keep it.",
		}, {
			Name: syncUnsigned, Weight: cause.Partial, Sure: cause.Likely,
			Means: "The REST API takes the signed call for an unsigned one: its query does not arrive whole, or another plugin decides who is logged in.",
			Owner: "Look for a plugin that handles logins of the REST API (JWT, basic authentication, OAuth), and let it leave /jetpack/v4 alone.",
			Host:  "Check that rewrite rules and caches pass the whole query on (nginx: $args; Apache: QSA).",
		}, {
			Name: syncBadSignature, Weight: cause.Blocking, Sure: cause.Possible,
			Means: "The REST API refuses the signature of the blog token; it gives one code for every reason, as another token, the clock, or a port that a proxy hides.",
			Owner: "Open xmlrpc.php first, then diagnose again: there the reason can be found by trying.",
			Host:  "Check that the server's clock is right, and that the proxy passes Host, X-Forwarded-Proto and X-Forwarded-Port on.",
		}, {
			Name: syncUnreadable, Weight: cause.Partial, Sure: cause.Possible,
			Means: "The state of the sync queue cannot be read: something answers in place of Jetpack's REST API.",
			Owner: "Look for a plugin that closes the REST API to callers without a login, and let it leave /jetpack/v4 open.",
			Host:  "Look for rules against /wp-json/jetpack/v4/sync/status.",
		},
	}
}
