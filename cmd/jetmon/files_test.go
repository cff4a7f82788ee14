package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/panel"
)

// parse reads a command line of the coordinator up to the role's options.
func parseCoordinator(t *testing.T, env map[string]string, args ...string) (coordinator.Options, coordinatorCommand, *program) {
	t.Helper()
	p := &program{LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	table := &commands{}
	parser, err := newParser(p, table, &settings{program: p})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{"coordinator", "--insecure"}, args...)); err != nil {
		t.Fatal(err)
	}
	o, err := table.Coordinator.options(p)
	if err != nil {
		t.Fatal(err)
	}
	return o, table.Coordinator, p
}

const sampleConfig = `{
	"DEBUG": true, "NUM_WORKERS": 60, "BATCH_SIZE": 32,
	"NUM_OF_CHECKS": 2, "TIME_BETWEEN_CHECKS_SEC": 30, "TIME_BETWEEN_NOTICES_MIN": 45,
	"PEER_OFFLINE_LIMIT": 2, "BUCKET_NO_MIN": 16, "BUCKET_NO_MAX": 512,
	"DB_UPDATES_ENABLE": true, "WPCOM_NOTIFY_ENABLE": false, "AUTH_TOKEN": "wpcom-secret",
	"VERIFIERS": [
		{"name": "eu1", "host": "eu1.example.org", "port": "7801", "auth_token": "t1", "region": "eu"},
		{"name": "us1", "host": "2001:db8::1", "port": 7901, "auth_token": "t2"},
		{"name": "us2", "host": "us2.example.org", "auth_token": "t3"}
	]
}`

func TestLegacyConfigKeepsItsMeaning(t *testing.T) {
	t.Parallel()
	o, c, p := parseCoordinator(t, nil, "--db=sqlite:x", "--config="+write(t, "config.json", sampleConfig))
	var unused []string
	for _, s := range p.files.config.Ignored("coordinator") {
		unused = append(unused, s.Key.Name)
	}
	type values struct {
		Failures                uint8
		Between, Window         time.Duration
		Limit                   int
		First, Last             int
		Updates, Disabled       bool
		Token, LogLevel, Unused string
	}
	got := values{
		o.Policy.Failures, o.Policy.Between, o.Policy.NoticeWindow, o.PeerOfflineLimit,
		int(o.BucketMin), int(o.BucketMax), c.DBUpdates, o.Notify.Disabled, o.Notify.Token, c.LogLevel,
		strings.Join(unused, " "),
	}
	want := values{2, 30 * time.Second, 45 * time.Minute, 2, 16, 511, true, true, "wpcom-secret", "debug", "NUM_WORKERS"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	members := []panel.Member{
		{Name: "eu1", Region: "eu", Address: "eu1.example.org:7801", Token: "t1"},
		{Name: "us1", Region: "default", Address: "[2001:db8::1]:7901", Token: "t2"},
		{Name: "us2", Region: "default", Address: "us2.example.org:7801", Token: "t3"},
	}
	if diff := cmp.Diff(members, o.Verifliers); diff != "" {
		t.Errorf("verifliers (-want +got):\n%s", diff)
	}
}

func TestFlagsWinOverEnvironmentAndEnvironmentOverFile(t *testing.T) {
	t.Parallel()
	config := write(t, "config.json", sampleConfig)
	env := map[string]string{
		"JETMON_CONFIG": config, "JETMON_DB": "sqlite:x",
		"JETMON_NUM_OF_CHECKS": "4", "JETMON_TIME_BETWEEN_CHECKS": "5s", "JETMON_NO_NOTIFY": "false",
		"JETMON_VERIFLIER": "name=a,region=eu,addr=a:1  name=b,region=us,addr=b:2",
		"JETMON_LISTEN":    "", // empty is not set
	}
	o, c, _ := parseCoordinator(t, env, "--num-of-checks=5", "--wpcom-token-file="+write(t, "token", "other\n"))
	if o.Policy.Failures != 5 {
		t.Errorf("%d checks, want the flag's 5", o.Policy.Failures)
	}
	if o.Policy.Between != 5*time.Second {
		t.Errorf("%s between checks, want the environment's 5s", o.Policy.Between)
	}
	if o.Policy.NoticeWindow != 45*time.Minute {
		t.Errorf("%s between notifications, want the file's 45m", o.Policy.NoticeWindow)
	}
	if o.Notify.Disabled || o.Notify.Token != "other" {
		t.Errorf("disabled %t, token %q; want the environment's false and the flag's other", o.Notify.Disabled, o.Notify.Token)
	}
	if len(o.Verifliers) != 2 || o.Verifliers[1].Address != "b:2" {
		t.Errorf("verifliers %v, want the environment's two", o.Verifliers)
	}
	if c.Listen != "127.0.0.1:7800" {
		t.Errorf("listens on %s, want the default", c.Listen)
	}
}

func TestBrokenLegacyConfigIsOneLineAndExitCode2(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text, want string
	}{
		{"a file of another kind", `NUM_OF_CHECKS=3`, "is v1's docker/.env, which `jetmon coordinator` does not read"},
		{"a veriflier's file", `{"listen_port": 7801}`, "is v1's veriflier.json, which `jetmon coordinator` does not read"},
		{"JSON that is broken", "{\n\"NUM_OF_CHECKS\": 3,\n}", "is not a JSON object: line 3"},
		{"a number in words", `{"NUM_OF_CHECKS": "three"}`, `NUM_OF_CHECKS: must be a whole number, is "three"`},
		{"a number beyond reason", `{"TIME_BETWEEN_CHECKS_SEC": 1e30}`, "TIME_BETWEEN_CHECKS_SEC: must be a whole number"},
		{"a time below zero", `{"TIME_BETWEEN_CHECKS_SEC": -1}`, "--time-between-checks: must be more than 0"},
		{"a truth that is none", `{"DB_UPDATES_ENABLE": 1}`, "DB_UPDATES_ENABLE: must be true or false"},
		{"a veriflier without a host", `{"VERIFIERS": [{"name": "a"}]}`, "VERIFIERS: entry 1: host is missing"},
		{"a veriflier on no port", `{"VERIFIERS": [{"name": "a", "host": "h", "port": 70000}]}`, "port must be from 1 to 65535"},
		{"v1's sample, in which no site can ever be down", `{"PEER_OFFLINE_LIMIT": 3, "VERIFIERS": [{"name": "a", "host": "h", "port": "7801"}]}`, "no outage could ever be confirmed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := "--db=sqlite:" + filepath.Join(t.TempDir(), "unused.db")
			code, _, stderr := run(t, nil, "coordinator", "--insecure", db, "--config="+write(t, "config.json", tt.text))
			if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit code %d, stderr %q; want %d and one line with %q", code, stderr, exitUsage, tt.want)
			}
		})
	}
}
