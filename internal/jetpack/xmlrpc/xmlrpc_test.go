package xmlrpc

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/test/seeds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestACallIsWrittenAsJetpackDoes(t *testing.T) {
	t.Parallel()
	got, err := EncodeCall("jetpack.testConnection")
	if want := `<?xml version="1.0"?><methodCall><methodName>jetpack.testConnection</methodName></methodCall>`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := EncodeCall("x", struct{}{}); err == nil {
		t.Error("a struct of Go's is written")
	}
}

// values generates any values that XML can carry.
func values() *rapid.Generator[Value] {
	text := rapid.StringOfN(rapid.RuneFrom(nil, unicode.Letter, unicode.Digit, unicode.Punct, unicode.Space).Filter(func(r rune) bool {
		return r >= ' ' || r == '\t' || r == '\n'
	}), 0, 12, -1)
	leaf := rapid.OneOf(
		rapid.Map(text, func(s string) Value { return s }),
		rapid.Map(rapid.Int64(), func(n int64) Value { return n }),
		rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) Value { return f + 0 }), // no -0
		rapid.Map(rapid.Bool(), func(b bool) Value { return b }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) Value { return b }),
		rapid.Just(Value(Time("20260301T10:00:00"))), rapid.Just(Value(nil)),
	)
	inner := rapid.OneOf(leaf, rapid.Map(rapid.SliceOfN(leaf, 0, 3), func(s []Value) Value {
		if s == nil {
			s = []Value{}
		}
		return s
	}))
	return rapid.OneOf(inner, rapid.Map(rapid.MapOfN(text, inner, 0, 3), func(m map[string]Value) Value { return m }))
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(rt *rapid.T) {
		params := rapid.SliceOfN(values(), 0, 3).Draw(rt, "params")
		data, err := EncodeCall("a.b", params...)
		if err != nil {
			rt.Fatal(err)
		}
		call, err := DecodeCall(data)
		if err != nil {
			rt.Fatalf("%v in %s", err, data)
		}
		if len(params) == 0 {
			params = nil
		}
		if diff := cmp.Diff(Call{"a.b", params}, call); diff != "" {
			rt.Fatalf("%s\n%s", data, diff)
		}
		v := values().Draw(rt, "answer")
		if data, err = EncodeAnswer(v); err != nil {
			rt.Fatal(err)
		}
		if got, err := DecodeAnswer(data); err != nil || !cmp.Equal(got, v) {
			rt.Fatalf("%v, %v of %s", got, err, data)
		}
	})
}

func TestAFaultIsAnErrorWithCodeAndText(t *testing.T) {
	t.Parallel()
	want := &Fault{Code: MethodUnknown, Text: "server error. requested method <x> & y does not exist."}
	data, err := EncodeFault(want)
	if err != nil {
		t.Fatal(err)
	}
	_, err = DecodeAnswer(data)
	if got, ok := errors.AsType[*Fault](err); !ok || *got != *want {
		t.Errorf("%v", err)
	}
}

func TestAnswersOfTheWildAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want Value
	}{
		"WordPress' own layout": {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n  <params>\n    <param>\n      <value>\n      <string>Hello!</string>\n      </value>\n    </param>\n  </params>\n</methodResponse>\n", "Hello!"},
		"a value without type":  {"<methodResponse><params><param><value>Hello!</value></param></params></methodResponse>", "Hello!"},
		"an old charset":        {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><methodResponse><params><param><value>\xe9</value></param></params></methodResponse>", "é"},
		"i4 and blanks":         {"<methodResponse><params><param><value><i4> 42 </i4></value></param></params></methodResponse>", int64(42)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := DecodeAnswer([]byte(c.text)); err != nil || !cmp.Equal(got, c.want) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestWhatIsNotXMLRPCIsAnError(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("<value><array><data>", maxDepth+2)
	many := "<value><array><data>" + strings.Repeat("<value/>", maxValues) + "</data></array></value>"
	for name, text := range map[string]string{
		"nothing":              "",
		"HTML":                 "<!DOCTYPE html><html><body>no</body></html>",
		"an empty answer":      "<methodResponse></methodResponse>",
		"a cut answer":         "<methodResponse><params><param><value><string>Hel",
		"a number that is not": "<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
		"an unknown type":      "<methodResponse><params><param><value><money>1</money></value></param></params></methodResponse>",
		"a fault without code": "<methodResponse><fault><value><struct></struct></value></fault></methodResponse>",
		"too deep":             "<methodResponse><params><param>" + deep,
		"too many":             "<methodResponse><params><param>" + many + "</param></params></methodResponse>",
		"an entity of its own": `<!DOCTYPE x [<!ENTITY a "b">]><methodResponse><params><param><value>&a;</value></param></params></methodResponse>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := DecodeAnswer([]byte(text))
			if err == nil {
				t.Fatalf("read as %v", v)
			}
			if _, ok := errors.AsType[*Fault](err); ok {
				t.Errorf("%v is a fault", err)
			}
		})
	}
}

func FuzzDecodeNeverPanicsAndIsStable(f *testing.F) {
	f.Add([]byte(`<methodResponse><params><param><value><struct><member><name>a</name><value><int>1</int></value></member></struct></value></param></params></methodResponse>`))
	f.Add([]byte(`<methodResponse><fault><value><struct><member><name>faultCode</name><value>3</value></member></struct></value></fault></methodResponse>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = DecodeCall(data)
		v, err := DecodeAnswer(data)
		if err != nil {
			return
		}
		again, err := EncodeAnswer(v)
		if err != nil {
			t.Fatalf("%v cannot be written: %v", v, err)
		}
		if _, err := DecodeAnswer(again); err != nil {
			t.Errorf("%s cannot be read again: %v", again, err)
		}
	})
}
