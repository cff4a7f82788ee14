package mistake

import (
	"fmt"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// Causes returns every cause of this package, with examples in its texts.
func Causes() []cause.Cause {
	return []cause.Cause{
		WrongClock(time.Hour), Learned(time.Hour), port("https", 8080), portInHost(8080), httpsUnknown(), httpsForced(), host("www.example.com", "example.com"),
		slash(), directory("/blog", ""), queryAdded("lang"), OtherToken(), BlogToken(), UserToken(), Body(), Unexplained("the port"),
	}
}

func one(c cause.Cause) []cause.Cause { return []cause.Cause{c} }

// WrongClock is the cause of a clock that a site does not accept.
func WrongClock(ahead time.Duration) cause.Cause {
	return cause.Cause{
		Name: "clock", Sure: cause.Certain,
		Means: "The site's clock is about " + Difference(ahead) + ", so it refuses calls that are signed at the right time: Jetpack accepts 10 minutes old to 5 minutes early.",
		Owner: "Ask the host to set the clock of the server; nothing in wp-admin can (the time zone of Settings > General is not the clock).",
		Host:  "Set the server's clock by NTP (timedatectl set-ntp true); in a container or a virtual machine, set the host's.",
	}
}

// Learned is the cause when a site's clock is right and it accepts other times nevertheless.
func Learned(ahead time.Duration) cause.Cause {
	return cause.Cause{
		Name: "clock_learned", Sure: cause.Certain,
		Means: "The server's clock is right, but Jetpack corrects it by a difference that it has learned (time_diff), and so believes that it is " + Difference(ahead) + ".",
		Owner: "Open Tools > Site Health in wp-admin, which makes Jetpack call WordPress.com: the answer teaches it the difference anew.",
		Host:  "`wp option pluck jetpack_options time_diff` shows it, in seconds; see that the site reaches WordPress.com, and that no proxy changes the Date of its answers.",
	}
}

func port(scheme string, p int) cause.Cause {
	constant, standard := "JETPACK_SIGNATURE__HTTP_PORT", 80
	if scheme == "https" {
		constant, standard = "JETPACK_SIGNATURE__HTTPS_PORT", 443
	}
	return cause.Cause{
		Name: "signature_port", Sure: cause.Certain,
		Means: fmt.Sprintf("The site believes that it was called on port %d: a proxy in front does not pass on the port that callers use.", p),
		Owner: fmt.Sprintf("Put define( '%s', %d ); into wp-config.php.", constant, p),
		Host:  fmt.Sprintf("Let the proxy send X-Forwarded-Port: %d.", standard),
	}
}

func portInHost(p int) cause.Cause {
	return cause.Cause{
		Name: "port_in_host", Sure: cause.Certain,
		Means: fmt.Sprintf("The site is at port %d: Jetpack works on 80 and 443 only, because elsewhere the Host header has the port in it.", p),
		Owner: "Move the site to an address without a port (home and siteurl in Settings > General).",
		Host:  "Put a proxy on the standard port in front, which sends Host without a port.",
	}
}

func httpsUnknown() cause.Cause {
	return cause.Cause{
		Name: "https_unknown", Sure: cause.Certain,
		Means: "The site is called by https but believes that it is http: a proxy ends TLS, and PHP is not told.",
		Owner: "Put if ( 'https' === ( $_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '' ) ) { $_SERVER['HTTPS'] = 'on'; } into wp-config.php, above wp-settings.php.",
		Host:  "Let the proxy send X-Forwarded-Proto: https, and the web server pass HTTPS=on to PHP for it (fastcgi_param HTTPS, SetEnvIf).",
	}
}

func httpsForced() cause.Cause {
	return cause.Cause{
		Name: "https_forced", Sure: cause.Certain,
		Means: "The site is called by http but believes that it is https: wp-config.php or a proxy says so of every request.",
		Owner: "Set home and siteurl (Settings > General) to https, so that WordPress.com calls by https, too.",
		Host:  "Let HTTPS=on and X-Forwarded-Proto follow what the caller used, and serve the site by https.",
	}
}

func host(believed, called string) cause.Cause {
	return cause.Cause{
		Name: "host_differs", Sure: cause.Certain,
		Means: "The site believes that it was called as " + believed + ", but it was called as " + called + ": a proxy or wp-config.php changes the Host header.",
		Owner: "Set home and siteurl (Settings > General) to the one name of the site, and look for HTTP_HOST in wp-config.php.",
		Host:  "Pass the Host header on unchanged (proxy_set_header Host $host; ProxyPreserveHost On).",
	}
}

func slash() cause.Cause {
	return cause.Cause{
		Name: "path_slash", Sure: cause.Certain,
		Means: "The site sees a path with a slash too many (//xmlrpc.php): a proxy joins two addresses wrongly.",
		Host:  "Correct the slash at the end of proxy_pass, ProxyPass or the CDN's origin.",
	}
}

func directory(called, believed string) cause.Cause {
	if believed == "" {
		believed = "/"
	}
	return cause.Cause{
		Name: "path_differs", Sure: cause.Certain,
		Means: "The site is called below " + called + " but sees a path below " + believed + ": a proxy changes the directory.",
		Owner: "Let siteurl (Settings > General) and the address that visitors use have the same directory.",
		Host:  "Pass the path on unchanged to PHP (REQUEST_URI), without removing or adding a directory.",
	}
}

func queryAdded(name string) cause.Cause {
	return cause.Cause{
		Name: "query_added", Sure: cause.Certain,
		Means: "Something in front adds the parameter " + name + " to every query, which spoils each signature.",
		Owner: "Look for a rule of the CDN or of a cache that adds the parameter, and exempt /xmlrpc.php and /wp-json from it.",
		Host:  "Add the parameter without changing the query that PHP sees in REQUEST_URI, or not for /xmlrpc.php and /wp-json.",
	}
}

// OtherToken is the cause when another of the given tokens is accepted.
func OtherToken() cause.Cause {
	return cause.Cause{
		Name: "token_replaced", Sure: cause.Certain,
		Means: "The site stores another of the given tokens than the first: it was connected again, restored from a backup, or copied.",
		Owner: "Take the token that is accepted; if WordPress.com is refused as well, choose Restore connection in wp-admin (Jetpack > Dashboard).",
	}
}

// BlogToken is the cause when the user's token is accepted and the blog's is not.
func BlogToken() cause.Cause {
	return cause.Cause{
		Name: "blog_token_refused", Sure: cause.Certain,
		Means: "The site accepts the user's token, so address and clock are right, but not the blog's: it stores another one, as after a restored backup.",
		Owner: "Compare with the token that the site stores (jetpack_private_options, blog_token); to make a new one, choose Restore connection in wp-admin (Jetpack > Dashboard).",
	}
}

// UserToken is the cause when the blog's token is accepted and the user's is not.
func UserToken() cause.Cause {
	return cause.Cause{
		Name: "user_token_refused", Weight: cause.Partial, Sure: cause.Certain,
		Means: "The site accepts the blog's token, so address and clock are right, but not the user's: the user was deleted, disconnected, or has another token.",
		Owner: "Let this user connect to WordPress.com again (Jetpack > My Jetpack > Connection), or make another administrator the owner of the connection.",
	}
}

// Body is the cause when a signed call without a body is accepted.
func Body() cause.Cause {
	return cause.Cause{
		Name: "body_changed", Sure: cause.Likely,
		Means: "The site accepts a signed call without a body, and refuses one with: something on the way changes or drops the body of POSTs to xmlrpc.php.",
		Owner: "Look for a plugin that reads or cleans requests (a firewall, a spam filter), and exempt xmlrpc.php from it.",
		Host:  "Exempt /xmlrpc.php from rules that rewrite request bodies (mod_security sanitising, a WAF, proxy buffering, compression).",
	}
}

// Unexplained is the cause when the site refuses everything that was tried; untried is what
// was not.
func Unexplained(untried string) cause.Cause {
	left := "Most likely it stores another token than the given one"
	if untried != "" {
		left += "; left are also " + untried
	}
	return cause.Cause{
		Name: "signature_refused", Sure: cause.Likely,
		Means: "The site refuses the signature however it is signed. " + left + ".",
		Owner: "Compare the key of the token (before the dot) with jetpack_private_options; Tools > Site Health shows what Jetpack itself finds. To make new tokens, choose Restore connection.",
		Host:  "`wp option get jetpack_connection_xmlrpc_errors --format=json` names the reason (as signature_mismatch, invalid_nonce); see that the options table can be written.",
	}
}
