package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/internal/config"
)

func TestExplainPrintsWhatEachKeyOfAFileMeans(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		code       int
		want       []string
		never      string
	}{
		{"config.json", sampleConfig, exitOK, []string{"is v1's config.json", "PEER_OFFLINE_LIMIT", "--peer-offline-limit", "NUM_WORKERS"}, "wpcom-secret"},
		{"veriflier.json", `{"veriflier_name": "eu1", "auth_token": "hunter2"}`, exitOK, []string{"is v1's veriflier.json", "eu1", "***", "--token-file takes precedence"}, "hunter2"},
		{"db-config.conf", "$db_servers = array(\n\t'misc' => array(\n\t\tarray( 'iad', 0, 1, 'db1:3306', 'x', 'd', 'u', 'hunter2', null, null, 30 ),\n", exitOK, []string{"is v1's db-config.conf", "misc[1].write", "db1:3306", "***"}, "hunter2"},
		{"an environment", "MYSQLDB_ROOT_PASSWORD=hunter2\n", exitOK, []string{"is v1's docker/.env", "MYSQLDB_ROOT_PASSWORD", "JETMON_DB=@FILE"}, "hunter2"},
		{"our own", "num-of-checks: 2\nlisten: 127.0.0.1:1\n", exitOK, []string{"is Jetmon's own", "num-of-checks", "Failing checks before", "(coordinator, veriflier, gateway)"}, "refused"},
		{"a value that is refused", `{"NUM_OF_CHECKS": "three"}`, exitFailed, []string{"refused", `must be a whole number, is "three"`}, "XXX"},
		{"a flag that does not exist", "num-of-cheks: 2\n", exitFailed, []string{"refused", "did you mean num-of-checks?"}, "XXX"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, "file", tt.text)
			code, stdout, stderr := run(t, nil, "config", "explain", path)
			if code != tt.code || stderr != "" {
				t.Errorf("exit code %d, stderr %q", code, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("does not say %q:\n%s", want, stdout)
				}
			}
			if strings.Contains(stdout, tt.never) {
				t.Errorf("says %q:\n%s", tt.never, stdout)
			}
			code, stdout, _ = run(t, nil, "config", "explain", "--json", path)
			var files []struct {
				File, Kind string
				Keys       []struct{ Key, Value, Effect, Here string }
			}
			if err := json.Unmarshal([]byte(stdout), &files); err != nil || code != tt.code {
				t.Fatalf("exit code %d, %v in %s", code, err, stdout)
			}
			if len(files) != 1 || files[0].File != path || len(files[0].Keys) == 0 || files[0].Keys[0].Here == "" || strings.Contains(stdout, tt.never) {
				t.Errorf("JSON: %s", stdout)
			}
		})
	}
}

func TestExplainWithoutAFilePrintsTheWholeTable(t *testing.T) {
	t.Parallel()
	code, stdout, _ := run(t, nil, "config", "explain")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, k := range config.Keys() {
		if !strings.Contains(stdout, k.Name) || !strings.Contains(stdout, k.Here) {
			t.Errorf("lacks %s", k.Name)
		}
	}
}

func TestExplainOfAFileThatIsNotThereIsAMistake(t *testing.T) {
	t.Parallel()
	code, _, stderr := run(t, nil, "config", "explain", filepath.Join(t.TempDir(), "absent"))
	if code != exitUsage || !strings.Contains(stderr, "no such file") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// v1's folder: config/config.json, config/db-config.conf, certs/jetmon.crt and .key.
func TestWhatV1HadBesideItsConfigIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"config/config.json":    `{"AUTH_TOKEN": "x", "USE_VARIABLE_CHECK_INTERVALS": false, "MIN_TIME_BETWEEN_ROUNDS_SEC": 300}`,
		"config/db-config.conf": "$db_servers = array(\n\t'misc' => array(\n\t\tarray( 'iad', 0, 1, 'db1:3306', 'x', 'd', 'u', 'pa,ss', null, null, 30 ),\n",
		"certs/jetmon.crt":      "", "certs/jetmon.key": "",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parse := func(args ...string) coordinatorCommand {
		p := &program{LookupEnv: func(string) (string, bool) { return "", false }}
		table, values := &commands{}, &settings{program: p}
		parser, err := newParser(p, table, values)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(append([]string{"coordinator", "--config=" + dir + "/config/config.json"}, args...)); err != nil || values.err != nil {
			t.Fatal(err, values.err)
		}
		return table.Coordinator
	}
	c := parse()
	if c.DB != "mysql://u:pa,ss@tcp(db1:3306)/d" || c.WPCOMCert != dir+"/certs/jetmon.crt" || c.WPCOMKey != dir+"/certs/jetmon.key" {
		t.Errorf("database %q, certificate %q, key %q", c.DB, c.WPCOMCert, c.WPCOMKey)
	}
	if c.Interval != 5*time.Minute {
		t.Errorf("interval %s, want v1's 300 s for every site", c.Interval)
	}
	if c = parse("--db=sqlite:x", "--wpcom-cert=y", "--interval=7s"); c.DB != "sqlite:x" || c.WPCOMCert != "y" || c.Interval != 7*time.Second {
		t.Errorf("database %q, certificate %q, interval %s: a flag takes precedence", c.DB, c.WPCOMCert, c.Interval)
	}
}

// What works on a coordinator's database takes v1's file for it, too.
func TestEveryCommandThatNeedsADatabaseTakesV1sFile(t *testing.T) {
	t.Parallel()
	path := write(t, "db-config.conf", "$db_servers = array(\n\t'misc' => array(\n\t\tarray( 'iad', 0, 1, '127.0.0.1:1', 'x', 'd', 'u', 'hunter2', null, null, 30 ),\n")
	for _, command := range []string{"migrate", "handover --buckets=0-15 --from=v1", "parity"} {
		code, _, stderr := run(t, nil, append(strings.Fields(command), "--db-config="+path)...)
		if code != exitFailed || !strings.Contains(stderr, "mysql://u@tcp(127.0.0.1:1)/d") || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s: exit code %d, %q", command, code, stderr)
		}
	}
}

// v1's docker variables configure nothing, and each is said once.
func TestV1sDockerVariablesAreWarnedAbout(t *testing.T) {
	t.Parallel()
	text := newOutput()
	p := &program{LookupEnv: func(name string) (string, bool) { return "hunter2", name == "MYSQLDB_ROOT_PASSWORD" }}
	p.warn(slog.New(slog.NewTextHandler(text, nil)), "coordinator")
	if got := text.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "variable=MYSQLDB_ROOT_PASSWORD") || strings.Contains(got, "hunter2") {
		t.Errorf("log:\n%s", got)
	}
}

func TestRangesOfBucketsThatCutAShardAreRefusedWithTheNearest(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"--bucket-max=85":                  "0..85 cuts a shard of 16 buckets, and nobody could watch the rest of it: the nearest ranges are 0..79 or 0..95",
		"--bucket-min=86 --bucket-max=170": "the nearest ranges are 96..159 or 80..175",
		"--bucket-min=3 --bucket-max=5":    "the nearest ranges are 0..15",
	} {
		db := "--db=sqlite:" + filepath.Join(t.TempDir(), "unused.db")
		code, _, stderr := run(t, nil, append([]string{"coordinator", db}, strings.Fields(args)...)...)
		if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q; want %q", args, code, stderr, want)
		}
	}
}

func TestWordPressComsTokenIsNotSentInClear(t *testing.T) {
	t.Parallel()
	token, tokens := write(t, "token", "secret\n"), write(t, "tokens", "checker "+oursToken+"\n")
	for args, refused := range map[string]bool{
		"--wpcom-url=http://jetpack.example.org/jetmon/":             true,
		"--insecure --wpcom-url=http://jetpack.example.org/":         false,
		"--wpcom-url=http://127.0.0.1:9000/":                         false,
		"--wpcom-url=http://jetpack.example.org/jetmon/ --no-notify": false,
		"--wpcom-url=https://jetpack.example.org/":                   false,
	} {
		p := &program{LookupEnv: func(string) (string, bool) { return "", false }}
		table := &commands{}
		parser, err := newParser(p, table, &settings{program: p})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(append([]string{"coordinator", "--db=sqlite:x", "--wpcom-token-file=" + token}, strings.Fields(args)...)); err != nil {
			t.Fatal(err)
		}
		if !table.Coordinator.serveFlags.Insecure {
			table.Coordinator.serveFlags.TokenFile = tokens
		}
		if _, err := table.Coordinator.options(p); (err != nil) != refused {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestAVeriflierTakesV1sFile(t *testing.T) {
	t.Parallel()
	config := write(t, "veriflier.json", `{"veriflier_name": "Veriflier 1", "auth_token": "hunter2", "max_redirects": 2, "debug": true}`)
	v := start(t, "veriflier", "--config="+config, "--listen=127.0.0.1:0")
	v.errs.find(t, `msg=started veriflier="Veriflier (1)"`)
	v.errs.find(t, `level=WARN msg="v1's key has no effect" file=\S+ key=max_redirects instead="Nothing to do: ten are followed`)
	if got := v.errs.String(); strings.Contains(got, "hunter2") || strings.Contains(got, "key=debug") {
		t.Errorf("log:\n%s", got)
	}
}

func TestACheckerTakesTheRoomOfV1sWorkers(t *testing.T) {
	t.Parallel()
	p := &program{LookupEnv: func(string) (string, bool) { return "", false }}
	table := &commands{}
	parser, err := newParser(p, table, &settings{program: p})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"checker", "--coordinator=a:1", "--config=" + write(t, "config.json", `{"NUM_WORKERS": 60, "NUM_TO_PROCESS": 40}`)}); err != nil {
		t.Fatal(err)
	}
	if table.Checker.MaxInFlight != 2400 {
		t.Errorf("--max-in-flight is %d, want 60 workers of 40", table.Checker.MaxInFlight)
	}
}

// One file of Jetmon's own for each role, with the same precedence: flag, environment, file.
func TestEveryRoleReadsJetmonsOwnFile(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"coordinator": "db: sqlite:x\nnum-of-checks: 2\nveriflier:\n  - {name: a, region: eu, addr: 'a:1'}\n  - name=b,region=us,addr=b:1\nlog-level: warn\n",
		"checker":     "coordinator: [a:1, b:1]\nlog-level: warn\n",
		"veriflier":   "name: eu1\nanchor:\n- https://a.example/\nlog-level: warn\n",
		"gateway":     "coordinator: a:1\nlog-level: warn\n",
	}
	for command, text := range files {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			level := func(env map[string]string, args ...string) string {
				t.Helper()
				p := &program{LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
				table, values := &commands{}, &settings{program: p}
				parser, err := newParser(p, table, values)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := parser.Parse(append([]string{command, "--config=" + write(t, "jetmon.yaml", text)}, args...)); err != nil || values.err != nil {
					t.Fatal(err, values.err)
				}
				if command == "coordinator" {
					want := []member{{Name: "a", Region: "eu", Addr: "a:1"}, {Name: "b", Region: "us", Addr: "b:1"}}
					if diff := cmp.Diff(want, table.Coordinator.Veriflier); diff != "" {
						t.Errorf("verifliers (-want +got):\n%s", diff)
					}
				}
				if command == "checker" && len(table.Checker.Coordinator) != 2 {
					t.Errorf("coordinators %v", table.Checker.Coordinator)
				}
				return map[string]string{"coordinator": table.Coordinator.LogLevel, "checker": table.Checker.LogLevel,
					"veriflier": table.Veriflier.LogLevel, "gateway": table.Gateway.LogLevel}[command]
			}
			env := map[string]string{"JETMON_LOG_LEVEL": "error"}
			if a, b, c := level(nil), level(env), level(env, "--log-level=debug"); a != "warn" || b != "error" || c != "debug" {
				t.Errorf("the file's %s, the environment's %s, the flag's %s", a, b, c)
			}
		})
	}
}

func TestAMistakeInOurOwnFileIsOneLineWithItsPlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listen: 127.0.0.1:0\nveriflir: x\n": "line 2: there is no flag veriflir; did you mean veriflier?",
		"coordinator: a:1\n":                 "line 1: coordinator is a flag of jetmon ",
		"config: x\n":                        "line 1: there is no flag config",
		"num-of-checks: three\n":             "--num-of-checks",
		"listen: [\n":                        "is no YAML",
	} {
		code, _, stderr := run(t, nil, "coordinator", "--db=sqlite:x", "--config="+write(t, "jetmon.yaml", text))
		if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: exit code %d, %q; want %q", text, code, stderr, want)
		}
	}
}
