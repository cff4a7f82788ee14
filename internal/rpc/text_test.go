package rpc_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/rpc"
)

func TestATextThatIsNoUTF8IsFound(t *testing.T) {
	t.Parallel()
	text := func(field protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), content)
	}
	d := new(monitorv1.CreateSiteRequest).ProtoReflect().Descriptor()
	site := d.Fields().ByName("site")
	url := site.Message().Fields().ByName("url").Number()
	for want, message := range map[string][]byte{
		"":         text(site.Number(), text(url, []byte("größer"))),
		"site.url": text(site.Number(), append(text(url, []byte("x")), text(url, []byte("\xc3("))...)),
	} {
		if got := rpc.Garbled(message, d); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// FuzzGarbled compares with the decoder: what it says about UTF-8, it says about the place
// that was found, and what it takes has none.
func FuzzGarbled(f *testing.F) {
	d := new(monitorv1.CreateSiteRequest).ProtoReflect().Descriptor()
	for _, m := range []proto.Message{
		&monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Url: "http://x.example/", BlogId: 1}},
		&monitorv1.CreateSiteRequest{Site: &monitorv1.Site{Settings: &monitorv1.CheckSettings{RequiredTexts: []string{"x"}}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\x0a\x03\x1a\x01\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := rpc.Garbled(b, d)
		err := proto.Unmarshal(b, new(monitorv1.CreateSiteRequest))
		if path != "" && err == nil {
			t.Errorf("%x: the decoder takes %s", b, path)
		}
		if path == "" && err != nil && strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%x: %v, and nothing is found", b, err)
		}
	})
}
