package config_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/internal/config"
)

// contract lists the keys of v1's files, as its documents and samples have them.
func contract() map[config.Kind]string {
	return map[config.Kind]string{
		config.Monitor: `DEBUG NUM_WORKERS NUM_TO_PROCESS DATASET_SIZE WORKER_MAX_CHECKS WORKER_MAX_MEM_MB
			DB_UPDATES_ENABLE BUCKET_NO_MIN BUCKET_NO_MAX BATCH_SIZE AUTH_TOKEN VERIFLIER_BATCH_SIZE SQL_UPDATE_BATCH
			DB_CONFIG_UPDATES_MIN PEER_OFFLINE_LIMIT NUM_OF_CHECKS TIME_BETWEEN_CHECKS_SEC STATS_UPDATE_INTERVAL_MS
			STATSD_SEND_MEM_USAGE TIME_BETWEEN_NOTICES_MIN MIN_TIME_BETWEEN_ROUNDS_SEC TIMEOUT_FOR_REQUESTS_SEC
			USE_VARIABLE_CHECK_INTERVALS VERIFIERS WPCOM_NOTIFY_ENABLE`,
		config.Veriflier: `veriflier_name auth_token thread_pool_max max_pending_conns max_redirects max_checkers max_checks
			net_comms_timeout debug listen_port jetmon_server_port privatekey_file privatecert_file monitors`,
		config.Database: `misc datacentre read write`,
		config.Environment: `MYSQLDB_USER MYSQLDB_ROOT_PASSWORD MYSQLDB_DATABASE MYSQLDB_LOCAL_PORT MYSQLDB_DOCKER_PORT
			JETMON_LOCAL_PORT JETMON_DOCKER_PORT JETMON_STATUS_LOCAL_PORT JETMON_STATUS_DOCKER_PORT WPCOM_JETMON_AUTH_TOKEN
			VERIFLIER_LOCAL_PORT VERIFLIER_DOCKER_PORT VERIFLIER_AUTH_TOKEN`,
	}
}

func TestEveryKeyOfV1IsInTheTableOnceAndExplained(t *testing.T) {
	t.Parallel()
	for kind, names := range contract() {
		for _, name := range strings.Fields(names) {
			if _, ok := config.Lookup(kind, name); !ok {
				t.Errorf("%s: %s is not in the table", kind, name)
			}
		}
	}
	seen := map[string]bool{}
	for _, k := range config.Keys() {
		id := k.File.String() + k.Name
		if seen[id] {
			t.Errorf("%s: %s stands there twice", k.File, k.Name)
		}
		seen[id] = true
		if k.Was == "" || k.Here == "" || strings.Contains(k.Was+k.Here, "\n") {
			t.Errorf("%s: %s is not explained in one line: %q, %q", k.File, k.Name, k.Was, k.Here)
		}
	}
}

// The page for operators is the table.
func TestThePageOfKeysIsTheTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/v1-keys.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range config.Keys() {
		row := "| `" + k.Name + "` | " + k.Was + " | " + k.Here + " |"
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/v1-keys.md lacks the line\n%s", row)
		}
	}
	if rows := len(regexp.MustCompile("(?m)^\\| `").FindAll(text, -1)); rows != len(config.Keys()) {
		t.Errorf("docs/v1-keys.md has %d rows, the table %d", rows, len(config.Keys()))
	}
}

const samplePHP = `$db_servers = array(
	'misc' => array(
		array( 'iad', 0, 1, 'db1.example.org:3306', '10.0.0.1:3306', 'jetmon_db', 'jetmon', 'se,cr\'et @x/y', null, null, 30 ),
		array( 'iad', 1, 0, 'db2.example.org:3306', '10.0.0.2:3306', 'jetmon_db', 'jetmon', 'other', null, null, 30 ),
	),
	'users' => array(
		array( 'iad', 0, 1, 'users.example.org:3306', '10.0.0.3:3306', 'u', 'u', 'u', null, null, 30 ),
	)
);
`

func TestFilesAreToldApartByTheirContent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		want       config.Kind
	}{
		{"a config.json", `{"NUM_OF_CHECKS": 3}`, config.Monitor},
		{"a config.json behind a byte order mark", "\ufeff{\"DEBUG\": true}", config.Monitor},
		{"an empty object", `{}`, config.Monitor},
		{"a veriflier.json", ` {"listen_port": 7801}`, config.Veriflier},
		{"a db-config.conf", samplePHP, config.Database},
		{"an environment", "# docker\nMYSQLDB_USER=root\n\nexport VERIFLIER_AUTH_TOKEN='x'\n", config.Environment},
		{"our own", "listen: 127.0.0.1:7800\n", config.Own},
		{"our own, with a list", "veriflier:\n- name=a,region=b,addr=c:1\n", config.Own},
		{"nothing", "", config.Own},
		{"only a comment", "# nothing\n", config.Own},
	} {
		if got := config.Recognise([]byte(tt.text)); got != tt.want {
			t.Errorf("%s is taken for %s, is %s", tt.name, got, tt.want)
		}
	}
}

func parse(t *testing.T, text string) *config.File {
	t.Helper()
	f, err := config.Parse([]byte(text), "/srv/jetmon")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheMasterOfMiscIsTheDatabase(t *testing.T) {
	t.Parallel()
	master := func(host string) string {
		return "\t\tarray( 'iad', 0, 1, '" + host + "', '', 'd', 'u', 'p', null, null, 30 ),\n"
	}
	misc := func(rows string) string { return "$db_servers = array(\n\t'misc' => array(\n" + rows + "\t)\n);\n" }
	for _, tt := range []struct{ name, text, dsn, wrong string }{
		{"commas, quotes, blanks, at signs and slashes belong to a password", samplePHP, `mysql://jetmon:se,cr'et @x/y@tcp(db1.example.org:3306)/jetmon_db`, ""},
		{"a server without a port", misc(master("db1")), "mysql://u:p@tcp(db1:3306)/d", ""},
		{"several masters are tried in turn", misc(master("db1:3306") + master("db2:3307")), "mysql://u:p@tcp(db1:3306,db2:3307)/d", ""},
		{"a comma outside quotes", misc("\t\tarray( 'iad', 0, 1, 'h:1', 'h:1', 'd', 'u', hunt,er2, null, null, 30 ),\n"), "", "line 3: a server has 11 fields, this one 12"},
		{"a quote inside a text", misc("\t\tarray( 'iad', 0, 1, 'h:1', 'h:1', 'd', 'u', 'hunt'er2', null, null, 30 ),\n"), "", `line 3: after field 8 comes neither a comma nor a parenthesis: a quote inside a text is written \'`},
		{"a quote that is not closed", misc("\t\tarray( 'iad', 0, 1, 'h:1', 'h:1', 'd', 'u', 'hunter2, null, null, 30 ),\n"), "", "line 3: field 8: a quote is not closed"},
		{"no master", misc("\t\tarray( 'iad', 1, 0, 'h:1', 'h:1', 'd', 'u', 'p', null, null, 30 ),\n"), "", "no server with write = 1"},
		{"no dataset misc", strings.ReplaceAll(misc(master("h")), "misc", "users"), "", "no server with write = 1"},
		{"masters of different databases", misc(master("a") + strings.Replace(master("b"), "'d'", "'e'", 1)), "", "different databases"},
	} {
		f, err := config.Parse([]byte(tt.text), "")
		if err == nil {
			err = f.Err()
		}
		switch {
		case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.wrong)
		case tt.wrong == "" && (err != nil || f.Flag("coordinator", "db") != tt.dsn):
			t.Errorf("%s: %v, %v; want %q", tt.name, f.Flag("coordinator", "db"), err, tt.dsn)
		}
		if err != nil && strings.Contains(err.Error(), "hunt") {
			t.Errorf("%s: the error shows the password: %v", tt.name, err)
		}
	}
}

// v1 did not visit the last bucket when it lay whole batches above the first.
func TestBucketsAreThoseThatV1Visited(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]any{
		`{"BUCKET_NO_MIN": 0, "BUCKET_NO_MAX": 512, "BATCH_SIZE": 32}`:   {"0", "511"},
		`{"BUCKET_NO_MIN": 16, "BUCKET_NO_MAX": 512, "BATCH_SIZE": 32}`:  {"16", "511"},
		`{"BUCKET_NO_MIN": 0, "BUCKET_NO_MAX": 256, "BATCH_SIZE": 32}`:   {"0", "255"},
		`{"BUCKET_NO_MIN": 256, "BUCKET_NO_MAX": 512}`:                   {"256", "511"},
		`{"BUCKET_NO_MIN": 0, "BUCKET_NO_MAX": 85, "BATCH_SIZE": 32}`:    {"0", "85"},
		`{"BUCKET_NO_MIN": 0, "BUCKET_NO_MAX": 80, "BATCH_SIZE": 16}`:    {"0", "79"},
		`{"BUCKET_NO_MIN": "0", "BUCKET_NO_MAX": "80", "BATCH_SIZE": 7}`: {"0", "80"},
		`{"BUCKET_NO_MIN": 8, "BUCKET_NO_MAX": 8}`:                       {"8", "8"},
	} {
		f := parse(t, text)
		if got := [2]any{f.Flag("coordinator", "bucket-min"), f.Flag("coordinator", "bucket-max")}; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestOneIntervalForAllUnlessIntervalsVary(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`{"USE_VARIABLE_CHECK_INTERVALS": false, "MIN_TIME_BETWEEN_ROUNDS_SEC": 300}`: "5m0s",
		`{"MIN_TIME_BETWEEN_ROUNDS_SEC": 60}`:                                         "1m0s", // v1 took a missing one for false
		`{"USE_VARIABLE_CHECK_INTERVALS": true, "MIN_TIME_BETWEEN_ROUNDS_SEC": 300}`:  nil,
		`{"USE_VARIABLE_CHECK_INTERVALS": false}`:                                     nil,
		`{}`: nil,
	} {
		if got := parse(t, text).Flag("coordinator", "interval"); got != want {
			t.Errorf("%s: --interval %v, want %v", text, got, want)
		}
	}
}

func TestAVeriflierJSONBecomesFlags(t *testing.T) {
	t.Parallel()
	f := parse(t, `{"veriflier_name": "Veriflier 1", "auth_token": "secret", "thread_pool_max": 4, "max_pending_conns": 256,
		"max_redirects": 2, "max_checkers": 10, "max_checks": 1000, "net_comms_timeout": 30000, "debug": true,
		"listen_port": 7801, "jetmon_server_port": 7800, "privatekey_file": "./certs/veriflier.key",
		"privatecert_file": "/etc/veriflier.crt", "monitors": [{"name": "m", "host": "h", "auth_token": "x"}]}`)
	want := map[string]any{
		"name": "Veriflier 1", "listen": ":7801", "log-level": "debug", "max-in-flight": "10000",
		"tls-key": "/srv/jetmon/certs/veriflier.key", "tls-cert": "/etc/veriflier.crt",
	}
	if diff := cmp.Diff(want, f.Flags["veriflier"]); diff != "" || f.Err() != nil {
		t.Errorf("%v, flags (-want +got):\n%s", f.Err(), diff)
	}
	if diff := cmp.Diff([]string{"secret"}, f.Accepted); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
	var ignored []string
	for _, s := range f.Ignored("veriflier") {
		ignored = append(ignored, s.Key.Name)
	}
	if got := strings.Join(ignored, " "); got != "thread_pool_max max_pending_conns max_redirects net_comms_timeout jetmon_server_port monitors" {
		t.Errorf("without effect: %s", got)
	}
}

func TestASecretIsNeverShown(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"config.json":     `{"AUTH_TOKEN": "S3CRET", "VERIFIERS": [{"name": "a", "host": "h", "auth_token": "S3CRET"}], "mailer": {"PASSWORD": "S3CRET"}, "API_TOKEN": "S3CRET"}`,
		"veriflier.json":  `{"auth_token": "S3CRET", "monitors": [{"auth_token": "S3CRET"}]}`,
		"broken list":     `{"VERIFIERS": [{"name": 1, "auth_token": "S3CRET"}]}`,
		"a secret number": `{"AUTH_TOKEN": ["S3CRET"]}`,
		"db-config.conf":  strings.ReplaceAll(samplePHP, "cr", "S3CRET"),
		"an environment":  "MYSQLDB_ROOT_PASSWORD=S3CRET\nWPCOM_JETMON_AUTH_TOKEN=S3CRET\nVERIFLIER_AUTH_TOKEN=S3CRET\n",
		"our own":         "db: mysql://u:S3CRET:@/S3CRET@tcp(h:3306)/d\n",
	} {
		f := parse(t, text)
		for _, r := range f.Explain(map[string]string{"db": "Database"}) {
			if strings.Contains(r.Value+r.Here, "S3CRET") {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
}

func TestOurOwnFileSetsFlags(t *testing.T) {
	t.Parallel()
	f := parse(t, "# a comment\nlisten: 127.0.0.1:7800\nnum-of-checks: 3\ndb-updates: true\ntime-between-checks: 20s\n"+
		"veriflier:\n  - name=a,region=eu,addr=a:1\n  - {name: b, region: us, addr: \"b:1\"}\n")
	want := map[string]any{
		"listen": "127.0.0.1:7800", "num-of-checks": "3", "db-updates": "true", "time-between-checks": "20s",
		"veriflier": []any{"name=a,region=eu,addr=a:1", "name=b,region=us,addr=b:1"},
	}
	if diff := cmp.Diff(want, f.Flags[""]); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	if err := f.Unknown([]string{"listen", "num-of-checks", "db-updates", "time-between-checks", "veriflier"}, nil); err != nil {
		t.Error(err)
	}
}

func TestOurOwnFileIsReadStrictly(t *testing.T) {
	t.Parallel()
	flags := []string{"listen", "veriflier", "log-level", "num-of-checks"}
	others := map[string]string{"max-in-flight": "checker"}
	for _, tt := range []struct{ name, text, want string }{
		{"a slip of the pen", "listen: a:1\nveriflir: x\n", "line 2: there is no flag veriflir; did you mean veriflier?"},
		{"two letters that changed places", "log-leevl: debug\n", "line 1: there is no flag log-leevl; did you mean log-level?"},
		{"something else altogether", "\nbreakfast: yes\n", "line 2: there is no flag breakfast"},
		{"another role's flag", "max-in-flight: 3\n", "line 1: max-in-flight is a flag of jetmon checker"},
		{"a flag that stands there twice", "listen: a:1\nlisten: b:1\n", "line 2: listen: stands already in line 1"},
		{"a key without a value", "listen:\n", "line 1: listen: has no value"},
		{"a value that is a mapping", "listen:\n  host: a\n", "line 1: listen: must be a text or a list of texts"},
		{"a list of lists", "veriflier: [[a]]\n", "line 1: veriflier: must be a text or a list of texts"},
		{"a list at the top", "- listen\n", "line 1: must have a line `flag: value` for each flag"},
		{"broken YAML", "listen: [\n", "is no YAML: line"},
		{"two documents", "listen: a:1\n---\nlisten: b:1\n", "more than one YAML document"},
	} {
		f, err := config.Parse([]byte(tt.text), "")
		if err == nil {
			err = f.Err()
		}
		if err == nil {
			err = f.Unknown(flags, others)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAKeyThatV1DidNotHaveIsExplainedByTheNearest(t *testing.T) {
	t.Parallel()
	rows := parse(t, "{\n\"NUM_OF_CHEKCS\": 3,\n\"WHATEVER\": 1\n}").Explain(nil)
	want := []config.Row{
		{Key: "NUM_OF_CHEKCS", Line: 2, Value: "3", Effect: config.NoUse, Was: "-", Here: "Nothing: v1 has no such key; did you mean NUM_OF_CHECKS?"},
		{Key: "WHATEVER", Line: 3, Value: "1", Effect: config.NoUse, Was: "-", Here: "Nothing: v1 has no such key"},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{samplePHP, `{"VERIFIERS": [{"port": null}]}`, "a: [b, {c: d}]\n", "A=b\n", `{"DEBUG": "x"} y`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := config.Parse(text, "/h")
		if err != nil {
			return
		}
		for _, v := range file.Verifliers {
			if v.Name == "" || v.Host == "" || v.Port == "" || v.Region == "" {
				t.Errorf("took over a veriflier that is not valid: %+v", v)
			}
		}
		file.Explain(nil)
	})
}
