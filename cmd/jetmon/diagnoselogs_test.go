package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestDiagnoseLogsPutsTheMaximumAgainstTheBuffers(t *testing.T) {
	t.Parallel()
	const stamp = "[03/Jan/2018:11:07:23 +0000]"
	var log strings.Builder
	fmt.Fprintf(&log, "1.2.3.4 - - %s \"GET /index.php HTTP/1.1\" 200 64156 \"-\" \"x\"\n", stamp)
	for i := range 50 {
		fmt.Fprintf(&log, "1.2.3.4 - - %s \"POST /xmlrpc.php?for=jetpack&token=bl0gs3cret&timestamp=%d&nonce=n0nces3cret&signature=s3cret HTTP/1.1\" 200 400 \"-\" \"Jetpack by WordPress.com\"\n", stamp, i)
	}
	access := write(t, "access.log", log.String()+"not a line\n")
	errors := write(t, "error.log", `2018/01/03 11:07:23 [error] 1#1: *1 FastCGI sent in stderr: "PHP message: Error checking in buffer: The buffer you checked in was not checked out" while reading upstream, request: "POST /xmlrpc.php?token=bl0gs3cret HTTP/1.1"`+"\n")
	code, stdout, stderr := run(t, nil, "diagnose", "logs", "--access="+access, "--error="+errors)
	if code != exitFailed || stderr != "" {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	text := strings.Join(strings.Fields(stdout), " ")
	for _, want := range []string{"64156*", "fastcgi_buffers 16 4k;", "first is line 52", "buffer_mismatch", "The cause: Jetpack Sync's lock"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "s3cret") {
		t.Errorf("a secret is in\n%s", stdout)
	}
	_, stdout, _ = run(t, nil, "diagnose", "logs", "--access="+access, "--error="+errors, "--json")
	var got struct {
		Diagnosis struct {
			Cause    string
			Findings []map[string]any
		}
		Proposed string `json:"proposed_fastcgi_buffers"`
		Dynamic  struct {
			Max int64 `json:"max_bytes"`
		} `json:"dynamic_responses"`
		Bad uint64 `json:"bad_lines"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatalf("%v:\n%s", err, stdout)
	}
	if got.Diagnosis.Cause != "sync_buffer_mismatch" || got.Proposed != "16x4k" || got.Dynamic.Max != 64156 || got.Bad != 1 || strings.Contains(stdout, "s3cret") {
		t.Errorf("%+v:\n%s", got, stdout)
	}
	for _, f := range got.Diagnosis.Findings {
		if f["advice"] == nil || f["cause"] == nil { // as REST has them, empty ones too
			t.Errorf("%v", f)
		}
	}
	code, _, _ = run(t, nil, "diagnose", "logs", "--access="+access, "--fastcgi-buffers=16x4k")
	if code != exitOK {
		t.Errorf("large enough buffers: exit code %d", code)
	}
}
