package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// emptySystem starts a system that judges nothing soon, with one site that every system needs,
// and removes that.
func emptySystem(t *testing.T) (api string) {
	t.Helper()
	d := start(t, "dev", "--interval=60s", "--http=127.0.0.1:0", "--grpc=127.0.0.1:0", "--veriflier=127.0.0.1:0", "--no-demo", "--allow-private", "--site=http://127.0.0.1:9/first")
	api = d.out.find(t, `gRPC +(\S+) coordinator`)
	if code, _, stderr := run(t, nil, "sites", "delete", "1", "--yes", "--server="+api); code != exitOK {
		t.Fatal(stderr)
	}
	return api
}

// addSite adds a site and returns its id.
func addSite(t *testing.T, api, url string) string {
	t.Helper()
	code, stdout, stderr := run(t, nil, "sites", "add", url, "--json", "--server="+api)
	m := regexp.MustCompile(`"site_id": "(\d+)"`).FindStringSubmatch(stdout)
	if code != exitOK || m == nil {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	return m[1]
}

// runWith is run with stdin.
func runWith(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	p := program{LookupEnv: func(string) (string, bool) { return "", false }, In: strings.NewReader(stdin), Out: &out, Err: &errs}
	return p.Run(ctx, args), out.String(), errs.String()
}

func TestSitesAreManagedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	api := emptySystem(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "sites.csv")
	if err := os.WriteFile(file, []byte("url,tags\nhttp://127.0.0.1:9/i1,imported\nhttp://127.0.0.1:9/i2,Bad Tag!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args, stdin string
		code        int
		want        string
	}{
		{"sites add http://127.0.0.1:9/a --blog 7 --interval 2m --tag shop,eu --method get --required-text Hi --header X-Probe:1 --slow-after 2s", "", exitOK, `http://127\.0\.0\.1:9/a\n`},
		{"sites get 2", "", exitOK, `(?s)url +http://127\.0\.0\.1:9/a\nblog +7\n.*interval +120s\n.*tags +eu shop\nmethod +get\nslow after +2s\nmust contain +"Hi"\nheader +X-Probe: 1\n.*etag +\S+\n`},
		{"sites add http://127.0.0.1:9/a --blog 7", "", exitFailed, `^jetmon sites add: .*`},
		{"sites add -", "http://127.0.0.1:9/b\n\nnonsense\n", exitFailed, `(?s)9/b\n.*1 of 2 sites were refused`},
		{"sites add http://127.0.0.1:9/x --interval 5", "", exitUsage, `--interval: must be a duration with a unit, as 5m or 300s, is "5"`},
		{"sites add http://127.0.0.1:9/x --method post", "", exitUsage, `--method: must be one of head-then-get, head, get, is "post"`},
		{"sites add http://127.0.0.1:9/x --header nonsense", "", exitUsage, `--header: "nonsense" is not 'NAME: VALUE'`},
		{"sites edit 2 --add-tag new --remove-tag eu --interval 3m --clear required_texts", "", exitOK, `http://127\.0\.0\.1:9/a\n`},
		{"sites get 2 --json", "", exitOK, `(?s)"check_interval": "180s".*"required_texts": \[\].*"tags": \[\s+"new",\s+"shop"\s+\]`},
		{"sites list --tag shop -o ndjson", "", exitOK, `^\{"site_id":"2",[^\n]*\n$`},
		{"sites list --tag eu", "", exitOK, `URL\n$`},
		{"sites list --status running --changed-since 2h --order site_id", "", exitOK, `^ID .*URL\n$`},
		{"sites list --bucket 511 --limit 0 --json", "", exitOK, `^\{\n  "sites": \[\],\n  "next_page_token": ""\n\}\n$`},
		{"sites pause -", "2\n3\n", exitOK, `(?s)2 +7 +paused .*\n3 +0 +paused `},
		{"sites check 2", "", exitFailed, `site 2 is paused`},
		{"sites resume 2 3", "", exitOK, `9/a\n.*9/b\n$`},
		{"sites check 2", "", exitFailed, `^Site 2 is down: connect \(refused\), .*\n$`},
		{"sites check 2 3 -o ndjson", "", exitFailed, `^\{"site_id":"2","observation":\{"outcome":"OUTCOME_DOWN".*\n\{"site_id":"3",.*\n$`},
		{"sites edit 2 --interval 1m --if-match nonsense", "", exitFailed, `(?i)etag`},
		{"sites edit 2 --clear colour", "", exitUsage, `"colour" is no field`},
		{"sites edit 2 --clear tags --add-tag x", "", exitUsage, `give one kind`},
		{"sites edit 2 --interval 1m --clear check_interval", "", exitUsage, `another flag sets it`},
		{"sites edit 0 --interval 1m", "", exitUsage, `is no id`},
		{"sites edit 99 --interval 1m", "", exitFailed, `there is no site 99`},
		{"sites get x", "", exitUsage, `"x" is no id of a site`},
		{"sites get -", "\"2\"\nx\n", exitUsage, `(?s)9/a\n.*"x" is no id of a site`},
		{"sites delete -", "2\n", exitUsage, `ids come from stdin.*--yes`},
		{"sites delete 2", "", exitUsage, `without a terminal: give --yes`},
		{"sites delete 2 3 --yes --if-match x", "", exitUsage, `--if-match: is the etag of one site`},
		{"sites list --order random", "", exitUsage, `--order: must be`},
		{"sites list --changed-since yesterday", "", exitUsage, `--changed-since: "yesterday" is neither a time`},
		{"sites import " + file + " --dry-run", "", exitFailed, `(?s)9/i1 .*imported.*line 3: tags.*1 site would be added`},
		{"sites import " + file + " --errors " + filepath.Join(dir, "refused"), "", exitFailed, `2 rows: 1 created, 0 unchanged, 0 different \(left as they are\), 1 refused`},
		{"sites import - --format csv", "url,tags\nhttp://127.0.0.1:9/i1,imported\n", exitOK, `1 row: 0 created, 1 unchanged`},
		{"sites import " + dir, "", exitUsage, `is a folder`},
		{"sites import " + filepath.Join(dir, "nothing"), "", exitUsage, `no such file`},
		{"sites import " + file + " --format xml", "", exitUsage, `--format: must be csv`},
		{"sites export --format csv --tag imported", "", exitOK, `(?s)^url,blog_id,.*\nhttp://127\.0\.0\.1:9/i1,0,300s,false,imported,,,,,,,,,\n$`},
		{"sites delete - --yes", "2\n99\n", exitFailed, `(?s)Site 2 is deleted.*1 of 2 sites were refused`},
		{"fleet", "", exitOK, `(?s)COORDINATOR .*VERIFLIER.*Rule: 2 of 3`},
	} {
		code, stdout, stderr := runWith(t, tt.stdin, append(strings.Fields(tt.args), "--server="+api)...)
		if code != tt.code || !regexp.MustCompile(tt.want).MatchString(stdout+stderr) {
			t.Errorf("%s: exit code %d, want %d and %s:\n%s%s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "refused")); err != nil || !strings.HasPrefix(string(text), "line 3: ") {
		t.Errorf("the file of refused rows: %v: %s", err, text)
	}
}

func TestWhatOneSystemExportsAnotherImportsAndExportsByteForByte(t *testing.T) {
	t.Parallel()
	from := emptySystem(t)
	for _, args := range []string{
		"http://127.0.0.1:9/?a=,; --blog 7 --interval 255m --tag b,a --method get --redirect-policy fail --required-text Hi --forbidden-text <b>,\"x\" --header X-Probe:a:b --slow-after 1.5s --page-check always --tls-errors advise --paused",
		"http://127.0.0.1:9/plain",
	} {
		if code, _, stderr := run(t, nil, append([]string{"sites", "add", "--server=" + from}, strings.Fields(args)...)...); code != exitOK {
			t.Fatal(stderr)
		}
	}
	for _, format := range []string{"csv", "ndjson"} {
		code, first, stderr := run(t, nil, "sites", "export", "--format="+format, "--server="+from)
		if code != exitOK || strings.Count(first, "127.0.0.1:9/") != 2 {
			t.Fatalf("%s: exit code %d: %s%s", format, code, first, stderr)
		}
		to := emptySystem(t)
		if code, _, stderr := runWith(t, first, "sites", "import", "-", "--server="+to); code != exitOK {
			t.Fatalf("%s: %s", format, stderr)
		}
		if _, second, _ := run(t, nil, "sites", "export", "--format="+format, "--server="+to); second != first {
			t.Errorf("%s: first\n%s\nthen\n%s", format, first, second)
		}
	}
}
