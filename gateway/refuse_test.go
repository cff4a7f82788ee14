package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gateway"
	"github.com/Automattic/jetmon/internal/fault"
)

func TestBadBodiesAreRefusedByNameOfTheField(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	long := "http://127.0.0.1/" + strings.Repeat("x", 300)
	for name, c := range map[string]struct{ body, field, message string }{
		"an unknown field":              {`{"url":"http://127.0.0.1/","frequency":5}`, "frequency", "frequency: unknown field"},
		"an unknown nested field":       {`{"settings":{"methods":"GET"}}`, "settings.methods", "settings.methods: unknown field"},
		"an unknown field in a list":    {`{"settings":{"headers":[{"name":"a"},{"key":"b"}]}}`, "settings.headers[1].key", "unknown field"},
		"a strange name":                {`{"a\nb":1}`, `"a\nb"`, "unknown field"},
		"a field given twice":           {`{"url":"http://127.0.0.1/a","url":"http://127.0.0.1/b"}`, "url", "url: is given more than once"},
		"twice under both names":        {`{"blog_id":1,"blogId":1}`, "blog_id", "more than once"},
		"a number for a text":           {`{"url":5}`, "url", "url: must be a string"},
		"a lone surrogate":              {`{"url":"\ud800"}`, "url", "url: must be a string"},
		"a text for a number":           {`{"blog_id":"many"}`, "blog_id", "blog_id: must be a whole number of at most 64 bits"},
		"a fraction":                    {`{"blog_id":1.5}`, "blog_id", "whole number"},
		"a huge number":                 {`{"blog_id":99999999999999999999}`, "blog_id", "whole number"},
		"a number with huge exponent":   {`{"blog_id":1e999999999}`, "blog_id", "whole number"},
		"a negative number":             {`{"url":"http://127.0.0.1/","blog_id":-1}`, "blog_id", "blog_id: "},
		"a text for a boolean":          {`{"paused":"yes"}`, "paused", "paused: must be true or false"},
		"an unknown name of a method":   {`{"settings":{"method":"BREW"}}`, "settings.method", "must be one of METHOD_UNSPECIFIED, METHOD_HEAD_THEN_GET"},
		"an unknown number of one":      {`{"url":"http://127.0.0.1/","settings":{"method":99}}`, "settings.method", "settings.method: "},
		"a time span without a unit":    {`{"check_interval":"60"}`, "check_interval", `check_interval: must be a time span in seconds, as "60s"`},
		"a time span as a number":       {`{"check_interval":60}`, "check_interval", `as "60s"`},
		"a negative time span":          {`{"url":"http://127.0.0.1/","check_interval":"-60s"}`, "check_interval", "check_interval: "},
		"a time that is none":           {`{"last_check_time":"yesterday"}`, "last_check_time", "must be a time"},
		"a text for an object":          {`{"settings":"fast"}`, "settings", "settings: must be a JSON object"},
		"a list for an object":          {`{"settings":[]}`, "settings", "must be a JSON object"},
		"an object for a list":          {`{"settings":{"required_texts":{}}}`, "settings.required_texts", "must be a JSON array"},
		"a wrong element of a list":     {`{"settings":{"required_texts":["a",7]}}`, "settings.required_texts[1]", "must be a string"},
		"null in a list":                {`{"settings":{"required_texts":[null]}}`, "settings.required_texts[0]", "must be a string"},
		"null in a list of objects":     {`{"settings":{"headers":[null]}}`, "settings.headers[0]", "must be a JSON object"},
		"a wrong value of a map":        {`{"last_observation":{"headers":{"server":1}}}`, "last_observation.headers[server]", "must be a string"},
		"a wrong one far down a list":   {`{"settings":{"required_texts":[` + strings.Repeat(`"a",`, 5000) + `7]}}`, "settings.required_texts", "has an element that is not valid"},
		"a wrong one far down a map":    {`{"last_observation":{"headers":{` + numbered(500) + `"x":7}}}`, "last_observation.headers", "has a member that is not valid"},
		"a member of a map given twice": {`{"last_observation":{"headers":{"a":"b","a":"c"}}}`, "last_observation.headers", "not valid"},
		"an invalid element of a list":  {`{"url":"http://127.0.0.1/","settings":{"required_texts":[""]}}`, "settings.required_texts[0]", "settings.required_texts[0]: "},
		"no URL":                        {`{}`, "url", "url: must not be empty"},
		"a URL that is too long":        {`{"url":"` + long + `"}`, "url", "url: "},
		"a port that is too high":       {`{"url":"http://127.0.0.1:99999/"}`, "url", "url: port must be from 1 to 65535, is 99999"},
		"a URL of another scheme":       {`{"url":"ftp://127.0.0.1/"}`, "url", "url: must begin with http:// or https://"},
		"an empty body":                 {"", "body", "body: must be a JSON object, is empty"},
		"a body of spaces":              {" \n", "body", "is empty"},
		"a list":                        {`[{"url":"http://127.0.0.1/"}]`, "body", "body: must be a JSON object"},
		"a text":                        {`"x"`, "body", "body: must be a JSON object"},
		"null":                          {`null`, "body", "body: must be a JSON object"},
		"something after the object":    {`{"url":"http://127.0.0.1/"} {}`, "body", "body: is not JSON at byte 29"},
		"an object that is cut short":   {`{"url":"http://127.0.0.1/"`, "body", "body: is not JSON at byte"},
		"no JSON":                       {`url=http://127.0.0.1/`, "body", "body: is not JSON at byte 1"},
		"bytes that are not UTF-8":      {"{\"url\":\"http://127.0.0.1/\xff\"}", "body", "body: must be UTF-8"},
		"a NUL":                         {"{\"url\":\"\x00\"}", "body", "body: is not JSON at byte"},
		"a NUL, escaped":                {`{"url":"http://127.0.0.1/\u0000"}`, "url", "url: must not contain spaces or control characters"},
		"far too many brackets":         {strings.Repeat("[", 100_000), "body", "body: is not JSON"},
		"far too deep an object":        {strings.Repeat(`{"settings":`, 20_000), "body", "body: is not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, h.send("POST", "/v1/sites", c.body), 400, c.field, c.message)
			a := h.send("PATCH", "/v1/sites/7", c.body)
			if c.body != "{}" && !(c.field == "url" && a.status == 200) { // the fake's PATCH reads no URL
				checkRefusal(t, a, 400, c.field, c.message)
			}
		})
	}
}

func TestBadPathsAndQueriesAreRefusedByNameOfTheField(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for name, c := range map[string]struct {
		path, field, message string
	}{
		"an unknown parameter":           {"/v1/sites?limit=5", "limit", "limit: unknown query parameter; known are: page_size, page_token, blog_id"},
		"an unknown one where none is":   {"/v1/sites/7?verbose=1", "verbose", "known are: none"},
		"the path's field in the query":  {"/v1/sites/7?site_id=8", "site_id", "unknown query parameter"},
		"a map of nothing":               {"/v1/sites?page_size[x]=1", "page_size[x]", "unknown query parameter"},
		"a text for a number":            {"/v1/sites?page_size=many", "page_size", "page_size: must be a whole number from -2147483648 to 2147483647"},
		"a number beyond 32 bits":        {"/v1/sites?page_size=4294967296", "page_size", "whole number"},
		"an empty number":                {"/v1/sites?page_size=", "page_size", "whole number"},
		"a number that looks octal":      {"/v1/sites?page_size=010", "page_size", "whole number"},
		"a number beyond the contract":   {"/v1/sites?page_size=1001", "page_size", "page_size: "},
		"a negative number":              {"/v1/sites?page_size=-1", "page_size", "page_size: "},
		"a parameter given twice":        {"/v1/sites?page_size=1&page_size=2", "page_size", "page_size: is given more than once"},
		"given under both names":         {"/v1/sites?page_size=1&pageSize=2", "page_size", "more than once"},
		"a text for a boolean":           {"/v1/outages?open=maybe", "open", "open: must be true or false"},
		"a text that is not UTF-8":       {"/v1/sites?page_token=%ff", "page_token", "page_token: must be UTF-8"},
		"a text with a NUL":              {"/v1/sites?page_token=%00", "page_token", "control characters"},
		"a text that is too long":        {"/v1/sites?page_token=" + strings.Repeat("x", 65), "page_token", "page_token: "},
		"a query that is malformed":      {"/v1/sites?page_token=%zz", "query", "query: is malformed"},
		"a query with a semicolon":       {"/v1/sites?a;b", "query", "query: is malformed"},
		"a site that is no number":       {"/v1/sites/example.com", "site_id", "site_id: must be a whole number of at most 64 bits"},
		"a site that looks octal":        {"/v1/sites/010", "site_id", "whole number"},
		"a site that looks hexadecimal":  {"/v1/sites/0x7", "site_id", "whole number"},
		"a site beyond 64 bits":          {"/v1/sites/9223372036854775808", "site_id", "whole number"},
		"site zero":                      {"/v1/sites/0", "site_id", "site_id: "},
		"a negative site":                {"/v1/sites/-7", "site_id", "site_id: "},
		"a verb that is none":            {"/v1/sites/7:frobnicate", "site_id", "whole number"},
		"a NUL in the path":              {"/v1/sites/7%00", "path", "path: must be UTF-8 without control characters"},
		"a path that is not UTF-8":       {"/wpcom/v2/sites/%ff/jetpack-monitor-status", "path", "path: must be UTF-8"},
		"a host that is too long":        {"/wpcom/v2/sites/" + strings.Repeat("x", 601) + "/jetpack-monitor-status", "site", "site: "},
		"a query on what takes none":     {"/v1/fleet?x=1", "x", "unknown query parameter"},
		"a long unknown name, shortened": {"/v1/fleet?" + strings.Repeat("x", 5000), strings.Repeat("x", 64) + "...", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkRefusal(t, h.get(c.path), 400, c.field, c.message)
		})
	}
	for name, c := range map[string]struct{ path, field, message string }{
		"a patch of a site that is no number": {"/v1/sites/x", "site_id", "site_id: must be a whole number"},
		"a patch with fields in the query":    {"/v1/sites/7?site.url=x", "site.url", "known are: update_mask"},
		"a patch of nothing":                  {"/v1/sites/7", "body", "body: holds no field to change"},
		"a patch with an empty mask":          {"/v1/sites/7?update_mask=", "update_mask", "update_mask: must be names"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"paused":true}`
			if c.field == "body" {
				body = "{ }"
			}
			checkRefusal(t, h.send("PATCH", c.path, body), 400, c.field, c.message)
		})
	}
}

func TestBadHTTPIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	const good = `{"url":"http://127.0.0.1:81/"}`
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		message, allow     string
	}{
		"a form":                     {"POST", "/v1/sites", "url=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "Content-Type: must be application/json", ""},
		"no content type":            {"POST", "/v1/sites", good, []string{"Content-Type", ""}, 415, "Content-Type", ""},
		"a malformed content type":   {"POST", "/v1/sites", good, []string{"Content-Type", "a/b/c"}, 415, "Content-Type", ""},
		"another character set":      {"POST", "/v1/sites", good, []string{"Content-Type", "application/json; charset=latin1"}, 415, "Content-Type", ""},
		"a compressed body":          {"POST", "/v1/sites", good, []string{"Content-Encoding", "br"}, 415, "Content-Encoding", ""},
		"a body over a mebibyte":     {"POST", "/v1/sites", `{"url":"` + strings.Repeat("x", gateway.MaxBodyBytes) + `"}`, nil, 413, "body: must be at most 1048576 bytes", ""},
		"an unknown path":            {"GET", "/v1/sitez", "", nil, 404, "/v1/sitez", ""},
		"a path below a known one":   {"GET", "/v1/sites/7/x", "", nil, 404, "/v1/sites/7/x", ""},
		"a slash too many":           {"GET", "/v1/sites/", "", nil, 404, "/v1/sites/", ""},
		"an encoded slash":           {"GET", "/v1/sites%2F7%2F8", "", nil, 404, "", ""},
		"a method of another path":   {"PUT", "/v1/sites/7", good, nil, 405, "PUT", "DELETE, GET, HEAD, PATCH"},
		"deleting the list":          {"DELETE", "/v1/sites", "", nil, 405, "DELETE", "GET, HEAD, POST"},
		"writing what is to be read": {"POST", "/healthz", "", nil, 405, "POST", "GET, HEAD"},
		"options":                    {"OPTIONS", "/v1/fleet", "", nil, 405, "OPTIONS", "GET, HEAD"},
		"an override of the method":  {"POST", "/v1/fleet", "", []string{"X-HTTP-Method-Override", "GET", "Content-Type", "application/x-www-form-urlencoded"}, 405, "POST", "GET, HEAD"},
		"a site that is there":       {"POST", "/v1/sites", `{"url":"http://127.0.0.1/"}`, nil, 409, "the blog has a site with this URL: 7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := h.send(c.method, c.path, c.body, c.header...)
			checkRefusal(t, a, c.status, "", c.message)
			if got := a.header.Get("Allow"); got != c.allow {
				t.Errorf("Allow is %q, want %q", got, c.allow)
			}
		})
	}
	if a := h.send("POST", "/v1/sites", good, "Content-Type", "Application/JSON; charset=UTF-8"); a.status != 200 {
		t.Errorf("a good type in another case: %d %s", a.status, a.body)
	}
}

func TestHeadersFromOutsideNeverReachTheCoordinator(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	// Each of these headers would break or change the call if the gateway forwarded it.
	a := h.send("GET", "/v1/sites/7", "",
		"Grpc-Timeout", "0n", "Grpc-Metadata-X-Bin", "!", "Authorization", "Bearer x", "Te", "trailers",
		"X-Forwarded-For", strings.Repeat("1", 20_000), "Connection", "close", "Accept", "text/html")
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestCodesOfTheCoordinatorBecomeHTTPs(t *testing.T) {
	t.Parallel()
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)}
	for name, c := range map[string]struct {
		err    error
		status int
		code   codes.Code
		retry  string
	}{
		"invalid":            {fault.New(fault.Invalid, "m"), 400, codes.InvalidArgument, ""},
		"not found":          {fault.New(fault.NotFound, "m"), 404, codes.NotFound, ""},
		"already exists":     {fault.New(fault.AlreadyExists, "m"), 409, codes.AlreadyExists, ""},
		"a lost race":        {fault.New(fault.Conflict, "m"), 409, codes.Aborted, ""},
		"fenced":             {fault.New(fault.Fenced, "m"), 400, codes.FailedPrecondition, ""},
		"unauthenticated":    {fault.New(fault.Unauthenticated, "m"), 401, codes.Unauthenticated, ""},
		"not permitted":      {status.Error(codes.PermissionDenied, "m"), 403, codes.PermissionDenied, ""},
		"exhausted":          {fault.New(fault.Exhausted, "m").With(retry), 429, codes.ResourceExhausted, "3"},
		"exhausted, longer":  {fault.New(fault.Exhausted, "m").With(&errdetails.RetryInfo{RetryDelay: durationpb.New(2200 * time.Millisecond)}), 429, codes.ResourceExhausted, "3"},
		"unavailable":        {fault.New(fault.Unavailable, "m"), 503, codes.Unavailable, "1"},
		"not implemented":    {status.Error(codes.Unimplemented, "m"), 501, codes.Unimplemented, ""},
		"an error of no one": {errors.New("m"), 500, codes.Internal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.fail = func(context.Context) error { return c.err }
			a := open(t, f).get("/v1/fleet")
			want := "m"
			if c.code == codes.Internal {
				want = "internal error"
			}
			checkRefusal(t, a, c.status, "", want)
			if code, _ := a.json["code"].(float64); codes.Code(code) != c.code || a.header.Get("Retry-After") != c.retry {
				t.Errorf("code %v, Retry-After %q: %s", code, a.header.Get("Retry-After"), a.body)
			}
		})
	}
}

func TestACoordinatorThatHangsIsA504(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fail = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		h := open(t, f)
		start := time.Now()
		a := h.get("/v1/fleet")
		if took := time.Since(start); a.status != 504 || took > gateway.CallTimeout {
			t.Errorf("%d %s after %v", a.status, a.body, took)
		}
		h.client.CloseIdleConnections()
	})
}

// checkRefusal checks that an answer is an error in the contract's form, with a message for
// people.
func checkRefusal(t *testing.T, a answer, code int, field, message string) {
	t.Helper()
	if a.status != code || !strings.Contains(a.message(), message) || a.message() == "" {
		t.Errorf("got %d %s, want %d %q", a.status, a.body, code, message)
	}
	if field != "" && a.field() != field {
		t.Errorf("the field at fault is %q, want %q: %s", a.field(), field, a.body)
	}
	if !a.isError() || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("neither a google.rpc.Status as JSON nor an error of WordPress's: %v %s", a.header, a.body)
	}
	for _, noise := range []string{"proto:", "\u00a0", "(line", "rpc error", "strconv", "type mismatch"} {
		if strings.Contains(a.message(), noise) {
			t.Errorf("%q is no word for users: %s", noise, a.message())
		}
	}
	if !utf8.ValidString(a.body) || len(a.body) > 4096 {
		t.Errorf("answer of %d bytes: %.200s", len(a.body), a.body)
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"h%d":"v",`, i)
	}
	return b.String()
}
