package gateway

import (
	"fmt"
	"strings"
	"testing"
)

func TestABodyIsMeasuredBeforeItIsDecoded(t *testing.T) {
	t.Parallel()
	many := func(unit string, n int) string { return strings.TrimSuffix(strings.Repeat(unit+",", n), ",") }
	long := strings.Repeat("x", maxValueBytes)
	const tooMany, tooLong = "has too many values: a body may have 10000 in all", "has a value that is too long: the most is 16384 bytes"
	for name, tt := range map[string]struct{ body, want string }{
		"nothing":                   {`{}`, ""},
		"one text":                  {`"x"`, ""},
		"as many as may be":         {`{"a":[` + many(`1`, maxValues-2) + `]}`, ""},
		"one more":                  {`{"a":[` + many(`1`, maxValues-1) + `]}`, "a: " + tooMany},
		"empty texts":               {`{"settings":{"required_texts":[` + many(`""`, 300_000) + `]}}`, "settings.required_texts: " + tooMany},
		"empty objects":             {`{"settings":{"headers":[` + many(`{}`, 20_000) + `]}}`, "settings.headers: " + tooMany},
		"objects in objects":        {`{"a":[` + many(`{"b":{"c":[]}}`, 5000) + `]}`, "a.b.c: " + tooMany},
		"a list of lists":           {`[` + many(`[]`, 20_000) + `]`, "body: " + tooMany},
		"members":                   {`{"m":{` + many(`"k":1`, 20_000) + `}}`, "m.k: " + tooMany},
		"in depth":                  {strings.Repeat(`{"a":`, 9000) + `[` + many(`1`, 2000) + `]` + strings.Repeat(`}`, 9000), "a.a.a.a.a.a.a.a: " + tooMany},
		"after a list that is over": {`{"a":[1,2,{"b":3}],"c":[` + many(`true`, 20_000) + `]}`, "c: " + tooMany},
		"a long text":               {`{"url":"` + long + `"}`, "url: " + tooLong},
		"a long number":             {`{"blog_id":1` + strings.Repeat("0", maxValueBytes) + `}`, "blog_id: " + tooLong},
		"a long name":               {`{"` + long + `":1}`, "body: " + tooLong},
		"a long text in a list":     {`{"a":["` + long + `"]}`, "a: " + tooLong},
		"escapes and spaces":        {" {\n\"a\\\"{[\" : [ \"\\\\\" , \"},]\\\"\" , -1.5e+3 , null ] }\t", ""},
		"many spaces":               {`{"a":` + strings.Repeat(" ", 500_000) + `1}`, ""},
	} {
		err := checkSize([]byte(tt.body))
		if got := fmt.Sprint(err); (err == nil) != (tt.want == "") || err != nil && got != tt.want {
			t.Errorf("%s: %.200s, want %q", name, got, tt.want)
		}
	}
}
