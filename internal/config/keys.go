package config

// monitorKeys are the keys of config.json that have a meaning here.
func monitorKeys() []Key {
	return []Key{
		{File: Monitor, Name: "DEBUG", Command: "coordinator", Flag: "log-level", form: formDebug,
			Was: "Logs much more; the watchdog of rounds works only with it.", Here: "true: --log-level debug. The watchdog of this coordinator always works."},
		{File: Monitor, Name: "NUM_WORKERS", Command: "checker", form: formKept,
			Was: "Number of worker processes of the host.", Here: "`jetmon checker --config` multiplies it by NUM_TO_PROCESS: --max-in-flight."},
		{File: Monitor, Name: "NUM_TO_PROCESS", Command: "checker", form: formKept,
			Was: "Checks that a worker has in flight at once.", Here: "`jetmon checker --config` multiplies it by NUM_WORKERS: --max-in-flight."},
		{File: Monitor, Name: "DB_UPDATES_ENABLE", Command: "coordinator", Flag: "db-updates", form: formTruth,
			Was: "Writes site_status and last_status_change into jetpack_monitor_sites.", Here: "--db-updates. false: the API does not write the table either, unless --db-edits allows it."},
		{File: Monitor, Name: "WPCOM_NOTIFY_ENABLE", Command: "coordinator", Flag: "no-notify", form: formOpposite,
			Was: "v1.1: false drops every notification of WordPress.com.", Here: "false: --no-notify."},
		{File: Monitor, Name: "BUCKET_NO_MIN", Command: "coordinator", form: formKept,
			Was: "First bucket of the host.", Here: "--bucket-min; must begin a shard of 16 buckets."},
		{File: Monitor, Name: "BUCKET_NO_MAX", Command: "coordinator", form: formKept,
			Was:  "Last bucket of the host; not visited itself when it lies a multiple of BATCH_SIZE above BUCKET_NO_MIN.",
			Here: "--bucket-max, the last bucket that v1 visited, 511 at most; must end a shard of 16 buckets."},
		{File: Monitor, Name: "BATCH_SIZE", Command: "coordinator", form: formKept,
			Was: "Buckets read in one query; also decides whether BUCKET_NO_MAX itself is visited.", Here: "Only to find the last bucket that v1 visited: see BUCKET_NO_MAX."},
		{File: Monitor, Name: "AUTH_TOKEN", Command: "coordinator", Secret: true, form: formToken,
			Was: "Token sent to WordPress.com with each notification.", Here: "The same. --wpcom-token-file takes precedence."},
		{File: Monitor, Name: "PEER_OFFLINE_LIMIT", Command: "coordinator", Flag: "peer-offline-limit", form: formNumber,
			Was: "Verifliers that must call a site offline. More than there are: no site is ever down.", Here: "--peer-offline-limit; more than there are is refused."},
		{File: Monitor, Name: "NUM_OF_CHECKS", Command: "coordinator", Flag: "num-of-checks", form: formNumber,
			Was: "Failing checks of the host before it asks the verifliers.", Here: "--num-of-checks."},
		{File: Monitor, Name: "TIME_BETWEEN_CHECKS_SEC", Command: "coordinator", Flag: "time-between-checks", form: formSeconds,
			Was: "Least time between those checks.", Here: "--time-between-checks."},
		{File: Monitor, Name: "TIME_BETWEEN_NOTICES_MIN", Command: "coordinator", Flag: "time-between-notices", form: formMinutes,
			Was: "Time from down (0) to confirmed down (2).", Here: "--time-between-notices."},
		{File: Monitor, Name: "USE_VARIABLE_CHECK_INTERVALS", Command: "coordinator", form: formKeptTruth,
			Was: "true: each site at its check_interval; false: all at MIN_TIME_BETWEEN_ROUNDS_SEC.", Here: "false: --interval of MIN_TIME_BETWEEN_ROUNDS_SEC."},
		{File: Monitor, Name: "MIN_TIME_BETWEEN_ROUNDS_SEC", Command: "coordinator", form: formKept,
			Was: "Time from the start of a round to the next one, unless USE_VARIABLE_CHECK_INTERVALS.", Here: "--interval, unless USE_VARIABLE_CHECK_INTERVALS."},
		{File: Monitor, Name: "STATS_UPDATE_INTERVAL_MS", Command: "coordinator", Flag: "stats-interval", form: formMillis,
			Was: "How often stats/* were written.", Here: "--stats-interval, at least 1 s. Reports go where --statsd and --stats-dir say; v1 always used 127.0.0.1:8125 and stats/."},
		{File: Monitor, Name: "STATSD_SEND_MEM_USAGE", Command: "coordinator", Flag: "statsd-memory", form: formTruth,
			Was: "Sends memory sizes to StatsD.", Here: "--statsd-memory, with --statsd."},
		{File: Monitor, Name: "VERIFIERS", Command: "coordinator", Flag: "veriflier", form: formVerifliers,
			Was:  "The verifliers: name, host, port and auth_token of each. Dialled with TLS; certificates were not verified.",
			Here: "--veriflier for each, with its own token; an entry may have a region as well. Dialled with TLS, and certificates are verified: see --veriflier-tls-ca. --veriflier takes precedence."},
	}
}

// monitorRest are the keys of config.json that have no effect here.
func monitorRest() []Key {
	ignored := func(name, was, here string) Key { return Key{File: Monitor, Name: name, Was: was, Here: here} }
	return []Key{
		ignored("DATASET_SIZE", "Sites handed to a worker at a time.", "Nothing to do: checkers ask for as many checks as they have room for."),
		ignored("WORKER_MAX_CHECKS", "Checks after which a worker is replaced.", "Nothing to do: checkers are not replaced."),
		ignored("WORKER_MAX_MEM_MB", "Memory above which a worker is replaced.", "Limit a role's memory with systemd's MemoryMax= or with GOMEMLIMIT."),
		ignored("VERIFLIER_BATCH_SIZE", "Sites in one request to a veriflier.", "Nothing to do: one call asks about one site, many at once."),
		ignored("SQL_UPDATE_BATCH", "Nothing: v1 did not use it.", "Nothing to do: changes are written in groups."),
		ignored("DB_CONFIG_UPDATES_MIN", "How often the host looked for a new db-config.conf.", "Restart the coordinator when the database moves, or give several hosts in --db: they are tried in turn."),
		ignored("TIMEOUT_FOR_REQUESTS_SEC", "How long verifliers may leave a request unanswered.", "Nothing to do: a ballot ends after at most 24 s, and what is missing then is UNKNOWN."),
		ignored("HTTP_PORT", "Before v1: port of the sites.", "Nothing to do: the URL has the port."),
		ignored("INSTALLED_DATACENTER", "Before v1: data centre of the host.", "Give each checker its --region."),
		ignored("LOCAL_CACHE_TTL_MIN", "Before v1: age of cached users.", "Nothing to do: WordPress.com sends the mail."),
		ignored("LOCAL_CACHE_PURGE_SEC", "Before v1: how often cached users were purged.", "Nothing to do: WordPress.com sends the mail."),
		ignored("sendmails", "Before v1: the host itself sent mail.", "Nothing to do: WordPress.com sends the mail. --no-notify notifies nobody."),
		ignored("mailer", "Before v1: the mail server.", "Nothing to do: WordPress.com sends the mail."),
		ignored("templates", "Before v1: folder of the mail's texts.", "Nothing to do: WordPress.com sends the mail."),
	}
}

// verifliersKeys are the keys of veriflier.json.
func verifliersKeys() []Key {
	key := func(name, flag string, f form, was, here string) Key {
		return Key{File: Veriflier, Name: name, Command: "veriflier", Flag: flag, form: f, Was: was, Here: here}
	}
	ignored := func(name, was, here string) Key { return Key{File: Veriflier, Name: name, Was: was, Here: here} }
	token := key("auth_token", "", formAccepted, "Token that the veriflier shows to monitors; of callers it wanted any.", "The token that callers must show; --token-file takes precedence.")
	token.Secret = true
	return []Key{
		key("veriflier_name", "name", formText, "Name in the log and in answers.", "--name; must be the name in the coordinators' VERIFIERS."),
		token,
		key("listen_port", "listen", formPort, "Port of the veriflier, on all addresses.", "--listen :PORT."),
		key("privatekey_file", "tls-key", formPath, "Key of the veriflier's certificate.", "--tls-key; a relative path starts at v1's folder."),
		key("privatecert_file", "tls-cert", formPath, "The veriflier's certificate.", "--tls-cert; a relative path starts at v1's folder."),
		key("max_checkers", "", formKept, "Threads that check sites.", "Multiplied by max_checks: --max-in-flight."),
		key("max_checks", "", formKept, "Checks at once in a thread.", "Multiplied by max_checkers: --max-in-flight."),
		key("debug", "log-level", formDebug, "Logs much more.", "true: --log-level debug."),
		ignored("thread_pool_max", "Threads that read requests.", "Nothing to do: the server needs no threads of its own."),
		ignored("max_pending_conns", "Connections that wait to be accepted.", "Nothing to do: the system's limit applies (net.core.somaxconn)."),
		ignored("max_redirects", "Redirects that are followed; a further one is up.", "Nothing to do: ten are followed, and a loop is down."),
		ignored("net_comms_timeout", "Milliseconds that a check may take.", "Nothing to do: a vote has 20 s, which the coordinator sends along."),
		ignored("jetmon_server_port", "Port of the monitor to which answers are sent.", "Nothing to do: the answer comes back on the coordinator's own call."),
		ignored("monitors", "Nothing: v1 did not use it.", "Nothing to do: who shows the token may ask."),
	}
}

// databaseKeys are the parts of db-config.conf: the dataset, and the eleven fields of a row.
func databaseKeys() []Key {
	key := func(name, was, here string) Key {
		return Key{File: Database, Name: name, Command: "coordinator", Was: was, Here: here}
	}
	ignored := func(name, was, here string) Key { return Key{File: Database, Name: name, Was: was, Here: here} }
	password := key("password", "Password. A comma, quote or blank in it was lost.", "--db, as PHP reads it: with commas, quotes and blanks.")
	password.Secret = true
	return []Key{
		key("misc", "The dataset with jetpack_monitor_sites.", "The same."),
		ignored("another dataset", "Nothing: v1 read misc only.", "Nothing to do."),
		ignored("datacentre", "Rows of the host's own data centre answer reads.", "Nothing to do: the master answers reads, too."),
		ignored("read", "1: a replica for reads.", "Nothing to do: the master answers reads, too; a replica may be behind."),
		key("write", "1: the master.", "--db. Several masters are tried in turn: all must accept writes of the same data."),
		key("internet address", "HOST:PORT of the server.", "--db."),
		ignored("internal address", "Nothing: v1 used the internet address.", "Nothing to do."),
		key("database", "Name of the database.", "--db."),
		key("user", "User.", "--db."),
		password,
		ignored("field 9", "Nothing: v1 did not use it.", "Nothing to do."),
		ignored("field 10", "Nothing: v1 did not use it.", "Nothing to do."),
		ignored("field 11", "Nothing: v1 did not use it.", "Nothing to do."),
	}
}

// environmentKeys are the variables of v1's docker set. Its scripts filled the sample files
// with them; no program read them.
func environmentKeys() []Key {
	ignored := func(name, was, here string) Key { return Key{File: Environment, Name: name, Was: was, Here: here} }
	secret := func(name, was, here string) Key {
		return Key{File: Environment, Name: name, Secret: true, Was: was, Here: here}
	}
	return []Key{
		ignored("MYSQLDB_USER", "User in db-config.conf.", "Write the DSN to a file: JETMON_DB=@FILE; or give --db-config."),
		secret("MYSQLDB_ROOT_PASSWORD", "Password in db-config.conf.", "Write the DSN to a file: JETMON_DB=@FILE; or give --db-config."),
		ignored("MYSQLDB_DATABASE", "Database in db-config.conf.", "Write the DSN to a file: JETMON_DB=@FILE; or give --db-config."),
		ignored("MYSQLDB_LOCAL_PORT", "The database's port on the docker host.", "Nothing to do: a matter of docker's."),
		ignored("MYSQLDB_DOCKER_PORT", "The database's port in db-config.conf.", "Write the DSN to a file: JETMON_DB=@FILE; or give --db-config."),
		ignored("JETMON_LOCAL_PORT", "The monitor's port on the docker host.", "Nothing to do: verifliers do not dial the coordinator; its own port is JETMON_LISTEN."),
		ignored("JETMON_DOCKER_PORT", "The monitor's port in its container.", "Nothing to do: verifliers do not dial the coordinator; its own port is JETMON_LISTEN."),
		ignored("JETMON_STATUS_LOCAL_PORT", "Status port on the docker host; nothing listened there.", "Ask the gateway: JETMON_LISTEN of `jetmon gateway`, 7802."),
		ignored("JETMON_STATUS_DOCKER_PORT", "Status port in the container; nothing listened there.", "Ask the gateway: JETMON_LISTEN of `jetmon gateway`, 7802."),
		secret("WPCOM_JETMON_AUTH_TOKEN", "AUTH_TOKEN in config.json.", "Write it to a file: JETMON_WPCOM_TOKEN_FILE=FILE; or give --config."),
		ignored("VERIFLIER_LOCAL_PORT", "The veriflier's port on the docker host.", "Nothing to do: a matter of docker's."),
		ignored("VERIFLIER_DOCKER_PORT", "The port in VERIFIERS and in veriflier.json.", "JETMON_LISTEN=:PORT of the veriflier, addr=HOST:PORT in JETMON_VERIFLIER of the coordinator."),
		secret("VERIFLIER_AUTH_TOKEN", "auth_token in VERIFIERS and in veriflier.json.", "Write `coordinator TOKEN` to a file: JETMON_TOKEN_FILE of the veriflier, JETMON_VERIFLIER_TOKEN_FILE of the coordinator; a token of 128 bits or more."),
	}
}
