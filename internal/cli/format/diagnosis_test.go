package format_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/jetpack"
)

func report() *jetpack.Report {
	return &jetpack.Report{
		URL: "http://a.example/", Took: 1234567 * time.Microsecond,
		Findings: []jetpack.Finding{
			{Section: jetpack.SectionWayIn, Check: "dns", Verdict: jetpack.Pass, Seen: "192.0.2.1", Means: "not shown", Do: "not shown"},
			{Section: jetpack.SectionWayIn, Check: "tcp", Verdict: jetpack.Skipped, Seen: "not\ttried"},
			{Section: jetpack.SectionXMLRPC, Check: "xmlrpc_post", Verdict: jetpack.Fail, Seen: "403 " + strings.Repeat("very ", 30) + "Forbidden",
				Means: "A firewall answers.", Do: "Let\x1b it in."},
			{Section: jetpack.SectionXMLRPC, Check: "xmlrpc_get", Verdict: jetpack.Warn, Seen: strings.Repeat("x", 300)},
		},
		Conclusion: "Most likely cause: a firewall.",
	}
}

func TestADiagnosisAsText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := format.Diagnosis(&b, report(), format.Style{Width: 110})
	want := `http://a.example/ (1.235s)

1  The way in
  pass  dns                192.0.2.1
  skip  tcp                not?tried

2  xmlrpc.php
  FAIL  xmlrpc_post        403 very very very very very very very very very very very very very very very very
                           very very very very very very very very very very very very very very Forbidden
                           means:  A firewall answers.
                           owner:  Let? it in.
  WARN  xmlrpc_get         ` + strings.Repeat("x", 300) + `

Most likely cause: a firewall.
`
	if err != nil || b.String() != want {
		t.Errorf("%v, got:\n%s\nwant:\n%s", err, &b, want)
	}
}

func TestColoursChangeNoText(t *testing.T) {
	t.Parallel()
	var plain, coloured bytes.Buffer
	if err := format.Diagnosis(&plain, report(), format.Style{}); err != nil {
		t.Fatal(err)
	}
	if err := format.Diagnosis(&coloured, report(), format.Style{Color: true}); err != nil {
		t.Fatal(err)
	}
	text := coloured.String()
	for _, code := range []string{"1", "2", "31", "32", "33"} {
		if !strings.Contains(text, "\x1b["+code+"m") {
			t.Errorf("nothing is in colour %s", code)
		}
		text = strings.ReplaceAll(text, "\x1b["+code+"m", "")
	}
	if text = strings.ReplaceAll(text, "\x1b[0m", ""); text != plain.String() {
		t.Errorf("without its colours:\n%s\nwant:\n%s", text, &plain)
	}
}

// logs reads a log with many requests for one page, and with calls of Jetpack.
func logs(t *testing.T, buffers string) *jetpack.LogReport {
	t.Helper()
	const stamp = `1.2.3.4 - - [03/Jan/2018:11:07:23 +0000] `
	size, err := jetpack.ParseBuffers(buffers)
	if err != nil {
		t.Fatal(err)
	}
	r, err := jetpack.ReadLogs(jetpack.Logs{Buffers: size, Top: 2, Access: strings.NewReader(
		strings.Repeat(stamp+`"GET /small.php HTTP/1.1" 200 100 "-" "x"`+"\n", 3) +
			stamp + `"GET /large.php?<b>&token=bl0gs3cret HTTP/1.1" 200 64156 "-" "x"` + "\n" +
			stamp + `"POST /xmlrpc.php?for=jetpack HTTP/1.1" 200 400 "-" "Jetpack by WordPress.com"` + "\nnot a line\n")})
	if err != nil {
		t.Fatal(err)
	}
	r.Took = 12345 * time.Microsecond
	return r
}

func TestLogsAsText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := format.Logs(&b, "access.log", logs(t, "8x4k"), false); err != nil {
		t.Fatal(err)
	}
	const want = `access.log (12ms)

Sizes of responses, in bytes
       count        MAX        AVG     median       99 %
           5      64156      12971        103      64156  status 200 and .php in the URL (as the usual awk counts)
           5      64156      12971        103      64156  all that PHP made
  The average misleads: one response that is too large is enough, and most are small.

Called most
       count    average     median       90 %       99 %    maximum  path
           3        100        100        100        100        100  /small.php
           1      64156      64156      64156      64156      64156* /large.php

Largest responses
       count    average     median       90 %       99 %    maximum  path
           1      64156      64156      64156      64156      64156* /large.php
           1        400        400        400        400        400  /xmlrpc.php?for=jetpack

6  The server's logs
`
	if !strings.HasPrefix(b.String(), want) {
		t.Errorf("got:\n%s\nwant first:\n%s", &b, want)
	}
	b.Reset()
	if err := format.Logs(&b, "access.log", logs(t, "16x4k"), false); err != nil || strings.Contains(b.String(), "*") {
		t.Errorf("%v; a maximum that fits is marked:\n%s", err, &b)
	}
}

func TestLogsAsJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := format.LogsJSON(&b, logs(t, "8x4k")); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"requests": "5", "bad_lines": "1", "fastcgi_buffers": `"8x4k"`, "proposed_fastcgi_buffers": `"16x4k"`, "responses_over_buffers": "1",
		"error_groups":                  "[]",
		"jetpack_calls":                 `{"count":1,"statuses":{"200":1},"user_agents":[{"name":"Jetpack by WordPress.com","count":1,"good":1}],"signed":0,"nonce_replays":0,"relayed":0}`,
		"php_responses_with_status_200": `{"count":5,"average_bytes":12971,"p50_bytes":103,"p90_bytes":64156,"p99_bytes":64156,"max_bytes":64156}`,
		"frequent_urls": `[{"path":"/small.php","count":3,"responses":{"count":3,"average_bytes":100,"p50_bytes":100,"p90_bytes":100,"p99_bytes":100,"max_bytes":100}},` +
			`{"path":"/large.php","count":1,"responses":{"count":1,"average_bytes":64156,"p50_bytes":64156,"p90_bytes":64156,"p99_bytes":64156,"max_bytes":64156}}]`,
	} {
		var compact bytes.Buffer
		if err := json.Compact(&compact, got[key]); err != nil || compact.String() != want {
			t.Errorf("%s is %s, %v, want %s", key, &compact, err, want)
		}
	}
	if !bytes.Contains(got["diagnosis"], []byte(`"advice": ""`)) {
		t.Errorf("the diagnosis is not as REST has it, with what is empty:\n%s", got["diagnosis"])
	}
	b.Reset()
	if err := format.LogsJSON(&b, logs(t, "16x4k")); err != nil || strings.Contains(b.String(), "proposed_fastcgi_buffers") {
		t.Errorf("%v; buffers are proposed although those given are enough:\n%s", err, &b)
	}
}
