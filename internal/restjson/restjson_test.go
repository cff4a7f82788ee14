package restjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/restjson"
)

func TestMessagesAreWrittenWithTheirZeroesUnderTheirProtosNames(t *testing.T) {
	t.Parallel()
	rule := &monitorv1.QuorumRule{Verifliers: 3}
	line, err := restjson.Line(rule)
	if want := `{"verifliers":3,"need":0,"regions":0}` + "\n"; err != nil || string(line) != want {
		t.Errorf("%s, %v, want %s", line, err, want)
	}
	indented, err := restjson.Indented(rule)
	if want := "{\n  \"verifliers\": 3,\n  \"need\": 0,\n  \"regions\": 0\n}\n"; err != nil || string(indented) != want {
		t.Errorf("%s, %v, want %s", indented, err, want)
	}
}

// TestTheSameMessageGivesTheSameBytes is needed because protojson adds blanks at random,
// depending on the build.
func TestTheSameMessageGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	site := &monitorv1.Site{
		SiteId: 7, Url: "http://a.example/?a=<b>&c", CheckInterval: durationpb.New(300e9),
		LastObservation: &checkv1.Observation{Outcome: checkv1.Outcome_OUTCOME_UP, Headers: map[string]string{"server": "a  b", "via": ": ,"}},
	}
	line, err := restjson.Line(site)
	if err != nil || bytes.Count(line, []byte("\n")) != 1 || !bytes.HasPrefix(line, []byte(`{"site_id":"7","blog_id":"0","url":"http://a.example/?a=<b>&c",`)) ||
		!bytes.Contains(line, []byte(`"headers":{"server":"a  b","via":": ,"}`)) {
		t.Errorf("%s, %v", line, err)
	}
	indented, err := restjson.Indented(site)
	if err != nil {
		t.Fatal(err)
	}
	if again := restjson.Compact(indented); !bytes.Equal(again, line) {
		t.Errorf("%s, want %s", again, line)
	}
}

func TestWhatIsNoJSONIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := restjson.Line(&monitorv1.Site{Url: "\xff"}); err == nil {
		t.Error("text that is not UTF-8 was written")
	}
	if _, err := restjson.Indented(&monitorv1.Site{Url: "\xff"}); err == nil {
		t.Error("text that is not UTF-8 was written")
	}
}

func TestWhatCommandsATerminalIsEscaped(t *testing.T) {
	t.Parallel()
	const url = "http://a.example/\u009b31m\u202e\u007f\U000e0001\u00fc\u65e5\ufffd\U0001f600"
	const want = `"url":"http://a.example/\u009b31m\u202e\u007f\udb40\udc01` + "\u00fc\u65e5\ufffd\U0001f600\""
	site := &monitorv1.Site{Url: url}
	line, err := restjson.Line(site)
	line = restjson.Visible(line)
	if err != nil || !bytes.Contains(line, []byte(want)) {
		t.Errorf("%q, %v, want %q", line, err, want)
	}
	indented, err := restjson.Indented(site)
	indented = restjson.Visible(indented)
	if err != nil || !bytes.Contains(indented, []byte(strings.Replace(want, ":", ": ", 1))) {
		t.Errorf("%q, %v, want %q", indented, err, want)
	}
	for _, text := range [][]byte{line, indented} {
		var read monitorv1.Site
		if err := protojson.Unmarshal(text, &read); err != nil || read.GetUrl() != url {
			t.Errorf("%q is read as %q, %v", text, read.GetUrl(), err)
		}
	}
	plain := []byte(`{"a":"\u00fc~"}`)
	if got := restjson.Visible(plain); &got[0] != &plain[0] {
		t.Error("what has nothing to escape is copied")
	}
}

// FuzzCompact compares with encoding/json, on texts with anything in them.
func FuzzCompact(f *testing.F) {
	f.Add(`a "quoted" \\ text  with	blanks`, `\"`, "é\u2028\x00")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, text := range []string{a, b, c} {
			if !utf8.ValidString(text) {
				return
			}
		}
		raw, err := protojson.MarshalOptions{Multiline: len(a)%2 == 0}.Marshal(&monitorv1.Site{Url: a, Settings: &monitorv1.CheckSettings{RequiredTexts: []string{b, c}}})
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if err := json.Compact(&want, raw); err != nil {
			t.Fatal(err)
		}
		if got := restjson.Compact(raw); string(got) != want.String()+"\n" {
			t.Errorf("%s, want %s", got, want.String())
		}
	})
}
