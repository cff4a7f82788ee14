package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/sitefile"
)

// ImportSites answers rows as the contract has it, in groups.
func (r *registry) ImportSites(stream monitorv1.SiteService_ImportSitesServer) error {
	var row int64
	var open []*monitorv1.ImportSitesResponse
	for {
		req, err := stream.Recv()
		if err == nil {
			if r.before != nil {
				if err := r.before("import"); err != nil {
					return err
				}
			}
			row++
			r.mu.Lock()
			open = append(open, r.importRow(row, req.GetSite()))
			r.mu.Unlock()
		}
		if err != nil || len(open) == r.together {
			for _, answer := range open {
				if err := stream.Send(answer); err != nil {
					return err
				}
			}
			open = nil
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *registry) importRow(row int64, s *monitorv1.Site) *monitorv1.ImportSitesResponse {
	answer := &monitorv1.ImportSitesResponse{Row: row}
	if strings.HasPrefix(s.GetUrl(), "bad") {
		answer.Result, answer.Error = monitorv1.ImportResult_IMPORT_RESULT_REFUSED, status.New(codes.InvalidArgument, "site.url: must be a URL").Proto()
		return answer
	}
	for id, old := range r.sites {
		if old.GetUrl() != s.GetUrl() || old.GetBlogId() != s.GetBlogId() {
			continue
		}
		answer.SiteId, answer.Result = id, monitorv1.ImportResult_IMPORT_RESULT_DIFFERENT
		if proto.Equal(sitefile.Portable(old), sitefile.Portable(s)) {
			answer.Result = monitorv1.ImportResult_IMPORT_RESULT_UNCHANGED
		}
		return answer
	}
	answer.SiteId, answer.Result = r.put(s).GetSiteId(), monitorv1.ImportResult_IMPORT_RESULT_CREATED
	return answer
}

// ExportSites sends the sites by rising id.
func (r *registry) ExportSites(req *monitorv1.ExportSitesRequest, stream monitorv1.SiteService_ExportSitesServer) error {
	for id := int64(1); id <= int64(len(r.sites)); id++ {
		if req.GetTag() != "" && !slices.Contains(r.sites[id].GetTags(), req.GetTag()) {
			continue
		}
		if r.before != nil {
			if err := r.before("export"); err != nil {
				return err
			}
		}
		if err := stream.Send(&monitorv1.ExportSitesResponse{Site: sitefile.Portable(r.sites[id])}); err != nil {
			return err
		}
	}
	return nil
}

// open opens a file of any format.
func open(t *testing.T, name, text, format string) (SiteImport, string) {
	t.Helper()
	var remarks bytes.Buffer
	source, noun, err := OpenSource(strings.NewReader(text), name, format, &remarks)
	if err != nil {
		t.Fatal(err)
	}
	return SiteImport{Source: source, Noun: noun}, remarks.String()
}

const rows = `url,blog_id,check_interval,tags
http://a.example/,,60s,
http://b.example/,8,,
bad,7,,
http://c.example/,seven,,

http://d.example/,7,,x
`

func TestAnImportTellsWhatBecameOfEachRow(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	r.put(&monitorv1.Site{Url: "http://b.example/", BlogId: 8})
	r.put(&monitorv1.Site{Url: "http://d.example/", BlogId: 7})
	c, out := r.client(t)
	i, _ := open(t, "x.csv", rows, "")
	i.Blog = 7
	err := c.ImportSites(t.Context(), i)
	const want = `line 4: site.url: must be a URL
line 5: blog_id: must be a whole number, 0 or more, is "seven"
5 rows: 1 created, 1 unchanged, 1 different (left as they are), 2 refused
`
	if err == nil || err.Error() != "2 of 5 rows were refused" || out.String() != want {
		t.Errorf("%v:\n%s\nwant\n%s", err, out, want)
	}
	if s := r.sites[3]; len(r.sites) != 3 || s.GetBlogId() != 7 || s.GetCheckInterval().GetSeconds() != 60 {
		t.Errorf("%v", r.sites)
	}
	// Once more: nothing is doubled, and refused rows go into their file.
	out.Reset()
	var refused bytes.Buffer
	i, _ = open(t, "x.csv", rows, "")
	i.Blog, i.Refused = 7, &refused
	c.Output = JSON
	if err := c.ImportSites(t.Context(), i); err == nil || out.String() != `{"rows":5,"created":0,"unchanged":2,"different":1,"refused":2}`+"\n" || strings.Count(refused.String(), "\n") != 2 || len(r.sites) != 3 {
		t.Errorf("%v: %s, refused: %s", err, out, &refused)
	}
}

func TestOnlyTheFirstRefusalsAreShown(t *testing.T) {
	t.Parallel()
	c, out := newRegistry().client(t)
	i, _ := open(t, "", "url\n"+strings.Repeat("bad\n", 500), "csv")
	if err := c.ImportSites(t.Context(), i); err == nil || err.Error() != "500 of 500 rows were refused" || strings.Count(out.String(), "\n") != maxRefusals+2 || !strings.Contains(out.String(), "--errors FILE") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestWhatIsExportedAndImportedIsExportedAgainByteForByte(t *testing.T) {
	t.Parallel()
	from := newRegistry()
	for n := range 2500 {
		from.put(&monitorv1.Site{Url: fmt.Sprintf("http://%d.example/?a=\"b,c\"", n), BlogId: int64(n % 7), Tags: []string{"x"}, Paused: n%2 == 0})
	}
	for _, format := range []sitefile.Format{sitefile.CSV, sitefile.NDJSON} {
		c, first := from.client(t)
		if err := c.ExportSites(t.Context(), SiteExport{Filter: &monitorv1.ExportSitesRequest{Tag: "x"}, Format: format}); err != nil {
			t.Fatal(err)
		}
		to := newRegistry()
		c, second := to.client(t)
		i, _ := open(t, "", first.String(), "")
		if err := c.ImportSites(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		second.Reset()
		if err := c.ExportSites(t.Context(), SiteExport{Filter: &monitorv1.ExportSitesRequest{}, Format: format}); err != nil || second.String() != first.String() {
			t.Errorf("%s: %v, %d bytes, then %d", format, err, first.Len(), second.Len())
		}
	}
}

// slow yields rows until it is told to stop, and then waits for ever, as a terminal does.
type slow struct {
	rows, until int
	stopped     func()
	closed      chan struct{}
}

func (s *slow) Line() int64 { return int64(s.rows) }

func (s *slow) Next() (*monitorv1.Site, error) {
	if s.rows == s.until {
		s.stopped()
		<-s.closed
		return nil, io.EOF
	}
	s.rows++
	return &monitorv1.Site{Url: fmt.Sprintf("http://%d.example/", s.rows)}, nil
}

func TestAnImportThatIsInterruptedWaitsForItsAnswersAndGoesOnLater(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := newRegistry()
	c, out := r.client(t)
	source := &slow{until: 100, stopped: cancel, closed: make(chan struct{})}
	defer close(source.closed)
	err := c.ImportSites(ctx, SiteImport{Source: source, Noun: "line"})
	stopped, ok := errors.AsType[Interrupted](err)
	if !ok || !strings.Contains(stopped.Error(), fmt.Sprintf("interrupted after line %d; the same command goes on", len(r.sites))) {
		t.Errorf("%v, with %d sites", err, len(r.sites))
	}
	if want := fmt.Sprintf("%d rows: %d created,", len(r.sites), len(r.sites)); !strings.HasPrefix(out.String(), want) || len(r.sites) < 99 {
		t.Errorf("%s, want %s", out, want)
	}
}

// The coordinator ends the import while the file, a pipe or a terminal, says nothing.
func TestAnImportThatBreaksDoesNotWaitForItsFile(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{0, 1} {
		r := newRegistry()
		r.before = func(string) error { return status.Error(codes.Unavailable, "draining") }
		c, _ := r.client(t)
		source := &slow{until: rows, stopped: func() {}, closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		if rows == 0 {
			source.stopped = cancel // nothing was sent, so that nothing can break
		}
		err := c.ImportSites(ctx, SiteImport{Source: source, Noun: "line"})
		close(source.closed)
		cancel()
		if err == nil || rows > 0 && !strings.Contains(err.Error(), "draining (Unavailable)") {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
}

func TestAnImportThatBreaksSaysWhere(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	calls := 0
	r.before = func(string) error {
		if calls++; calls > 10 {
			return status.Error(codes.Unavailable, "draining")
		}
		return nil
	}
	c, out := r.client(t)
	i, _ := open(t, "", "url\n"+strings.Repeat("http://a.example/\n", 50_000), "csv")
	err := c.ImportSites(t.Context(), i)
	if err == nil || !strings.Contains(err.Error(), "the import has ended after line 10: ") || !strings.Contains(err.Error(), "draining (Unavailable)") || !strings.Contains(err.Error(), "goes on where this one has stopped") {
		t.Errorf("%v: %s", err, out)
	}
	if !strings.HasPrefix(out.String(), "9 rows: 1 created") {
		t.Errorf("%s", out)
	}
}

func TestAFileThatCannotBeReadToItsEnd(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	c, out := r.client(t)
	i, _ := open(t, "x.csv", "url,colour\nhttp://a.example/,red\n", "")
	if err := c.ImportSites(t.Context(), i); err == nil || !strings.HasPrefix(err.Error(), `the file cannot be read: line 1: there is no column "colour"`) || len(r.sites) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAnExportThatBreaksSaysThatItIsNotComplete(t *testing.T) {
	t.Parallel()
	r := newRegistry("http://a.example/", "http://b.example/")
	calls := 0
	r.before = func(string) error {
		if calls++; calls > 1 {
			return status.Error(codes.Unavailable, "draining")
		}
		return nil
	}
	c, out := r.client(t)
	err := c.ExportSites(t.Context(), SiteExport{Filter: &monitorv1.ExportSitesRequest{}, Format: sitefile.NDJSON})
	if err == nil || !strings.HasPrefix(err.Error(), "the file is not complete: ") || out.String() != `{"url":"http://a.example/"}`+"\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestADryRunSendsNothingAndShowsWhatWouldBeAdded(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	c := Client{Out: &out, Err: &errs} // without a connection
	i, _ := open(t, "", "url,check_interval,tags,required_texts\nhttp://a.example/,60s,shop,Welcome\nhttp://b.example/,10s,,\nhttp://c.example/,x,,\nhttp://d.example/,,No Tag,\n", "")
	i.Blog = 7
	err := c.DryRun(t.Context(), i)
	const want = `URL                BLOG  INTERVAL  PAUSED  TAGS  SETTINGS
http://a.example/  7     60s               shop  requires "Welcome"
`
	if err == nil || err.Error() != "3 of 4 rows are refused" || out.String() != want {
		t.Errorf("%v:\n%s\nwant\n%s", err, &out, want)
	}
	for _, want := range []string{"line 3: check_interval: ", "line 4: check_interval: must be a duration", "line 5: tags[0]: ", "1 site would be added, unless there already; 3 refused. Nothing was sent."} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%s\nwants %s", &errs, want)
		}
	}
}

func TestADryRunConvertsFiles(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := Client{Out: &out, Err: io.Discard, Output: NDJSON}
	i, _ := open(t, "config.yaml", "endpoints:\n- {name: a, group: core, url: 'http://a.example/', conditions: ['[STATUS] == 200']}\n", "")
	const want = `{"url":"http://a.example/","check_interval":"60s","settings":{"method":"METHOD_GET"},"tags":["core"]}` + "\n"
	if err := c.DryRun(t.Context(), i); err != nil || out.String() != want {
		t.Errorf("%v: %s, want %s", err, &out, want)
	}
}

func TestTheFormatOfAFileIsGuessed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"x.xlsx", "PK\x03\x04\x14", workbook}, {"x.json", "{\n  \"sites\": [\n", document}, {"-", `{"sites":[{"site_id":"1"}]}`, document},
		{"x.json", `[{"id":1,"type":"http"}]`, "uptime-kuma"}, {"x.json", "{\n \"12\": {\n", "uptime-kuma"}, {"-", "{\"url\":\"a\"}\n{", "ndjson"},
		{"x.csv", "", "csv"}, {"x.TSV", "", "csv"}, {"x.ndjson", "", "ndjson"}, {"x.jsonl", "", "ndjson"}, {"x.yml", "", "gatus"},
		{"x.json", `{"version":"1.23","notificationList":[` + strings.Repeat(" ", guessBytes), "uptime-kuma"},
		{"x.json", `{"url":"http://a.example/"}`, "ndjson"}, {"-", "\xef\xbb\xbf{\"url\":\"a\"}", "ndjson"},
		{"-", "alerting: {}\nendpoints:\n- url: x\n", "gatus"}, {"-", "url,blog_id\n", "csv"}, {"-", "", "csv"},
	} {
		got, err := guess(tt.name, []byte(tt.text))
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s with %.20q: %s, want %s", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestMonitorsOfOthersAreImportedAndWhatIsLeftOutIsSaid(t *testing.T) {
	t.Parallel()
	const backup = `{"version":"1.23.16","notificationList":[],"monitorList":[
		{"name":"Port","type":"port","hostname":"a","interval":60},
		{"name":"Page","type":"keyword","url":"http://a.example/","interval":60,"keyword":"Hi","body":"{}"},
		{"name":"Bad\u0007","type":"http","url":"http:///x","interval":60}]}`
	r := newRegistry()
	c, out := r.client(t)
	i, remarks := open(t, "backup.json", backup, "")
	if err := c.ImportSites(t.Context(), i); err != nil || len(r.sites) != 1 || r.sites[1].GetSettings().GetRequiredTexts()[0] != "Hi" {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{"monitor 1, Port: left out: no site: it is of the type", "monitor 2, Page: left out: the body", "monitor 3, Bad?: left out: no site", "Left out of all: names", "3 monitors, 2 of them without a site."} {
		if !strings.Contains(remarks, want) {
			t.Errorf("%s\nwants %s", remarks, want)
		}
	}
	if _, _, err := OpenSource(strings.NewReader("nonsense"), "", Kuma, io.Discard); err == nil {
		t.Error("nonsense is a backup")
	}
}

// The clock of a bubble runs as soon as everybody waits.
func TestNobodyWaitsForEverForASilentCoordinator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silence := make(chan struct{})
		silent := func() Client {
			r := newRegistry("http://a.example/")
			r.before = func(string) error { <-silence; return nil }
			c, _ := r.client(t)
			return c
		}
		c := silent()
		i, _ := open(t, "x.csv", "url\nhttp://b.example/\n", "")
		err := c.ImportSites(t.Context(), i)
		if err == nil || !strings.Contains(err.Error(), "the import has ended after line 0: nothing came for 1m0s; the same command goes on") {
			t.Errorf("an import: %v", err)
		}
		err = silent().ExportSites(t.Context(), SiteExport{Filter: &monitorv1.ExportSitesRequest{}, Format: sitefile.NDJSON})
		if err == nil || err.Error() != "the file is not complete: nothing came for 1m0s" {
			t.Errorf("an export: %v", err)
		}
		close(silence)
	})
}

func TestOfManySitesTheFirstAreDescribed(t *testing.T) {
	t.Parallel()
	var urls []string
	var ids []int64
	for i := range 12 {
		urls, ids = append(urls, fmt.Sprintf("http://%d.example/", i)), append(ids, int64(i+1))
	}
	c, _ := newRegistry(urls...).client(t)
	lines, err := c.DescribeSites(t.Context(), ids)
	if err != nil || len(lines) != 11 || lines[0] != "1  http://0.example/" || lines[10] != "and 2 more" {
		t.Errorf("%q, %v", lines, err)
	}
	if lines, err := c.DescribeSites(t.Context(), []int64{99}); err == nil || err.Error() != "there is no such site" {
		t.Errorf("a site that is not there: %q, %v", lines, err)
	}
}

// late yields a row after a long time.
type late struct{ Source }

func (l late) Next() (*monitorv1.Site, error) {
	time.Sleep(5 * idleTimeout)
	return l.Source.Next()
}

func TestAnImportWaitsForItsFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry()
		r.together = 1 // who sends rows one by one gets their answers so
		c, _ := r.client(t)
		i, _ := open(t, "x.csv", "url\nhttp://a.example/\nhttp://b.example/\nhttp://c.example/\n", "")
		i.Source = late{i.Source}
		if err := c.ImportSites(t.Context(), i); err != nil || len(r.sites) != 3 {
			t.Errorf("%v, %d sites", err, len(r.sites))
		}
	})
}
