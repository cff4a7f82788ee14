package jetpack

import "github.com/Automattic/jetmon/internal/jetpack/cause"

// connectionCauses returns every cause of the connection, but for those of section 5.
func connectionCauses() []cause.Cause {
	return []cause.Cause{
		unreadableJetpack(), maybeConnected(), brokenConnection(), lostConnection(), notConnected(), methodsRemoved(), queryLost(), jetpackAbsent(),
		clockInFront(), clockByDate(), clockDrifts(), otherFault(),
	}
}

func unreadableJetpack() cause.Cause {
	return cause.Cause{
		Name:  "jetpack_methods_unreadable",
		Means: "Jetpack answers, but its list of methods cannot be read.",
		Owner: "Look for a plugin that changes XML-RPC's answers, as one that translates or compresses pages.",
		Host:  "Look at whether answers to POST /xmlrpc.php?for=jetpack are cut short or changed on the way.",
	}
}

func maybeConnected() cause.Cause {
	return cause.Cause{
		Name: "owner_missing", Weight: cause.Partial, Sure: cause.Possible,
		Means: "Jetpack has no connected owner: the site is connected without one, or not at all; its REST API does not say which.",
		Owner: "Look at Jetpack > My Jetpack > Connection in wp-admin, and connect your account there if it says so.",
		Host:  "Let GET /wp-json/jetpack/v4/connection through, which tells the state.",
	}
}

func brokenConnection() cause.Cause {
	return cause.Cause{
		Name: "connection_broken", Sure: cause.Certain,
		Means: "Jetpack has an owner but no token or number of its own: half of the connection was lost, as by an import of options.",
		Owner: "Choose Restore connection in wp-admin (Jetpack > Dashboard, or Tools > Site Health).",
		Host:  "See that the options jetpack_options (id) and jetpack_private_options (blog_token) are both there, and no object cache keeps old ones.",
	}
}

func lostConnection() cause.Cause {
	return cause.Cause{
		Name: "connection_lost", Sure: cause.Certain,
		Means: "The site stores no connection any more, though there is a token of one: it was disconnected, restored from an older backup, or its options were lost.",
		Owner: "Connect Jetpack again in wp-admin (Jetpack > Connect); content and settings stay.",
		Host:  "See that the option jetpack_private_options is there, and that no object cache or copy of the database serves old options.",
	}
}

func notConnected() cause.Cause {
	return cause.Cause{
		Name: "not_connected", Sure: cause.Certain,
		Means: "Jetpack is active but not connected to WordPress.com.",
		Owner: "Connect it in wp-admin (Jetpack > Connect).",
	}
}

func methodsRemoved() cause.Cause {
	return cause.Cause{
		Name: "jetpack_methods_removed", Sure: cause.Certain,
		Means: "A plugin takes Jetpack's methods of XML-RPC away (filter xmlrpc_methods): no call of WordPress.com can do anything.",
		Owner: "Look for a plugin or snippet against XML-RPC, and let it except Jetpack.",
		Host:  "Search for xmlrpc_methods in wp-content (mu-plugins as well).",
	}
}

func queryLost() cause.Cause {
	return cause.Cause{
		Name: "query_lost", Sure: cause.Certain,
		Means: "The query of a call does not reach PHP: Jetpack is active, but does not see that a call to xmlrpc.php is for it.",
		Owner: "Ask the host why xmlrpc.php loses what stands after the question mark of its address.",
		Host:  "Let rewrite rules keep the query (nginx: $is_args$args; Apache: QSA), pass QUERY_STRING to PHP, and let every CDN keep it.",
	}
}

func jetpackAbsent() cause.Cause {
	return cause.Cause{
		Name:  "jetpack_absent",
		Means: "Jetpack is not installed, or not active.",
		Owner: "Install and activate Jetpack (Plugins in wp-admin).",
		Host:  "`wp plugin list` shows whether it is active; a fatal error or recovery mode pauses a plugin.",
	}
}

func clockInFront() cause.Cause {
	return cause.Cause{
		Name: "clock_in_front", Weight: cause.Minor, Sure: cause.Certain,
		Means: "The Date of the answers is wrong, but Jetpack accepts the right time: it is the clock of a server in front, or Jetpack has learned the difference.",
		Host:  "Set the clocks of the web server and of what stands in front of it by NTP (chrony, systemd-timesyncd).",
	}
}

func clockByDate() cause.Cause {
	return cause.Cause{
		Name: "clock_by_date", Weight: cause.Partial, Sure: cause.Possible,
		Means: "The Date of the answers is wrong: if it is PHP's clock and not that of a server in front, Jetpack refuses each signed call as too old.",
		Owner: "Run the diagnosis with a token of the site (--token-file): a signed call shows whether the clock matters.",
		Host:  "Compare `date -u` on the server that runs PHP with the right time, and set it by NTP if it differs.",
	}
}

func clockDrifts() cause.Cause {
	return cause.Cause{
		Name: "clock_drifts", Weight: cause.Minor, Sure: cause.Certain,
		Means: "The server's clock is wrong by minutes: signed calls are still accepted, but no longer once it is 10 minutes ahead or 5 behind.",
		Owner: "Tell the host that the clock of the server drifts.",
		Host:  "Turn on NTP (timedatectl set-ntp true), and see whether it can reach its servers.",
	}
}
