package jetpack

import "github.com/Automattic/jetmon/internal/jetpack/cause"

// The causes of section 2 that are not about a single answer.
var (
	noWordPress = cause.Cause{
		Name: "not_wordpress", Sure: cause.Possible, Means: "Nothing at this address looks like WordPress: the home page is there, and neither xmlrpc.php nor the REST API is.",
		Owner: "Check the address: WordPress may be in a directory below it, on another name, or behind a separate front end.", Host: "Check which application the virtual host leads to.",
	}
	noXMLModule = cause.Cause{
		Name: "xml_module_missing", Means: "PHP has no XML module: WordPress answers each valid call with the fault -32700 (parse error), although calls arrive whole.",
		Owner: "Turn on PHP's extension \"xml\" in the host's panel (Select PHP Version), or ask the host to.", Host: "Install PHP's XML module (php-xml) for the PHP version of the site, and restart PHP.",
	}
	bodyLost = cause.Cause{
		Name: "body_dropped", Means: "The bodies of calls do not arrive: what is in front of PHP loses them, so WordPress reads nothing.",
		Owner: "Ask the host or the CDN why POST requests arrive without their bodies.", Host: "Look at the proxy (proxy_pass_request_body, a Lua or WAF module, a redirect inside the server), and at Content-Length in PHP.",
	}
	unreadableMethods = cause.Cause{
		Name: "methods_unreadable", Weight: cause.Partial, Means: "The list of methods cannot be read although XML-RPC answers.",
		Owner: "Look for a plugin that changes system.listMethods, or for something that shortens long answers.",
	}
	removedMethods = cause.Cause{
		Name: "methods_removed", Weight: cause.Partial, Means: "A plugin or filter (xmlrpc_methods) takes WordPress's own methods away; Jetpack's may be gone as well.",
		Owner: "Look for a plugin against XML-RPC; the next section shows whether Jetpack is affected.",
	}
	closedDetour = cause.Cause{
		Name: "detour_closed", Weight: cause.Minor, Means: "Jetpack's other door is closed as well, or Jetpack is not active.",
		Owner: "Open xmlrpc.php first: the other door is for hosts that cannot.",
	}
	closedREST = cause.Cause{
		Name: "rest_closed", Weight: cause.Partial, Means: "A plugin closes the REST API to strangers; WordPress itself leaves it open.",
		Owner: "Let Jetpack's part (jetpack/v4, and wp/v2 for the apps) through in that plugin's settings, or open the REST API.",
	}
	missingREST = cause.Cause{
		Name: "rest_missing", Weight: cause.Partial, Means: "The REST API does not answer; Jetpack's newer parts (settings, sync, plugins) need it.",
		Owner: "Save the permalinks once (Settings > Permalinks), and look for a plugin or rule about wp-json.", Host: "Send what is no file to index.php (try_files, .htaccess), and look for a rule about /wp-json.",
	}
	noisyREST = cause.Cause{
		Name: "output_around_json", Weight: cause.Partial, Sure: cause.Certain, Means: "A file prints text before or after the answers of the REST API, as a warning of PHP: callers cannot parse them.",
		Owner: "The evidence names the file or its text: update that plugin or theme, and set WP_DEBUG_DISPLAY to false in wp-config.php.", Host: "Turn display_errors off for the site: WordPress does so itself for XML-RPC, but not for the REST API.",
	}
	lostRewrites = cause.Cause{
		Name: "rest_rewrites_lost", Weight: cause.Partial, Sure: cause.Certain, Means: "Pretty permalinks do not work: the REST API answers at ?rest_route= alone, but WordPress tells callers wp-json.",
		Owner: "Save the permalinks once (Settings > Permalinks), which writes .htaccess.", Host: "In nginx use try_files $uri $uri/ /index.php?$args; in Apache AllowOverride All and mod_rewrite.",
	}
	deniedREST = cause.Cause{
		Name: "rest_denied", Weight: cause.Partial, Means: "Something in front of WordPress refuses /wp-json/: the REST API answers at ?rest_route= alone, but WordPress tells callers wp-json.",
		Owner: "Look for a setting about the REST API or wp-json in the host's panel, the CDN and security plugins, and let it through.", Host: "Look for a rule about /wp-json (location, Require, a WAF), and let it through.",
	}
	pageForREST = cause.Cause{
		Name: "rest_page", Weight: cause.Partial, Means: "A page comes at /wp-json/ in place of the REST API, which answers at ?rest_route= alone: a page cache, or a server that shows the home page for what it does not know.",
		Owner: "Exclude /wp-json/ from all page caches (plugin, host, CDN), and empty them.", Host: "Send what is no file to index.php with its path and query (try_files $uri $uri/ /index.php?$args), not to a page.",
	}
	otherHome = cause.Cause{
		Name: "home_differs", Weight: cause.Partial, Sure: cause.Certain, Means: "The site believes that it is at another address than the one at which it was reached.",
		Owner: "Set WordPress Address and Site Address (Settings > General, or wp-config.php) to the address that visitors reach.", Host: "Behind a proxy let it pass the Host and X-Forwarded-Proto of visitors on.",
	}
	otherDoor = cause.Cause{
		Name: "rsd_differs", Weight: cause.Partial, Means: "The site advertises another address for its xmlrpc.php than the one that answers; WordPress.com believes the site.",
		Owner: "Set WordPress Address (Settings > General, or WP_SITEURL in wp-config.php) to the address of WordPress's files.",
	}
)

// doorCauses returns all causes of section 2 beside those of package block.
func doorCauses() []cause.Cause {
	return []cause.Cause{
		noWordPress, noXMLModule, bodyLost, unreadableMethods, removedMethods, closedDetour, closedREST, missingREST, noisyREST, lostRewrites, deniedREST, pageForREST, otherHome, otherDoor,
	}
}

// closedBy returns the cause of a REST API that refuses strangers with a code.
func closedBy(code string) cause.Cause {
	c := closedREST
	c.Means += whoCloses(code)
	return c
}

// whoCloses names the plugin that refuses with a code, as part of a sentence.
func whoCloses(code string) string {
	by := map[string]string{
		"rest_cannot_access":               "Disable REST API, or a plugin like it",
		"rest_not_logged_in":               "a plugin, or the lines that WordPress's handbook has for it",
		"itsec_rest_api_access_restricted": "Solid Security",
	}[code]
	if by == "" {
		return " Its code is " + code + "."
	}
	return " Its code is " + code + ": " + by + "."
}
