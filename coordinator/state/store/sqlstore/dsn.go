package sqlstore

import (
	"net"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/Automattic/jetmon/internal/fault"
)

// DSN is the address of a database. Its text never shows the password.
type DSN struct {
	dialect *dialect
	// Invariant: the dialect uses one of mysql and path. The path is absolute.
	mysql *mysql.Config
	path  string
	// hosts are the addresses of mysql, to try in turn. ca, cert and key are the files of
	// its parameters of those names; each may be empty.
	hosts         []string
	ca, cert, key string
}

// ParseDSN parses mysql://user:pass@tcp(host:port)/db (or unix(/path) for the address,
// with parameters of go-sql-driver after a question mark) or sqlite:PATH. There may be
// several servers, as in tcp(a:3306,b:3306): see connectors. Three parameters are ours:
// tls-ca, the file of the only CA to trust, and tls-cert and tls-key, those of a client's
// certificate. The error is one line of kind fault.Invalid that does not show the password.
func ParseDSN(dsn string) (DSN, error) {
	if rest, ok := strings.CutPrefix(dsn, "mysql://"); ok {
		return parseMySQL(rest)
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		return parseSQLite(path)
	}
	return DSN{}, badDSN("it begins with neither mysql:// nor sqlite:")
}

// badDSN never wraps an error of a driver: it may quote the DSN.
func badDSN(why string) error {
	return fault.New(fault.Invalid,
		"the database must be given as mysql://user:pass@tcp(host:port)/db or sqlite:PATH: %s", why)
}

func parseMySQL(rest string) (DSN, error) {
	// The user and the password may contain anything, so parsing starts from the end. The
	// driver wants the slashes of parameters escaped.
	if i := strings.LastIndex(rest, ")/"); i >= 0 {
		name, parameters, _ := strings.Cut(rest[i:], "?")
		if parameters != "" {
			rest = rest[:i] + name + "?" + strings.ReplaceAll(parameters, "/", "%2F")
		}
	}
	head, db, ok := cutLast(rest, "/")
	if !ok {
		return DSN{}, badDSN("the name of the database is missing")
	}
	_, where, ok := cutLast(head, "@")
	if !ok {
		where = head
	}
	address, ok := strings.CutSuffix(where, ")")
	if !ok {
		return DSN{}, badDSN("after the user comes tcp(host:port)/ and the name of the database")
	}
	network, host, ok := strings.Cut(address, "(")
	switch {
	case !ok || network != "tcp" && network != "unix":
		return DSN{}, badDSN("the address is tcp(host:port) or unix(/path)")
	case host == "":
		return DSN{}, badDSN("the address is empty")
	}
	if name, _, _ := strings.Cut(db, "?"); name == "" {
		return DSN{}, badDSN("the name of the database is missing")
	}
	cfg, err := mysql.ParseDSN(rest)
	if err != nil {
		return DSN{}, badDSN("the parameters after the name of the database are not understood")
	}
	d := DSN{dialect: mysqlDialect(), mysql: cfg, hosts: []string{cfg.Addr}}
	if network == "tcp" && strings.Contains(host, ",") {
		if d.hosts, err = hostList(host); err != nil {
			return DSN{}, err
		}
		cfg.Addr = strings.Join(d.hosts, ",") // for String
	}
	for name, file := range map[string]*string{"tls-ca": &d.ca, "tls-cert": &d.cert, "tls-key": &d.key} {
		*file = cfg.Params[name]
		delete(cfg.Params, name)
	}
	if (d.cert == "") != (d.key == "") {
		return DSN{}, badDSN("the parameters tls-cert and tls-key go together")
	}
	return d, nil
}

// hostList splits the addresses of several servers; a port that is missing is 3306.
func hostList(text string) ([]string, error) {
	hosts := strings.Split(text, ",")
	for i, h := range hosts {
		h = strings.TrimSpace(h)
		if h == "" {
			return nil, badDSN("one of the addresses is empty")
		}
		if _, _, err := net.SplitHostPort(h); err != nil {
			h = net.JoinHostPort(strings.Trim(h, "[]"), "3306")
		}
		hosts[i] = h
	}
	return hosts, nil
}

func parseSQLite(path string) (DSN, error) {
	if strings.HasPrefix(path, "//") {
		return DSN{}, badDSN("after sqlite: comes a path, without //")
	}
	if path == "" || strings.HasPrefix(path, ":") || strings.ContainsRune(path, 0) {
		return DSN{}, badDSN("after sqlite: comes the path of a file")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return DSN{}, badDSN("the path of the file cannot be made absolute")
	}
	return DSN{dialect: sqliteDialect(), path: abs}, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// String returns the DSN without password and parameters, for messages and logs.
func (d DSN) String() string {
	if d.mysql == nil {
		return "sqlite:" + d.path
	}
	return "mysql://" + d.mysql.User + "@" + d.mysql.Net + "(" + d.mysql.Addr + ")/" + d.mysql.DBName
}
