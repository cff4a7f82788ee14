package symptom

import "slices"

// All returns the symptoms, those of the founding article first.
func All() []Symptom {
	return slices.Concat(plans(), changes(), connections(), modes(), pages())
}

// plans are about features that do not work although the site seems to be connected.
func plans() []Symptom {
	return []Symptom{
		{
			Name:  "powering_up",
			Words: []string{"Your Premium plan is powering up", "Jetpack Premium plan is always powering up", "plan is powering up"},
			Means: "WordPress.com has sold the plan and now waits for the site: it calls xmlrpc.php to turn the plan's features on, and learns by Jetpack Sync that they are. One of the two never arrives.",
			Steps: []Step{
				{"xmlrpc_post", "calls to xmlrpc.php arrive"},
				{"jetpack_connected", "Jetpack is connected"},
				{"signed_by_blog", "the site accepts calls that are signed by its blog token"},
				{"known_home", "WordPress.com calls the right address"},
				{"sync_allowed", "the site may synchronise"},
				{"sync_sender", "what the site sends arrives"},
				{"sync_queue", "the queue is short"},
				{"wp_cron", "WP-Cron runs"},
			},
			Else: "The step modules lists what is active, for a user's token: when what the plan has is active, the plan works and only the screen is old. Else turn it on in Jetpack > Settings and read the answer in the browser's network tab.",
		}, {
			Name:  "settings_error",
			Words: []string{"Error updating settings", "Error updating settings. (Error)", "There was an error updating your settings"},
			Means: "A setting is saved by a call of the browser to the site's own REST API, or of WordPress.com to the site. Something answered that was not Jetpack's JSON, or the site could not tell WordPress.com.",
			Steps: []Step{
				{"rest_index", "the REST API answers"},
				{"xmlrpc_post", "calls to xmlrpc.php arrive"},
				{"signed_by_user", "the site accepts calls that are signed by the user's token"},
				{"signed_by_blog", "the site accepts calls that are signed by its blog token"},
				{"sync_sender", "the site reaches WordPress.com"},
				{"firewall_page", "no firewall answers for the home page"},
			},
			Else: "Save the setting with the browser's network tab open: the call to wp-json/jetpack/v4/settings that fails says who answered. A firewall that passes GET and stops POST with a login shows only there.",
		}, {
			Name:  "spam_flicker",
			Words: []string{"Spam protection flickers", "Checking Spam Protection", "the status of spam protection changes again and again"},
			Means: "The dashboard asks the site's REST API for the state of its modules and plugins over and over, because the answers differ or do not arrive: cached answers, calls that fail at times, or a sync that puts old values back.",
			Steps: []Step{
				{"rest_index", "the REST API answers"},
				{"sync_lock", "no process holds the queue's lock for long"},
				{"sync_sender", "what the site sends arrives"},
				{"sync_queue", "the queue is short"},
				{"sync_health", "WordPress.com's copy of the site is right"},
			},
			Else: "Exclude /wp-json/ from every cache (page cache, CDN, object cache), and read the error log around the calls with _cacheBuster: `jetmon diagnose logs`.",
		},
	}
}

// changes are about what is turned on or changed, and does not arrive.
func changes() []Symptom {
	return []Symptom{
		{
			Name:  "cannot_enable",
			Words: []string{"Cannot enable Google Analytics", "This feature cannot be enabled", "Professional plan options cannot be enabled"},
			Means: "Turning a feature on is a signed call from WordPress.com to the site. It is seen in the access log, and yet not completed: it is refused, cut short, or its answer is not what Jetpack expects.",
			Steps: []Step{
				{"signed_by_blog", "the site accepts calls that are signed by its blog token"},
				{"signed_by_user", "the site accepts calls that are signed by the user's token"},
				{"xmlrpc_post", "calls to xmlrpc.php arrive and are answered whole"},
				{"rest_index", "the REST API answers"},
			},
			Else: "Compare the sizes and times of Jetpack's calls in the access log with the error log: `jetmon diagnose logs --access access.log --error error.log`.",
		}, {
			Name:  "buffer_mismatch",
			Words: []string{"The buffer you checked in was not checked out", "Error checking in buffer", "buffer_mismatch", "There is an unclosed buffer", "There are no checked out buffers"},
			Means: "Two processes took the sync queue's lock at once, or one held it for more than two minutes. What they sent is sent again. Now and then this is harmless; all the time, something is slow or dies while it sends.",
			Steps: []Step{
				{"sync_lock", "no process holds the queue's lock for long"},
				{"sync_sender", "what the site sends arrives"},
				{"sync_queue", "the queue is short"},
				{"wp_cron", "WP-Cron runs"},
				{"full_sync", "no full sync is stuck"},
				{"xmlrpc_post", "calls to xmlrpc.php are answered whole"},
			},
			Else: "It has passed. Count it in the error log to see whether it comes back, and with what beside it: `jetmon diagnose logs --access access.log --error error.log`.",
		}, {
			Name:  "not_synced",
			Words: []string{"My posts do not show up on WordPress.com", "Stats and posts are out of date", "Jetpack Sync is out of date", "could not sync"},
			Means: "WordPress.com shows its copy of the site. Jetpack Sync brings changes there: it is off, does not run, or does not get through.",
			Steps: []Step{
				{"sync_allowed", "the site may synchronise"},
				{"sync_sender", "what the site sends arrives"},
				{"wp_cron", "WP-Cron runs"},
				{"sync_queue", "the queue is short"},
				{"sync_lock", "no process holds the queue's lock for long"},
				{"full_sync", "no full sync is stuck"},
				{"sync_health", "WordPress.com's copy of the site is right"},
			},
			Else: "Change one post and look again: when the queue empties and the post still does not show up, tell Jetpack's support the post's number and the time.",
		},
	}
}

// connections are about the connection itself.
func connections() []Symptom {
	return []Symptom{
		{
			Name:  "site_inaccessible",
			Words: []string{"Your website needs to be publicly accessible to use Jetpack: site_inaccessible", "site_inaccessible", "Jetpack could not reach your site"},
			Means: "WordPress.com called the site while connecting, and got no answer or that of somebody else.",
			Steps: []Step{
				{"dns", "the name is resolved"},
				{"tcp", "the server takes connections"},
				{"tls", "the certificate is good"},
				{"redirects", "no redirect is in the way"},
				{"firewall_page", "no firewall answers for the home page"},
				{"xmlrpc_get", "xmlrpc.php is WordPress's own"},
				{"xmlrpc_post", "calls to xmlrpc.php arrive"},
				{"rest_index", "the REST API answers"},
			},
			Else: "From here the site can be reached. A firewall that lets us in and keeps WordPress.com out is left: give the host https://jetpack.com/ips-v4.txt.",
		}, {
			Name:  "connection_broken",
			Words: []string{"Your Jetpack site is having trouble connecting to WordPress.com", "Reconnect Jetpack", "It looks like your Jetpack connection is broken", "signature_mismatch", "The timestamp is too old", "invalid_signature", "unknown_token"},
			Means: "A signed call was refused: the tokens of the two sides differ, or something on the way changes what is signed.",
			Steps: []Step{
				{"signed_by_blog", "the site accepts calls that are signed by its blog token"},
				{"signed_by_user", "the site accepts calls that are signed by the user's token"},
				{"clock", "the site's clock is right"},
				{"jetpack_connected", "Jetpack is connected"},
				{"known_home", "WordPress.com calls the right address"},
				{"known_xmlrpc", "WordPress.com calls the right xmlrpc.php"},
			},
			Else: "Signed calls are accepted now. When the notice stays, dismiss it: Jetpack keeps the last refusal for a day.",
		}, {
			Name:  "outgoing_failed",
			Words: []string{"Jetpack could not contact WordPress.com: register_http_request_failed", "cURL error 28: Operation timed out", "cURL error 7: Failed to connect", "cURL error 60: SSL certificate problem"},
			Means: "The other way failed: from the site's server to WordPress.com. Nothing that is seen from outside can show it before the site is connected.",
			Steps: []Step{
				{"sync_sender", "what the site sends arrives"},
				{"sync_queue", "the queue is short"},
				{"clock", "the site's clock is right"},
			},
			Else: "On the server, as PHP's user: curl -sI https://jetpack.wordpress.com/xmlrpc.php. What it says, the host can mend: resolver, egress rules, certificates.",
		},
	}
}

// modes are about what Jetpack has decided on by itself.
func modes() []Symptom {
	return []Symptom{
		{
			Name:  "safe_mode",
			Words: []string{"Safe Mode has been activated", "Jetpack is in Safe Mode", "We have detected that your site has moved", "identity crisis"},
			Means: "The site's address is not the one that WordPress.com knows, as after a move, or with a copy for tests.",
			Steps: []Step{
				{"sync_allowed", "the site is not in safe mode"},
				{"known_home", "WordPress.com knows this address"},
				{"rest_index", "the site claims the address at which it was reached"},
				{"redirects", "no redirect is in the way"},
				{"rsd", "the site advertises the right xmlrpc.php"},
			},
			Else: "Both sides agree on the address now: open wp-admin once more, and answer the question if it is still asked.",
		}, {
			Name:  "offline_mode",
			Words: []string{"Jetpack is in Offline Mode", "Offline mode is active", "development mode"},
			Means: "Jetpack takes the site for a local one, and does not talk to WordPress.com at all.",
			Steps: []Step{
				{"jetpack_connected", "Jetpack is connected, and not in offline mode"},
				{"sync_allowed", "the site may synchronise"},
				{"rest_index", "the site claims the address at which it was reached"},
			},
			Else: "Look for JETPACK_DEV_DEBUG and WP_LOCAL_DEV in wp-config.php, and for the filter jetpack_offline_mode.",
		},
	}
}

// pages are about pages that somebody sees in place of an answer.
func pages() []Symptom {
	return []Symptom{
		{
			Name:  "accepts_post_only",
			Words: []string{"XML-RPC server accepts POST requests only."},
			Means: "This is what a healthy xmlrpc.php shows in a browser: it says that WordPress answers there. It is no error.",
			Steps: []Step{{"xmlrpc_post", "calls to xmlrpc.php arrive"}, {"jetpack_connected", "Jetpack is connected"}},
			Else:  "Nothing is wrong with that page.",
		}, {
			Name:  "xmlrpc_disabled",
			Words: []string{"XML-RPC services are disabled on this site.", "xmlrpc.php 403 Forbidden", "transport error - HTTP status code was not 200", "parse error. not well formed"},
			Means: "Somebody answers in place of Jetpack at xmlrpc.php: a security plugin, a firewall, or a file that prints something of its own.",
			Steps: []Step{
				{"xmlrpc_post", "calls to xmlrpc.php arrive"},
				{"xmlrpc_get", "xmlrpc.php is WordPress's own"},
				{"xmlrpc_methods", "no method is taken away"},
				{"jetpack_connected", "Jetpack's own methods are there"},
			},
			Else: "From here xmlrpc.php is open. A rule by address or country is left: give the host https://jetpack.com/ips-v4.txt.",
		}, {
			Name:  "site_down",
			Words: []string{"Your site is down", "Jetpack Monitor says that the site is down, but it is up", "site down mail"},
			Means: "Jetpack's monitor asks for the home page by HEAD, from many places. It fails for them although it works in your browser.",
			Steps: []Step{
				{"head_and_get", "HEAD and GET succeed"},
				{"firewall_page", "no firewall answers for the home page"},
				{"redirects", "no redirect is in the way"},
				{"tls", "the certificate is good"},
				{"ipv6", "no broken IPv6 address is in the way"},
				{"dns", "the name is resolved"},
				{"tcp", "the server takes connections"},
			},
			Else: "The site is up from here. Look at the outage itself: `jetmon outages show`, which has what each place saw, or in the server's log at that time.",
		}, {
			Name:  "critical_error",
			Words: []string{"There has been a critical error on this website.", "Error establishing a database connection", "Briefly unavailable for scheduled maintenance. Check back in a minute."},
			Means: "WordPress itself does not run: PHP, the database or an update that was left half done. Jetpack can do nothing then.",
			Steps: []Step{{"head_and_get", "the home page answers"}, {"xmlrpc_post", "calls to xmlrpc.php arrive"}, {"rest_index", "the REST API answers"}},
			Else:  "It has passed. PHP's error log has the time and the file.",
		},
	}
}
