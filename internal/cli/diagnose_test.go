package cli

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/cli/format"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
	"github.com/Automattic/jetmon/internal/jetpack/symptom"
	"github.com/Automattic/jetmon/internal/probe"
)

func diagnoser(t *testing.T) *jetpack.Diagnoser {
	t.Helper()
	prober, err := probe.New(probe.Options{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prober.Close() })
	d, err := jetpack.New(jetpack.Options{Prober: prober, MetadataURL: jetpack.NoMetadata})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADiagnosisIsPrintedAndItsWorstFindingReturned(t *testing.T) {
	t.Parallel()
	d := diagnoser(t)
	for obstacle, want := range map[fakejetpack.Obstacle]jetpack.Verdict{"": jetpack.Pass, fakejetpack.Sucuri: jetpack.Fail} {
		site := httptest.NewServer(fakejetpack.New(fakejetpack.Options{Tokens: signature.Keyring{Blog: "blogkey.bl0gs3cret"}, Obstacle: obstacle}))
		t.Cleanup(site.Close)
		target := jetpack.Target{URL: site.URL + "/"}
		var text, colored, raw bytes.Buffer
		for out, show := range map[*bytes.Buffer]Report{&text: {}, &colored: {Color: true}, &raw: {JSON: true, Color: true}} {
			show.Out = out
			if got, err := Diagnose(t.Context(), d, target, show); err != nil || got != want {
				t.Errorf("behind %q: %q, %v, want %q", obstacle, got, err, want)
			}
		}
		if strings.Contains(text.String(), "\x1b") || !strings.Contains(colored.String(), "\x1b[1m") {
			t.Errorf("colours are not where they are wanted:\n%s\n%s", &text, &colored)
		}
		var report monitorv1.Diagnosis
		if err := protojson.Unmarshal(raw.Bytes(), &report); err != nil || len(report.GetFindings()) == 0 {
			t.Errorf("%v in:\n%s", err, &raw)
		}
	}
}

func TestAURLThatCannotBeDiagnosedIsAUsageError(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	_, err := Diagnose(t.Context(), diagnoser(t), jetpack.Target{URL: "ftp://a.example/"}, Report{Out: &out})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "ftp://a.example/: ") || out.Len() != 0 {
		t.Errorf("%v, prints %q", err, &out)
	}
}

func TestLogsAreReadAndTheirWorstFindingReturned(t *testing.T) {
	t.Parallel()
	const (
		page = `1.2.3.4 - - [03/Jan/2018:11:07:23 +0000] "GET /index.php HTTP/1.1" 200 64156 "-" "x"` + "\n"
		call = `1.2.3.4 - - [03/Jan/2018:11:07:23 +0000] "POST /xmlrpc.php?for=jetpack HTTP/1.1" 200 400 "-" "Jetpack by WordPress.com"` + "\n"
		lock = `2018/01/03 11:07:23 [error] 1#1: *1 FastCGI sent in stderr: "PHP message: Error checking in buffer: The buffer you checked in was not checked out" while reading upstream` + "\n"
	)
	for _, tt := range []struct {
		name, buffers, errors string
		want                  jetpack.Verdict
	}{
		{"all is well", "16x4k", "", jetpack.Pass},
		{"a response that does not fit", "8x4k", "", jetpack.Warn},
		{"an error that says why", "16x4k", lock, jetpack.Fail},
	} {
		size, err := jetpack.ParseBuffers(tt.buffers)
		if err != nil {
			t.Fatal(err)
		}
		for _, json := range []bool{false, true} {
			var out bytes.Buffer
			logs := jetpack.Logs{Access: strings.NewReader(page + call), Error: strings.NewReader(tt.errors), Buffers: size, Top: 3}
			got, err := DiagnoseLogs(logs, "access\a.log", Report{Out: &out, JSON: json})
			if err != nil || got != tt.want {
				t.Errorf("%s: %q, %v, want %q:\n%s", tt.name, got, err, tt.want, &out)
			}
			if !json && !strings.HasPrefix(out.String(), "access?.log (") {
				t.Errorf("the name is not shown:\n%s", &out)
			}
		}
	}
}

func TestASymptomAndAReportForSupportGoWithADiagnosis(t *testing.T) {
	t.Parallel()
	const blog, user = "blogkey.bl0gs3cret", "userkey.us3rs3cret.3"
	tokens := signature.Keyring{Blog: blog, Users: map[int64]string{3: user}}
	site := httptest.NewServer(fakejetpack.New(fakejetpack.Options{Tokens: tokens, Sync: fakejetpack.Sync{Off: true}}))
	t.Cleanup(site.Close)
	target := jetpack.Target{URL: site.URL + "/"}
	var err error
	if target.Blog, err = signature.ParseCredential(blog); err != nil {
		t.Fatal(err)
	}
	if target.User, err = signature.ParseCredential(user); err != nil {
		t.Fatal(err)
	}
	seen, ok := symptom.Find("My posts do not show up on WordPress.com")
	if !ok {
		t.Fatal("no symptom")
	}
	var text, raw, support bytes.Buffer
	d := diagnoser(t)
	show := Report{Out: &text, Symptom: &seen, Support: &support, About: format.About{Version: "jetmon 9", UserAgent: "agent/1", Tokens: "blog and user"}}
	if got, err := Diagnose(t.Context(), d, target, show); err != nil || got != jetpack.Fail {
		t.Fatalf("%q, %v", got, err)
	}
	for _, want := range []string{"Explained by: sync_off.", "not   wp_cron: WP-Cron runs"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, &text)
		}
	}
	for _, want := range []string{"jetmon 9", "127.0.0.1", "sync_off", "signed_by_user", "My posts do not show up"} {
		if !strings.Contains(support.String(), want) {
			t.Errorf("%q is not in\n%s", want, &support)
		}
	}
	if _, err := Diagnose(t.Context(), d, target, Report{Out: &raw, JSON: true, Symptom: &seen}); err != nil {
		t.Fatal(err)
	}
	var m monitorv1.Diagnosis
	if err := protojson.Unmarshal(raw.Bytes(), &m); err != nil || m.GetSymptom().GetSymptom() != "not_synced" || len(m.GetSymptom().GetRuledOut()) == 0 || m.GetSymptom().GetCauses()[0] != "sync_off" {
		t.Errorf("%v:\n%s", err, &raw)
	}
	for _, secret := range []string{"bl0gs3cret", "us3rs3cret", "signature=", "nonce="} {
		if strings.Contains(text.String()+support.String()+raw.String(), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}
