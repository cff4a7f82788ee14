package sitefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/test/seeds"
)

// full has a value for everything that a file holds.
func full() *monitorv1.Site {
	return &monitorv1.Site{
		Url: "https://example.com/a,b?\"c\"", BlogId: 7, CheckInterval: &durationpb.Duration{Seconds: 60}, Paused: true, Tags: []string{"shop", "eu"}, PublicBadges: true,
		Settings: &monitorv1.CheckSettings{
			Method: checkv1.Method_METHOD_HEAD_THEN_GET, RedirectPolicy: checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL,
			RequiredTexts: []string{"<b>", "two\nlines"}, ForbiddenTexts: []string{"Error & co"},
			Headers:   []*checkv1.Header{{Name: "X-Probe", Value: "1"}},
			SlowAfter: &durationpb.Duration{Nanos: 500000000}, PageCheck: checkv1.PageCheck_PAGE_CHECK_ALWAYS, TlsErrors: checkv1.TLSErrors_TLS_ERRORS_ADVISE,
		},
	}
}

const fullCSV = `url,blog_id,check_interval,paused,tags,method,redirect_policy,required_texts,forbidden_texts,headers,slow_after,page_check,tls_errors,public_badges
"https://example.com/a,b?""c""",7,60s,true,shop eu,head-then-get,fail,"[""<b>"",""two\nlines""]","[""Error & co""]","[{""name"":""X-Probe"",""value"":""1""}]",0.5s,always,advise,true
`

// written returns the file with the sites.
func written(t interface{ Fatal(...any) }, format Format, sites ...*monitorv1.Site) string {
	var b bytes.Buffer
	w := NewWriter(&b, format)
	for _, s := range sites {
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// read returns the sites of a file, the errors of its rows, and what ended it before its end.
func read(text string, format Format) (sites []*monitorv1.Site, refused []*RowError, end error) {
	r := NewReader(strings.NewReader(text), format)
	for {
		site, err := r.Next()
		if row, ok := errors.AsType[*RowError](err); ok {
			refused = append(refused, row)
			continue
		}
		if errors.Is(err, io.EOF) {
			return sites, refused, nil
		}
		if err != nil {
			return sites, refused, err
		}
		sites = append(sites, site)
	}
}

func TestAFileHoldsAllThatAnImportNeedsAndNothingElse(t *testing.T) {
	t.Parallel()
	live := full()
	live.SiteId, live.State, live.Etag, live.Bucket = 9, monitorv1.SiteState_SITE_STATE_DOWN, "x", 5
	if got := written(t, CSV, live); got != fullCSV {
		t.Errorf("CSV:\n%s\nwant\n%s", got, fullCSV)
	}
	const line = `{"blog_id":"7","url":"https://example.com/a,b?\"c\"","check_interval":"60s","paused":true,"settings":{"method":"METHOD_HEAD_THEN_GET","redirect_policy":"REDIRECT_POLICY_FAIL","required_texts":["<b>","two\nlines"],"forbidden_texts":["Error & co"],"headers":[{"name":"X-Probe","value":"1"}],"slow_after":"0.500s","page_check":"PAGE_CHECK_ALWAYS","tls_errors":"TLS_ERRORS_ADVISE"},"tags":["shop","eu"],"public_badges":true}` + "\n"
	if got := written(t, NDJSON, live); got != line {
		t.Errorf("NDJSON:\n%s\nwant\n%s", got, line)
	}
	for format, text := range map[Format]string{CSV: fullCSV, NDJSON: line} {
		sites, refused, end := read(text, format)
		if len(refused) > 0 || end != nil {
			t.Errorf("%s: %v, %v", format, refused, end)
		}
		if diff := cmp.Diff([]*monitorv1.Site{full()}, sites, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
	if got, want := written(t, CSV), strings.Join(Columns(), ",")+"\n"; got != want {
		t.Errorf("no sites: %q, want %q", got, want)
	}
	if got := written(t, NDJSON, &monitorv1.Site{Url: "http://a.example/", Settings: &monitorv1.CheckSettings{}}); got != `{"url":"http://a.example/"}`+"\n" {
		t.Errorf("defaults are written: %s", got)
	}
}

func TestWhatPeopleAndTheirSpreadsheetsWriteIsRead(t *testing.T) {
	t.Parallel()
	a := &monitorv1.Site{Url: "http://a.example/"}
	tests := []struct {
		name, text string
		format     Format
		want       []*monitorv1.Site
	}{
		{"one column, without an end of the last line", "url\nhttp://a.example/", CSV, []*monitorv1.Site{a}},
		{"a byte order mark, CRLF and empty lines", "\xef\xbb\xbfurl,blog_id\r\n\r\nhttp://a.example/,0\r\n,\r\n\r\n", CSV, []*monitorv1.Site{a}},
		{"another order of columns in capitals", "Paused, URL\nFALSE,http://a.example/\n", CSV, []*monitorv1.Site{a}},
		{"a line for Excel", "sep=;\r\n\r\nurl;paused\r\nhttp://a.example/;WAHR\r\nhttp://b.example/;FALSCH\r\n", CSV, []*monitorv1.Site{{Url: "http://a.example/", Paused: true}, {Url: "http://b.example/"}}},
		{"another line for Excel", "\"sep=|\"\nurl|paused\nhttp://a.example/|Vrai\n", CSV, []*monitorv1.Site{{Url: "http://a.example/", Paused: true}}},
		{"semicolons", "blog_id;url\n3;\"http://a.example/;b\"\n", CSV, []*monitorv1.Site{{BlogId: 3, Url: "http://a.example/;b"}}},
		{"tabs", "blog_id\turl\n3\thttp://a.example/\n", CSV, []*monitorv1.Site{{BlogId: 3, Url: "http://a.example/"}}},
		{"a line end within a quoted cell", "url,required_texts\nhttp://a.example/,\"two\nlines\"\nhttp://a.example/,\n", CSV,
			[]*monitorv1.Site{{Url: "http://a.example/", Settings: &monitorv1.CheckSettings{RequiredTexts: []string{"two\nlines"}}}, a}},
		{"tags with commas, minutes, names of JSON", "url,tags,check_interval,method\nhttp://a.example/,\"b, a\",5m,METHOD_GET\n", CSV,
			[]*monitorv1.Site{{Url: "http://a.example/", Tags: []string{"b", "a"}, CheckInterval: &durationpb.Duration{Seconds: 300},
				Settings: &monitorv1.CheckSettings{Method: checkv1.Method_METHOD_GET}}}},
		{"a guarded formula", "url\n'=cmd()\n", CSV, []*monitorv1.Site{{Url: "=cmd()"}}},
		{"an answer of the API", `{"site_id":"4","url":"http://a.example/","state":"SITE_STATE_UP","etag":"x","tags":[]}` + "\r\n\r\n", NDJSON, []*monitorv1.Site{a}},
		{"names as JavaScript has them", "\xef\xbb\xbf" + ` {"blogId":3,"url":"http://a.example/"} `, NDJSON, []*monitorv1.Site{{BlogId: 3, Url: "http://a.example/"}}},
		{"nothing as CSV", "", CSV, nil},
		{"nothing as NDJSON", "\n\n", NDJSON, nil},
	}
	for _, tt := range tests {
		sites, refused, end := read(tt.text, tt.format)
		if len(refused) > 0 || end != nil {
			t.Errorf("%s: %v, %v", tt.name, refused, end)
		}
		if diff := cmp.Diff(tt.want, sites, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestABadRowSaysItsLineAndStopsNoOther(t *testing.T) {
	t.Parallel()
	const good = "http://good.example/"
	tests := []struct {
		name, row, want string
	}{
		{"a quote that nothing ends", `"http://a.example/,1,,,`, "line 2: a cell begins with a quote that nothing ends"},
		{"a quote within a cell", `http://a"b.example/,1,,,`, "line 2: there is a quote within a cell"},
		{"something behind a quote", `"http://a.example/"x,1,,,`, "line 2: something follows the quote"},
		{"too few cells", `http://a.example/`, "line 2: has 1 cells, but the first line names 5 columns"},
		{"too many cells", `a,1,,,,`, "line 2: has 6 cells"},
		{"a blog that is none", `a,seven,,,`, `line 2: blog_id: must be a whole number, 0 or more, is "seven"`},
		{"a blog below 0", `a,-7,,,`, `line 2: blog_id: must be a whole number`},
		{"an interval without a unit", `a,7,300,,`, `line 2: check_interval: must be a duration with a unit, as 5m or 300s, is "300"`},
		{"a method that is none", `a,7,,post,`, `line 2: settings.method: must be one of head-then-get, head, get, is "post"`},
		{"texts that are no array", `a,7,,,[x]`, `line 2: settings.required_texts: must be a JSON array of texts`},
		{"another encoding", "caf\xe9,7,,,", `line 2: url: is not UTF-8`},
		{"a row that is too long", strings.Repeat("x", MaxRow+1) + ",7,,,", "line 2: is longer than 131072 bytes"},
	}
	for _, tt := range tests {
		sites, refused, end := read("url,blog_id,check_interval,method,required_texts\n"+tt.row+"\n"+good+",7,,,\n", CSV)
		if end != nil || len(refused) != 1 || !strings.HasPrefix(refused[0].Error(), tt.want) || refused[0].Row != 1 || refused[0].Line != 2 {
			t.Errorf("%s: %v, %v, want %s", tt.name, refused, end, tt.want)
		}
		if len(sites) != 1 || sites[0].GetUrl() != good {
			t.Errorf("%s: the next row is not read: %v", tt.name, sites)
		}
	}
	for row, want := range map[string]string{
		`nonsense`:                        `line 3: must be a site in JSON, as {"url":"https://example.com/"}`,
		`{"uri":"a"}`:                     `line 3: column 2: unknown field "uri"`,
		`{"url":7}`:                       `line 3: column 8: invalid value for string field url: 7`,
		`{"url":"a"`:                      `line 3: `,
		"{\"url\xff\"":                    `line 3: is not UTF-8`,
		"{" + strings.Repeat(" ", MaxRow): `line 3: is longer than`,
	} {
		sites, refused, end := read("\n\n"+row+"\n"+`{"url":"`+good+`"}`, NDJSON)
		if end != nil || len(refused) != 1 || !strings.HasPrefix(refused[0].Error(), want) || refused[0].Row != 1 || strings.Contains(refused[0].Error(), "proto:") {
			t.Errorf("%.20s: %v, %v, want %s", row, refused, end, want)
		}
		if len(sites) != 1 || sites[0].GetUrl() != good {
			t.Errorf("%.20s: the next row is not read: %v", row, sites)
		}
	}
}

// A row fits into a request when it is read, or is refused alone.
func TestNoRowIsLongerAsARequest(t *testing.T) {
	t.Parallel()
	for _, row := range []string{strings.Repeat("x", MaxRow-1), "a," + strings.Repeat("t ", MaxRow/2-20), "a," + strings.Repeat("t ", MaxRow/3-10)} {
		text := "url,tags\n" + row + "\ngood,\n"
		if !strings.Contains(row, ",") {
			text = "url\n" + row + "\ngood\n"
		}
		sites, refused, end := read(text, CSV)
		if end != nil || len(sites)+len(refused) != 2 || sites[len(sites)-1].GetUrl() != "good" {
			t.Errorf("%d sites, %v, %v", len(sites), refused, end)
		}
		for _, site := range sites {
			if n := proto.Size(&monitorv1.ImportSitesRequest{Site: site}); n > MaxRow {
				t.Errorf("a row of %d bytes is a request of %d", len(row), n)
			}
		}
		if len(refused) > 0 && !errors.Is(refused[0], errLong) {
			t.Errorf("%v", refused)
		}
	}
}

// TestALongRowIsReadOnce is not parallel: it measures what the program allocates.
func TestALongRowIsReadOnce(t *testing.T) {
	text := "url\n\"a\n" + strings.Repeat("\"\"\n", MaxRow/3-10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, refused, end := read(text, CSV)
	runtime.ReadMemStats(&after)
	if end != nil || len(refused) != 1 || !errors.Is(refused[0], errOpen) {
		t.Errorf("%v, %v", refused, end)
	}
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(200*len(text)); got > most {
		t.Errorf("a row of %d lines took %d bytes of memory, want at most %d", strings.Count(text, "\n"), got, most)
	}
}

func TestAFileWithoutItsColumnsIsNoFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"url,colour\n":                `line 1: there is no column "colour"; the columns are url, blog_id, check_interval, paused, tags, method`,
		"blog_id\n1\n":                "line 1: there is no column url",
		"url,URL\n":                   "line 1: the column url is there twice",
		"\nhttps://a.example/\n":      `line 2: the first line must name the columns, as url,blog_id,tags; it has the URL "https://a.example/"`,
		"\"url\n":                     "line 1: the first line must name the columns",
		"\xff\xfeu\x00r\x00l\x00":     "the file is in UTF-16: save it as UTF-8",
		strings.Repeat("x", MaxRow+1): "line 1: is longer than",
	} {
		r := NewReader(strings.NewReader(text), CSV)
		for range 2 {
			_, err := r.Next()
			if row, is := errors.AsType[*RowError](err); is || err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%.30q: %v (row %v), want %s", text, err, row, want)
			}
		}
	}
	if _, err := NewReader(strings.NewReader("x"), "xml").Next(); err == nil {
		t.Error("there is a format xml")
	}
	if err := NewWriter(io.Discard, "xml").Write(full()); err == nil {
		t.Error("there is a format xml")
	}
}

func TestAnErrorOfTheSourceIsTheEnd(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, format := range []Format{CSV, NDJSON} {
		r := NewReader(io.MultiReader(strings.NewReader("url\n"), &failing{broken}), format)
		for range 3 { // NDJSON has a bad row before
			if _, err := r.Next(); errors.Is(err, io.EOF) || err == nil {
				t.Errorf("%s: %v", format, err)
			}
		}
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want %v", format, err, broken)
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// anySite generates sites whose URL is any text, as it may be in WordPress.com's table.
func anySite(t *rapid.T) *monitorv1.Site {
	text := rapid.StringN(1, 20, 200)
	s := &monitorv1.Site{
		Url:    rapid.OneOf(rapid.String(), rapid.StringMatching(`'{0,3}[=+@\t\r-]?[a-z" ,\n\r]{0,9}`)).Draw(t, "url"),
		BlogId: rapid.Int64Range(0, math.MaxInt64).Draw(t, "blog"),
		Paused: rapid.Bool().Draw(t, "paused"),
		Tags:   rapid.SliceOfN(rapid.StringMatching(`[a-z0-9][a-z0-9._:-]{0,31}`), 0, 8).Draw(t, "tags"),

		PublicBadges: rapid.Bool().Draw(t, "badges"),
	}
	if minutes := rapid.Int64Range(0, 255).Draw(t, "minutes"); minutes > 0 {
		s.CheckInterval = &durationpb.Duration{Seconds: 60 * minutes}
	}
	c := &monitorv1.CheckSettings{
		Method:         checkv1.Method(rapid.IntRange(0, 3).Draw(t, "method")),
		RedirectPolicy: checkv1.RedirectPolicy(rapid.IntRange(0, 2).Draw(t, "redirects")),
		RequiredTexts:  rapid.SliceOfN(text, 0, 3).Draw(t, "required"),
		ForbiddenTexts: rapid.SliceOfN(text, 0, 3).Draw(t, "forbidden"),
		PageCheck:      checkv1.PageCheck(rapid.IntRange(0, 2).Draw(t, "page")),
		TlsErrors:      checkv1.TLSErrors(rapid.IntRange(0, 2).Draw(t, "tls")),
	}
	for _, name := range rapid.SliceOfN(text, 0, 3).Draw(t, "headers") {
		c.Headers = append(c.Headers, &checkv1.Header{Name: name, Value: rapid.String().Draw(t, "value")})
	}
	if nanos := rapid.Int64Range(0, 60e9).Draw(t, "slow"); nanos > 0 {
		c.SlowAfter = &durationpb.Duration{Seconds: nanos / 1e9, Nanos: int32(nanos % 1e9)}
	}
	s.Settings = c
	return Portable(s)
}

func TestWhatIsWrittenIsReadAndWrittenAgainByteForByte(t *testing.T) {
	seeds.Check(t, []uint64{1, 2, 3}, func(t *rapid.T) {
		sites := rapid.SliceOfN(rapid.Custom(anySite), 0, 5).Draw(t, "sites")
		for _, format := range []Format{CSV, NDJSON} {
			first := written(t, format, sites...)
			got, refused, end := read(first, format)
			if len(refused) > 0 || end != nil {
				t.Fatalf("%s: %v, %v:\n%s", format, refused, end, first)
			}
			if diff := cmp.Diff(sites, got, protocmp.Transform()); diff != "" && len(sites)+len(got) > 0 {
				t.Fatalf("%s: %s\n%s", format, diff, first)
			}
			if second := written(t, format, got...); second != first {
				t.Fatalf("%s: first\n%s\nsecond\n%s", format, first, second)
			}
		}
	})
}

func TestNoCellIsAFormula(t *testing.T) {
	seeds.Check(t, []uint64{1, 2}, func(t *rapid.T) {
		text := written(t, CSV, anySite(t))
		records := records{lines: newLines(strings.NewReader(text)), comma: ','}
		for {
			cells, _, err := records.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, cell := range cells {
				if cell != "" && strings.Contains(formula, cell[:1]) {
					t.Fatalf("a spreadsheet runs %q", cell)
				}
			}
		}
	})
}

// FuzzReader wants of any file what is promised of every file: it ends, its errors name
// rising lines, and what it has can be written and read again.
func FuzzReader(f *testing.F) {
	f.Add([]byte(fullCSV), true)
	f.Add([]byte("url,tags\n\"a\n\"b\n'=c,\r\n"), true)
	f.Add([]byte(`{"url":"a","settings":{"headers":[{"name":"a"}]}}`+"\n{\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, csv bool) {
		format := NDJSON
		if csv {
			format = CSV
		}
		sites, refused, _ := read(string(text), format)
		for i := 1; i < len(refused); i++ {
			if refused[i].Line <= refused[i-1].Line || refused[i].Row <= refused[i-1].Row {
				t.Fatalf("line %d of row %d follows line %d of row %d", refused[i].Line, refused[i].Row, refused[i-1].Line, refused[i-1].Row)
			}
		}
		if len(refused)+len(sites) > bytes.Count(text, []byte("\n"))+1 {
			t.Fatalf("%d rows of %d lines", len(refused)+len(sites), bytes.Count(text, []byte("\n"))+1)
		}
		first := written(t, NDJSON, sites...)
		again, bad, end := read(first, NDJSON)
		if len(bad) > 0 || end != nil || written(t, NDJSON, again...) != first {
			t.Fatalf("%v, %v: %s", bad, end, first)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, format := range []Format{CSV, NDJSON} {
		text := written(b, format, full())
		head := ""
		if format == CSV {
			head, text, _ = strings.Cut(text, "\n")
			head += "\n"
		}
		b.Run(fmt.Sprint(format), func(b *testing.B) {
			b.ReportAllocs()
			r := NewReader(io.MultiReader(strings.NewReader(head), &endless{text: text}), format)
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// endless repeats a text.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}
