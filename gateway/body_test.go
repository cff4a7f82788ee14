package gateway

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
)

// FuzzABodyIsRefusedExactlyWhenItCannotBeDecoded shows that checkBody only finds better
// words: it refuses valid JSON exactly if protojson does. (protojson accepts 0e as a number,
// which is not JSON.)
func FuzzABodyIsRefusedExactlyWhenItCannotBeDecoded(f *testing.F) {
	for _, s := range []string{
		`{"url":"x","blog_id":"7","check_interval":"60s","settings":{"headers":[{"name":"a"}],"required_texts":["a"]}}`,
		`{"last_observation":{"headers":{"a":"b"},"advisories":["ADVISORY_SLOW",3],"certificate_expire_time":"2026-01-02T15:04:05Z"}}`,
		`{"blogId":1e2,"paused":null,"state":99}`, `{"blog_id":1.0}`, `{"a":1}`, `[]`, ``, "null", `{"settings":{"headers":[null]}}`,
		`{"last_observation":{"headers":{"a":"b","a":"c"}}}`, `{"url":"\ud800"}`, `{"url":"a"}{}`, "{\"url\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		site := new(monitorv1.Site)
		want := protojson.Unmarshal(data, site)
		got := checkBody(data, site.ProtoReflect().Descriptor())
		if accepts := want == nil && json.Valid(data) && checkSize(data) == nil; (got == nil) != accepts {
			t.Errorf("%q: checkBody says %v, protojson %v", data, got, want)
		}
		if got != nil && !fault.Is(got, fault.Invalid) {
			t.Errorf("%q: %v is no fault of the caller", data, got)
		}
	})
}
