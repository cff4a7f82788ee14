package gateway_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

// ImportSites answers row by row; a URL that ends in "bad" is refused.
func (f *fake) ImportSites(stream grpc.BidiStreamingServer[monitorv1.ImportSitesRequest, monitorv1.ImportSitesResponse]) error {
	for row := int64(1); ; row++ {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f.mu.Lock()
		most := f.cut.Load()
		cut := most > 0 && row > most
		f.mu.Unlock()
		if cut {
			return fault.New(fault.Unavailable, "the database does not answer")
		}
		a := &monitorv1.ImportSitesResponse{Row: row, Result: monitorv1.ImportResult_IMPORT_RESULT_CREATED, SiteId: 1000 + row}
		err = rpc.Check(stream.Context(), &monitorv1.CreateSiteRequest{Site: req.GetSite()})
		if url := req.GetSite().GetUrl(); req.GetSite() != nil && (url == "" || strings.HasSuffix(url, "bad")) {
			err = fault.InvalidField("site.url", "is bad")
		}
		if err != nil {
			a = &monitorv1.ImportSitesResponse{Row: row, Result: monitorv1.ImportResult_IMPORT_RESULT_REFUSED, Error: fault.Status(err).Proto()}
		}
		if err := stream.Send(a); err != nil {
			return err
		}
	}
}

// ExportSites exports a hundred sites of the blog that is asked for.
func (f *fake) ExportSites(req *monitorv1.ExportSitesRequest, stream grpc.ServerStreamingServer[monitorv1.ExportSitesResponse]) error {
	for i := range 100 {
		if cut := int(f.cut.Load()); cut > 0 && i == cut-1 {
			return fault.New(fault.Unavailable, "the database does not answer")
		}
		if i == 0 || i == 99 {
			f.pause(stream.Context())
		}
		if err := stream.Send(&monitorv1.ExportSitesResponse{Site: &monitorv1.Site{Url: fmt.Sprintf("https://%d.example/", i), BlogId: req.GetBlogId()}}); err != nil {
			return err
		}
	}
	return nil
}

// upload sends a file and returns the answer with its lines.
func (h *house) upload(kind string, body io.Reader, header ...string) (*http.Response, []string, error) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "POST", h.base+"/v1/sites:import", body)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp, slices.Collect(strings.Lines(string(raw))), err
}

func TestARowsAnswerSaysWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	const ndjson, csv = "application/x-ndjson", "text/csv"
	lines := `{"url":"https://a.example/","site_id":"3","state":"SITE_STATE_UP"}

{"url":"https://b.example/","nothing":1}
{"url":"https://c.example/bad"}
no JSON
{"url":"https://d.example/","check_interval":"1s"}
{}
{"url":"https://e.example/"}`
	table := "url,blog_id\r\nhttps://a.example/,3\r\nhttps://b.example/,x\r\n\"https://c.example/bad\",4\r\n"
	for name, c := range map[string]struct {
		kind string
		body io.Reader
		zip  bool
		want []string
	}{
		"NDJSON":         {ndjson, strings.NewReader(lines), false, []string{"1001", "unknown field", "url: is bad", "JSON", "check_interval: ", "url: ", "1007"}},
		"its other name": {"application/jsonl; charset=UTF-8", strings.NewReader(lines), false, []string{"1001", "unknown field", "url: is bad", "JSON", "check_interval: ", "url: ", "1007"}},
		"CSV":            {csv, strings.NewReader(table), false, []string{"1001", "blog_id: ", "url: is bad"}},
		"gzip":           {csv, strings.NewReader(zip(t, []byte(table))), true, []string{"1001", "blog_id: ", "url: is bad"}},
		"nothing":        {ndjson, strings.NewReader(""), false, nil},
		"columns alone":  {csv, strings.NewReader("url,blog_id"), false, nil},
	} {
		var header []string
		if c.zip {
			header = []string{"Content-Encoding", "gzip"}
		}
		resp, got, err := h.upload(c.kind, c.body, header...)
		if resp.StatusCode != 200 || err != nil || resp.Header.Get("Content-Type") != ndjson || len(got) != len(c.want) {
			t.Errorf("%s: %d %v, %q", name, resp.StatusCode, err, got)
			continue
		}
		for i, want := range c.want {
			if !strings.HasPrefix(got[i], fmt.Sprintf(`{"row":"%d","result":"IMPORT_RESULT_`, i+1)) || !strings.Contains(got[i], want) || strings.Contains(got[i], "site.") {
				t.Errorf("%s: row %d: %s, want %s", name, i+1, got[i], want)
			}
		}
	}
}

func TestAFileThatIsNoneIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for name, c := range map[string]struct {
		kind, body string
		header     []string
		status     int
		reason     string
	}{
		"JSON":              {"application/json", `{"url":"https://a.example/"}`, nil, 415, "Content-Type: must be application/x-ndjson or text/csv"},
		"no type":           {"", `x`, nil, 415, "Content-Type"},
		"a form":            {"application/x-www-form-urlencoded", `x`, nil, 415, "Content-Type"},
		"another charset":   {"text/csv; charset=utf-16", `x`, nil, 415, "Content-Type"},
		"another coding":    {"text/csv", `url`, []string{"Content-Encoding", "br"}, 415, "Content-Encoding"},
		"no gzip":           {"text/csv", "url\nhttps://a.example/\n", []string{"Content-Encoding", "gzip"}, 400, "is not gzip"},
		"an unknown column": {"text/csv", "url,colour\nhttps://a.example/,red\n", nil, 400, `there is no column \"colour\"`},
		"no column url":     {"text/csv", "blog_id\n3\n", nil, 400, "no column url"},
		"UTF-16":            {"text/csv", "\xff\xfeu\x00", nil, 400, "UTF-8"},
	} {
		resp, got, err := h.upload(c.kind, strings.NewReader(c.body), c.header...)
		if resp.StatusCode != c.status || err != nil || len(got) != 1 || !strings.HasPrefix(got[0], `{"code":`) || !strings.Contains(got[0], c.reason) {
			t.Errorf("%s: %d %v %q", name, resp.StatusCode, err, got)
		}
	}
	if a := h.send("POST", "/v1/sites:import?x=1", ""); a.status != 400 || !strings.Contains(a.message(), "unknown query parameter") {
		t.Errorf("a query: %d %s", a.status, a.body)
	}
}

func TestAnImportThatCannotGoOnSaysSo(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.cut.Store(2)
	h := open(t, f)
	file := strings.Repeat(`{"url":"https://a.example/"}`+"\n", 5000)
	resp, got, err := h.upload("application/x-ndjson", strings.NewReader(file))
	if resp.StatusCode != 200 || err != nil || len(got) != 3 || !strings.HasPrefix(got[2], `{"error":{"code":14,"message":"the database does not answer"`) {
		t.Errorf("after two rows: %d %v %q", resp.StatusCode, err, got)
	}
	broken := zip(t, []byte(file))
	f.mu.Lock()
	f.cut.Store(0)
	f.mu.Unlock()
	resp, got, err = h.upload("application/x-ndjson", strings.NewReader(broken[:len(broken)-9]), "Content-Encoding", "gzip")
	if last := got[len(got)-1]; resp.StatusCode != 200 || err != nil || len(got) < 2 || !strings.HasPrefix(last, `{"error":{"code":3,"message":"body: ends too early"`) {
		t.Errorf("a file cut short: %d %v %q", resp.StatusCode, err, last)
	}
}

// Answers come while rows are still sent, and at once.
func TestAnImportIsAnsweredWhileItIsRead(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	body, file := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.base+"/v1/sites:import", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	go func() { _, _ = io.WriteString(file, `{"url":"https://a.example/"}`+"\n") }()
	resp, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	line := make([]byte, 500)
	for row := range 3 {
		n, err := resp.Body.Read(line)
		if want := fmt.Sprintf(`{"row":"%d",`, row+1); err != nil || !strings.HasPrefix(string(line[:n]), want) {
			t.Fatalf("row %d: %q %v", row+1, line[:n], err)
		}
		if _, err := io.WriteString(file, `{"url":"https://a.example/"}`+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(rest), `{"row":"4",`) {
		t.Errorf("the end: %q %v", rest, err)
	}
}

// export asks for an export.
func (h *house) export(t *testing.T, method, query string, header ...string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.base+"/v1/sites:export"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := io.ReadAll(body)
	return resp, string(raw), err
}

func TestAnExportIsAFileInTheFormatThatIsWanted(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for accept, csv := range map[string]bool{
		"": false, "*/*": false, "application/json": false, "application/x-ndjson, text/csv": false, "text/csv;q=0": false, "text/csv;q=x": false,
		"text/csv": true, "TEXT/CSV; q=0.5, application/x-ndjson;q=0.4": true, "text/html, text/csv;q=0.1": true,
	} {
		for _, coding := range []string{"", "gzip"} {
			resp, file, err := h.export(t, "GET", "?blog_id=7", "Accept", accept, "Accept-Encoding", coding)
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%q: %v %v", accept, resp, err)
			}
			kind, first, lines := "application/x-ndjson", `{"blog_id":"7","url":"https://0.example/"}`, 100
			if csv {
				kind, first, lines = "text/csv; charset=utf-8", "url,blog_id,", 101
			}
			if resp.Header.Get("Content-Type") != kind || !strings.HasPrefix(file, first) || strings.Count(file, "\n") != lines || resp.Header.Get("Content-Encoding") != coding {
				t.Errorf("%q: %v, %d lines: %.80q", accept, resp.Header, strings.Count(file, "\n"), file)
			}
		}
	}
	resp, file, err := h.export(t, "HEAD", "")
	if err != nil || resp.StatusCode != 200 || file != "" || resp.Header.Get("Content-Disposition") != `attachment; filename="sites.ndjson"` {
		t.Errorf("HEAD: %v %q %v", resp, file, err)
	}
}

func TestAnExportThatIsCutShortDoesNotPassForAWholeOne(t *testing.T) {
	t.Parallel()
	f := newFake()
	h := open(t, f)
	f.cut.Store(50)
	for _, coding := range []string{"", "gzip"} {
		if resp, file, err := h.export(t, "GET", "", "Accept-Encoding", coding); err == nil {
			t.Errorf("%q: %d, %d lines, and no error", coding, resp.StatusCode, strings.Count(file, "\n"))
		}
	}
	f.cut.Store(1)
	resp, file, err := h.export(t, "GET", "")
	if err != nil || resp.StatusCode != 503 || !strings.HasPrefix(file, `{"code":14,"message":"the database does not answer"`) {
		t.Errorf("before the first site: %v %q %v", resp, file, err)
	}
	if resp, file, err := h.export(t, "GET", "?blog_id=-1"); err != nil || resp.StatusCode != 400 || !strings.Contains(file, "blog_id: ") {
		t.Errorf("a bad filter: %v %q %v", resp, file, err)
	}
}

// HTTP/1.0 knows no chunks: the end of the connection is the end of the file.
func TestAnExportThatIsCutShortOverHTTP10DoesNotPassForAWholeOne(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	open(t, f, func(o *gateway.Options) { o.Listeners = append(o.Listeners, l) })
	for cut, broken := range map[int]bool{0: false, 50: true} {
		f.cut.Store(int64(cut))
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /v1/sites:export HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if file, err := io.ReadAll(c); (err != nil) != broken || !broken && strings.Count(string(file), "https://") != 100 {
			t.Errorf("broken: %v; %d sites, and then %v", broken, strings.Count(string(file), "https://"), err)
		}
	}
}
