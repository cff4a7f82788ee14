package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// startOnLoopback starts a coordinator whose subscriptions may lead to this machine, and returns
// its address.
func startOnLoopback(t *testing.T) string {
	t.Helper()
	db := "--db=sqlite:" + filepath.Join(t.TempDir(), "jetmon.db")
	if code, _, stderr := run(t, nil, "migrate", db); code != exitOK {
		t.Fatal(stderr)
	}
	c := start(t, "coordinator", db, "--listen=127.0.0.1:0", "--no-notify", "--veriflier=name=v,region=eu,addr=127.0.0.1:1", "--webhooks-allow-private")
	api := c.errs.find(t, `msg=started.* role=coordinator.* address=(\S+)`)
	answers(t, api)
	return api
}

func TestSubscriptionsAreManagedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	api := startOnLoopback(t)
	var code int
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte("bearer " + r.Header.Get("Authorization")))
	}))
	t.Cleanup(endpoint.Close)
	secret := filepath.Join(t.TempDir(), "bearer")
	if err := os.WriteFile(secret, []byte("sesame-bearer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(want int, args ...string) string {
		t.Helper()
		got, stdout, stderr := run(t, nil, append(append([]string{"subscriptions"}, args...), "--server="+api)...)
		if got != want || strings.Contains(stdout+stderr, "sesame") {
			t.Fatalf("%q: exit code %d, want %d: %s%s", args, got, want, stdout, stderr)
		}
		return stdout + stderr
	}
	has := func(text, want string) {
		t.Helper()
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("want %s in\n%s", want, text)
		}
	}
	made := do(exitOK, "add", "pager", "--kind=webhook", "--url="+endpoint.URL+"/?key=sesame-query", "--bearer-file="+secret,
		"--tag=shop,eu", "--type=site-down,advisory-opened", "--advisory=tls-expiring", "--delay=2m", "--rate=5")
	has(made, `(?s)subscription +1\n.*where +\S+/\?key=\*\*\*.*told +site-down,advisory-opened of tag shop,eu of advisory tls-expiring\n.*delay +2m0s.*\n\nThe secret that signs is shown this once:\nwhsec_\S+\n$`)
	has(do(exitOK, "list"), `1 +pager +webhook +active`)
	has(do(exitOK, "get", "1"), `bearer token +set`)
	code = http.StatusAccepted
	has(do(exitOK, "test", "1"), `^accepted after .*: HTTP 202: bearer Bearer \[secret\]`)
	code = http.StatusForbidden
	has(do(exitFailed, "test", "1"), `^refused after .*: HTTP 403`)
	has(do(exitOK, "edit", "1", "--clear=types,advisories,delay", "--name=night", "--blog=7"), `(?s)name +night\n.*told +changes of status of blog 7 of tag shop,eu\n`)
	has(do(exitFailed, "edit", "1", "--burst=3", "--if-match=old"), `edited since`)
	has(do(exitOK, "rotate", "1"), `(?s)signed with +2 secrets.*whsec_`)
	if again := do(exitOK, "rotate", "1", "--finish"); strings.Contains(again, "whsec_") {
		t.Errorf("finished: %s", again)
	}
	has(do(exitOK, "disable", "1"), `state +disabled`)
	has(do(exitOK, "enable", "1"), `state +active`)
	if run, stdout, stderr := run(t, nil, "notifications", "list", "--subscription=1", "--state=dead,waiting", "--since=1h", "--json", "--server="+api); run != exitOK || !strings.Contains(stdout, `"notifications": []`) {
		t.Errorf("%d: %s%s", run, stdout, stderr)
	}
	if run, stdout, stderr := run(t, nil, "notifications", "replay", "--subscription=1", "--server="+api); run != exitOK || stdout != "0 notifications are told again\n" {
		t.Errorf("%d: %s%s", run, stdout, stderr)
	}
	var got struct {
		Subscriptions []struct {
			SubscriptionID string `json:"subscription_id"`
			Kind           string
		}
	}
	if err := json.Unmarshal([]byte(do(exitOK, "list", "--json")), &got); err != nil || len(got.Subscriptions) != 1 || got.Subscriptions[0].Kind != "SUBSCRIPTION_KIND_WEBHOOK" {
		t.Errorf("%v: %+v", err, got)
	}
	has(do(exitUsage, "delete", "1"), `give --yes`)
	has(do(exitOK, "delete", "1", "--yes"), `subscription 1 deleted`)
	has(do(exitFailed, "get", "1"), `there is no subscription 1`)
}

func TestMistakesWithSubscriptions(t *testing.T) {
	t.Parallel()
	api := startOnLoopback(t)
	for args, want := range map[string]string{
		"add a --url=https://a.example/":                               `--kind`,
		"add a --kind=pigeon --url=https://a.example/":                 `--kind: must be one of .*webhook`,
		"add a --kind=webhook":                                         `subscription.url: must be given`,
		"add a --kind=webhook --url=ftp://a.example/":                  `subscription.url: must begin with https`,
		"add a --kind=webhook --url=http://a.example/ --url-file=/dev": `exclude each other`,
		"add a --kind=email --to=ops@example.com":                      `no mail server is configured`,
		"add a --kind=webhook --url=https://a.example/ --type=down":    `--type: must be one of .*site-down`,
		"add a --kind=alertmanager --url=https://a.example/ --label=x": `--label`,
		"add a --kind=webhook --url=https://a.example/ --label=x=y":    `subscription.labels: is not of this kind`,
		"add a --kind=webhook --url=https://a.example/ --delay=soon":   `--delay`,
		"edit 1":                             `nothing to change`,
		"edit 1 --clear=kind":                `--clear`,
		"edit 1 --delay=1m --clear=delay":    `another flag sets delay`,
		"get 0":                              `0 is no id`,
		"edit 1 --bearer-file=/no/such/file": `--bearer-file`,
	} {
		code, stdout, stderr := run(t, nil, append(append([]string{"subscriptions"}, strings.Fields(args)...), "--server="+api)...)
		if code != exitUsage || !regexp.MustCompile(want).MatchString(stderr) || stdout != "" {
			t.Errorf("%s: exit code %d, want %d and %s: %s%s", args, code, exitUsage, want, stdout, stderr)
		}
	}
}

func TestMistakesWithNotifications(t *testing.T) {
	t.Parallel()
	api := startOnLoopback(t)
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"list --state=sent":                    {exitUsage, `--state: must be one of .*delivered`},
		"list --site=-1":                       {exitUsage, `must not be negative`},
		"list --since=yesterday":               {exitUsage, `--since`},
		"show 99":                              {exitFailed, `there is no`},
		"show 0":                               {exitUsage, `notification_id`},
		"replay":                               {exitUsage, `give the id`},
		"replay 1 --subscription=2":            {exitUsage, `give the id`},
		"replay 1 --since=2h":                  {exitUsage, `need --subscription`},
		"replay --subscription=1 --delivered":  {exitUsage, `needs --since`},
		"replay 99":                            {exitFailed, `there is no`},
		"replay --subscription=99 --since=10h": {exitFailed, `there is no subscription 99`},
	} {
		code, stdout, stderr := run(t, nil, append(append([]string{"notifications"}, strings.Fields(args)...), "--server="+api)...)
		if code != want.code || !regexp.MustCompile(want.text).MatchString(stderr) || stdout != "" {
			t.Errorf("%s: exit code %d: %s%s", args, code, stdout, stderr)
		}
	}
}

func TestFlagsOfTheMailServer(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]string{
		"--smtp-from=a@example.com":                                                             `need --smtp-server`,
		"--smtp-server=mail.example":                                                            `not HOST:PORT`,
		"--smtp-server=mail.example:25":                                                         `sender`,
		"--smtp-server=mail.example:25 --smtp-from=a@example.com --smtp-user=a":                 `password`,
		"--smtp-server=mail.example:25 --smtp-from=a@example.com --smtp-ca=/no/such":            `--smtp-ca`,
		"--smtp-server=mail.example:25 --smtp-from=a@example.com --smtp-password-file=/no/such": `--smtp-password-file`,
		"--webhooks-ca=/no/such":                                                                `--webhooks-ca`,
		"--webhooks-allow=10.0.0.1":                                                             `--webhooks-allow`,
	} {
		args := append([]string{"coordinator", "--db=sqlite:" + filepath.Join(t.TempDir(), "x.db"), "--no-notify", "--veriflier=name=v,region=eu,addr=127.0.0.1:1"}, strings.Fields(flags)...)
		code, _, stderr := run(t, nil, args...)
		if code != exitUsage || !regexp.MustCompile(want).MatchString(stderr) {
			t.Errorf("%s: exit code %d: %s", flags, code, stderr)
		}
	}
}
