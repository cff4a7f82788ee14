package jetpack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/accesslog"
	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// founding is the case of the founding document: at most 64,156 bytes, 1,056 on average,
// and the message that was mistaken for one about FastCGI's buffers.
func founding() (access, errors string) {
	var b strings.Builder
	line := func(uri string, status, size int, agent string) {
		fmt.Fprintf(&b, "192.0.87.45 - - [03/Jan/2018:11:07:23 +0000] \"POST %s HTTP/1.1\" %d %d \"-\" \"%s\"\n", uri, status, size, agent)
	}
	line("/wp-admin/admin-ajax.php", 200, 64156, "Mozilla")
	for i := range 99 {
		line(fmt.Sprintf("/xmlrpc.php?for=jetpack&token=bl0gs3cret&timestamp=15149956%02d&nonce=oUsecret&signature=us3rs3cret", i), 200, 419, "Jetpack by WordPress.com")
	}
	return b.String(), `2018/01/03 11:07:23 [error] 19069#19069: *5375915 FastCGI sent in stderr: "PHP message: Error checking in buffer: The buffer you checked in was not checked out" while reading upstream, client: 192.0.87.45, server: lance.bio, request: "POST /xmlrpc.php?for=jetpack&token=bl0gs3cret&signature=us3rs3cret HTTP/1.1", upstream: "fastcgi://unix:/run/php/php7.0-fpm.sock:", host: "lance.bio"
`
}

func readLogs(t *testing.T, o jetpack.Logs) *jetpack.LogReport {
	t.Helper()
	r, err := jetpack.ReadLogs(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheFoundingDocumentsSearchEndsInOneReport(t *testing.T) {
	t.Parallel()
	access, errs := founding()
	r := readLogs(t, jetpack.Logs{Access: strings.NewReader(access), Error: strings.NewReader(errs)})
	expect(t, &r.Report, "access_log", jetpack.Pass, "")
	expect(t, &r.Report, "response_sizes", jetpack.Warn, "fastcgi_buffers")
	expect(t, &r.Report, "jetpack_calls", jetpack.Pass, "")
	expect(t, &r.Report, "nonce_replays", jetpack.Pass, "")
	expect(t, &r.Report, "error_log_sync_buffer_mismatch", jetpack.Fail, "sync_buffer_mismatch")
	sizes := r.Find("response_sizes")
	for _, want := range []string{"64156", "average 105", "32768", "1 of 100"} {
		if !strings.Contains(sizes.Seen, want) {
			t.Errorf("%q is not in %q", want, sizes.Seen)
		}
	}
	if r.Proposed.String() != "16x4k" || !strings.Contains(sizes.Host, "fastcgi_buffers 16 4k;") || !strings.Contains(sizes.Means, "may go") {
		t.Errorf("proposed %s: %s %s", r.Proposed, sizes.Means, sizes.Host)
	}
	if len(r.Causes) == 0 || r.Causes[0].Name != "sync_buffer_mismatch" || !strings.Contains(r.Conclusion, "not about nginx's or FastCGI's buffers") {
		t.Errorf("conclusion %q", r.Conclusion)
	}
	all := fmt.Sprintf("%+v", r) + table(&r.Report)
	for _, secret := range append(secrets(), "oUsecret") {
		if strings.Contains(all, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}

func TestBuffersThatAreLargeEnoughPass(t *testing.T) {
	t.Parallel()
	access, _ := founding()
	r := readLogs(t, jetpack.Logs{Access: strings.NewReader(access), Buffers: jetpack.Buffers{Number: 16, Size: 4096}})
	expect(t, &r.Report, "response_sizes", jetpack.Pass, "")
	expect(t, &r.Report, "error_log", jetpack.Skipped, "")
	if r.Proposed != (jetpack.Buffers{}) || r.Worst() != jetpack.Pass {
		t.Errorf("%s", table(&r.Report))
	}
}

func TestLogsTellHowCallsWent(t *testing.T) {
	t.Parallel()
	call := func(status int, nonce string) string {
		return fmt.Sprintf("1.2.3.4 - - [03/Jan/2018:11:07:23 +0000] \"POST /xmlrpc.php?for=jetpack&timestamp=1&nonce=%s HTTP/1.1\" %d 100 \"-\" \"Jetpack by WordPress.com\"\n", nonce, status)
	}
	page := "1.2.3.4 - - [03/Jan/2018:11:07:23 +0000] \"GET / HTTP/1.1\" 200 100 \"-\" \"x\"\n"
	for name, tt := range map[string]struct {
		log, check string
		want       jetpack.Verdict
		cause      string
	}{
		"no calls":              {page, "jetpack_calls", jetpack.Warn, "no_jetpack_calls"},
		"a few refused":         {call(200, "a") + call(200, "b") + call(403, "c"), "jetpack_calls", jetpack.Warn, "jetpack_calls_403"},
		"most refused":          {call(200, "a") + call(503, "b") + call(503, "c"), "jetpack_calls", jetpack.Fail, "jetpack_calls_503"},
		"slow calls":            {strings.ReplaceAll(call(200, "a"), "\n", " 12.500\n"), "jetpack_call_times", jetpack.Warn, "jetpack_calls_slow"},
		"quick calls":           {strings.ReplaceAll(call(200, "a"), "\n", " 0.500\n"), "jetpack_call_times", jetpack.Pass, ""},
		"no times":              {call(200, "a"), "jetpack_call_times", jetpack.Skipped, ""},
		"calls that came twice": {call(200, "a") + call(200, "a"), "nonce_replays", jetpack.Warn, "nonce_replays"},
		"a part that is no log": {page + "what is this\n" + page, "access_log", jetpack.Warn, "access_log_malformed"},
		"a binary file":         {"\x7fELF\x00\x00\x01\n\x00\x02", "access_log", jetpack.Fail, "access_log_unreadable"},
		"nothing":               {"", "access_log", jetpack.Fail, "access_log_unreadable"},
		"a broken gzip":         {"\x1f\x8b\x08\x00\x00", "access_log", jetpack.Fail, "access_log_unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := readLogs(t, jetpack.Logs{Access: strings.NewReader(tt.log)})
			expect(t, &r.Report, tt.check, tt.want, tt.cause)
		})
	}
	r := readLogs(t, jetpack.Logs{Access: strings.NewReader(call(200, "a")), Error: strings.NewReader("\x00\x01\n")})
	expect(t, &r.Report, "error_log", jetpack.Warn, "error_log_unreadable")
}

func TestATemporaryFileIsSaidOnlyWhereTheErrorLogProvesIt(t *testing.T) {
	t.Parallel()
	access, _ := founding()
	const at = "2018/01/03 11:07:23 "
	for name, tt := range map[string]struct {
		errors, means string
		want          jetpack.Verdict
	}{
		"no error log":                  {"", "may go through a temporary file", jetpack.Warn},
		"an error log without warnings": {at + "[error] 1#1: x\n", "may go through a temporary file", jetpack.Warn},
		"warnings, and none about it":   {at + "[warn] 1#1: x\n", "", jetpack.Pass},
		"the proof":                     {at + "[warn] 1#1: *1 an upstream response is buffered to a temporary file /var/lib/nginx/fastcgi/1\n", "go through a temporary file, as the error log shows", jetpack.Warn},
		"an Apache":                     {"[Wed Jan 03 11:07:23.1 2018] [core:error] [pid 1] x\n", "", jetpack.Pass},
	} {
		o := jetpack.Logs{Access: strings.NewReader(access)}
		if tt.errors != "" {
			o.Error = strings.NewReader(tt.errors)
		}
		r := readLogs(t, o)
		f := r.Find("response_sizes")
		if f.Verdict != tt.want || !strings.Contains(f.Means, tt.means) || (tt.means == "") != (f.Means == "") {
			t.Errorf("%s: %+v", name, f)
		}
		if name == "an Apache" && strings.Contains(table(&r.Report), "nginx") {
			t.Errorf("an Apache is told of nginx: %s", table(&r.Report))
		}
	}
	r := readLogs(t, jetpack.Logs{Access: strings.NewReader(access), Server: accesslog.ServerApache})
	expect(t, &r.Report, "response_sizes", jetpack.Pass, "")
}

func TestWhatMeetsNoCallOfJetpackIsOnlyARemark(t *testing.T) {
	t.Parallel()
	access, _ := founding()
	const at = "2018/01/03 11:07:23 [error] 1#1: *1 "
	for name, tt := range map[string]struct {
		errors string
		kind   string
		want   jetpack.Verdict
		weight cause.Weight
	}{
		"a scanner refused":           {at + `access forbidden by rule, request: "GET /.env HTTP/1.1"`, "forbidden_by_rule", jetpack.Warn, cause.Minor},
		"a call of Jetpack refused":   {at + `access forbidden by rule, request: "POST /xmlrpc.php?for=jetpack HTTP/1.1"`, "forbidden_by_rule", jetpack.Fail, cause.Blocking},
		"PHP is away":                 {at + `connect() failed (111: Connection refused) while connecting to upstream, request: "GET / HTTP/1.1"`, "upstream_unavailable", jetpack.Fail, cause.Blocking},
		"PHP died, nobody says where": {"[03-Jan-2018 11:07:23 UTC] PHP Fatal error:  x in /x/wp-content/plugins/shop/a.php:1", "php_fatal", jetpack.Fail, cause.Partial},
	} {
		r := readLogs(t, jetpack.Logs{Access: strings.NewReader(access), Error: strings.NewReader(tt.errors + "\n"), Buffers: jetpack.Buffers{Number: 16, Size: 8192}})
		f := r.Find("error_log_" + tt.kind)
		if f == nil || f.Verdict != tt.want || f.Weight != tt.weight {
			t.Errorf("%s: %+v", name, f)
		}
	}
	r := readLogs(t, jetpack.Logs{Access: strings.NewReader(access), Error: strings.NewReader("[03-Jan-2018 11:07:23 UTC] PHP Fatal error:  x in /x/wp-content/plugins/shop/a.php:1\n")})
	if !strings.Contains(r.Conclusion, "plugin shop") {
		t.Errorf("the plugin is not named: %s", r.Conclusion)
	}
}

func TestALogJoinedWithItselfIsNoReplay(t *testing.T) {
	t.Parallel()
	access, _ := founding()
	r := readLogs(t, jetpack.Logs{Access: strings.NewReader(access + access), Buffers: jetpack.Buffers{Number: 16, Size: 8192}})
	expect(t, &r.Report, "nonce_replays", jetpack.Warn, "calls_logged_twice")
	r = readLogs(t, jetpack.Logs{Access: strings.NewReader(access + strings.ReplaceAll(access, "192.0.87.45", "10.0.0.1")), Buffers: jetpack.Buffers{Number: 16, Size: 8192}})
	expect(t, &r.Report, "nonce_replays", jetpack.Pass, "")
}

func TestProposalsHoldTheLargestResponseAndStayModest(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]string{
		32768: "", 32769: "9x4k", 64156: "16x4k", 262144: "64x4k", 262145: "33x8k", 5 << 20: "40x128k",
		100 << 20: "", // 99 % fit anyway
	} {
		var b strings.Builder
		for i := range 200 {
			n := 100
			if i == 0 {
				n = size
			}
			fmt.Fprintf(&b, "1.2.3.4 - - [03/Jan/2018:11:07:23 +0000] \"GET / HTTP/1.1\" 200 %d \"-\" \"x\"\n", n)
		}
		r := readLogs(t, jetpack.Logs{Access: strings.NewReader(b.String())})
		got := ""
		if r.Proposed != (jetpack.Buffers{}) {
			got = r.Proposed.String()
		}
		if got != want {
			t.Errorf("for %d bytes %q is proposed, want %q", size, got, want)
		}
		if size > 32768 && r.Find("response_sizes").Verdict != jetpack.Warn {
			t.Errorf("%d bytes pass", size)
		}
	}
}

func TestBuffersAreReadAsNginxHasThem(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]jetpack.Buffers{
		"8x4k": {Number: 8, Size: 4096}, "8 4k": {Number: 8, Size: 4096}, "16X16K": {Number: 16, Size: 16384},
		"4x1m": {Number: 4, Size: 1 << 20}, "2x100": {Number: 2, Size: 100},
	} {
		if got, err := jetpack.ParseBuffers(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "8", "x4k", "8x", "0x4k", "-1x4k", "8x4g", "8x-4k", "8x4kk", "99999999x4k", "8x99999999999k", "8x99999999m"} {
		if got, err := jetpack.ParseBuffers(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
	if b := (jetpack.Buffers{Number: 8, Size: 8192}); b.Directive() != "fastcgi_buffers 8 8k;" || b.Bytes() != 65536 {
		t.Errorf("%s %d", b.Directive(), b.Bytes())
	}
	if _, err := jetpack.ReadLogs(jetpack.Logs{}); err == nil {
		t.Error("no log is no error")
	}
}
