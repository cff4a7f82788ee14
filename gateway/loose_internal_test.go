package gateway

import (
	"bytes"
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
)

// Loosening leaves alone what is right already, and what it has made it makes no looser.
func FuzzLoosen(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `{"monitor_active":1}`, `{"monitor_active":"TRUE","urls":[{"monitor_url":"x","check_interval":"5","options":[]}]}`, `{"urls":[[],1,null]}`,
		`{"contacts":{"emails":[{"verified":"0"}],"sms_numbers":{}}}`, `{"a":{"b":[]}}`, `{"monitor_active":true,"monitorActive":0}`, `{"\ud800":1,"urls":"\u0031"}`, ` {"urls":null} `, `{"monitor_active":"\u0031"}`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	md := (&wpcomv1.JetpackMonitorSettings{}).ProtoReflect().Descriptor()
	f.Fuzz(func(t *testing.T, data []byte) {
		out, has, err := loosen(data, md)
		if err != nil || !json.Valid(data) {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%q became %q", data, out)
		}
		again, hasAgain, err := loosen(out, md)
		if err != nil || !bytes.Equal(again, out) || len(hasAgain) != len(has) {
			t.Fatalf("%q became %q and then %q, %v", data, out, again, err)
		}
		var before, after wpcomv1.JetpackMonitorSettings
		if protojson.Unmarshal(data, &before) != nil {
			return
		}
		if err := protojson.Unmarshal(out, &after); err != nil || !proto.Equal(&before, &after) {
			t.Fatalf("%q was %v and became %q, %v, %v", data, &before, out, &after, err)
		}
	})
}
