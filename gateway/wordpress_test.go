package gateway_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/wpcom/v1"
	"github.com/Automattic/jetmon/internal/fault"
	"github.com/Automattic/jetmon/internal/rpc"
)

const (
	settingsPath = "/wpcom/v2/sites/7/jetpack-monitor-settings"
	// wrongHost is what the Host that no gateway has is answered.
	wrongHost = `{"code":"rest_misdirected_request","message":"Host: evil.example is not a name of this gateway; --allowed-host adds one","data":{"status":421}}`
)

// What the gateway itself refuses under WordPress.com's paths has the shape of WordPress's
// errors, and nothing else has.
func TestRefusalsOfWordPressComsPathsHaveWordPresssShape(t *testing.T) {
	t.Parallel()
	h := open(t, newFake())
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		code               int
		want               string
	}{
		"no route":           {"GET", "/wpcom/v2/sites/7/jetpack-monitor-nothing", "", nil, 404, `{"code":"rest_no_route","message":"there is nothing at /wpcom/v2/sites/7/jetpack-monitor-nothing; / lists what there is","data":{"status":404}}`},
		"no version":         {"GET", "/wpcom/", "", nil, 404, `{"code":"rest_no_route","message":"there is nothing at /wpcom/; / lists what there is","data":{"status":404}}`},
		"a wrong method":     {"DELETE", settingsPath, "", nil, 405, `{"code":"rest_no_route","message":"method DELETE is not allowed here; allowed are: GET, HEAD, POST","data":{"status":405}}`},
		"a path that climbs": {"GET", "/wpcom/v2/../x", "", nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): path","data":{"status":400,"params":{"path":"path: must not contain . or .. between its slashes"}}}`},
		"a parameter":        {"GET", settingsPath + "?a=b", "", nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): a","data":{"status":400,"params":{"a":"a: unknown query parameter; known are: none"}}}`},
		"no JSON":            {"POST", settingsPath, "{", nil, 400, `{"code":"rest_invalid_json","message":"body: is not JSON at byte 1: unexpected end of JSON input","data":{"status":400}}`},
		"a list":             {"POST", settingsPath, "[1]", nil, 400, `{"code":"rest_invalid_json","message":"body: must be a JSON object","data":{"status":400}}`},
		"an unknown field":   {"POST", settingsPath, `{"<b>":1}`, nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): <b>","data":{"status":400,"params":{"<b>":"<b>: unknown field"}}}`},
		"null":               {"POST", settingsPath, `{"urls":null}`, nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): urls","data":{"status":400,"params":{"urls":"urls: must not be null"}}}`},
		"null inside":        {"POST", settingsPath, `{"urls":[{"monitor_url":null}]}`, nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): urls","data":{"status":400,"params":{"urls":"urls[0].monitor_url: must not be null"}}}`},
		"two as a truth":     {"POST", settingsPath, `{"monitor_active":2}`, nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): monitor_active","data":{"status":400,"params":{"monitor_active":"monitor_active: must be true or false"}}}`},
		"nothing as a truth": {"POST", settingsPath, `{"monitor_active":""}`, nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): monitor_active","data":{"status":400,"params":{"monitor_active":"monitor_active: must be true or false"}}}`},
		"a field twice":      {"POST", settingsPath, `{"monitor_active":1,"monitor_active":0}`, nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): monitor_active","data":{"status":400,"params":{"monitor_active":"monitor_active: is given more than once"}}}`},
		"the contract's own": {"POST", settingsPath, `{"urls":[{"monitor_url":""}],"jetmon_defer_status_down_minutes":9999}`, nil, 400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): jetmon_defer_status_down_minutes, urls","data":{"status":400,"params":{"jetmon_defer_status_down_minutes":"jetmon_defer_status_down_minutes: must be less than or equal to 1440","urls":"urls[0].monitor_url: must be at least 1 characters"}}}`},
		"a form":             {"POST", settingsPath, "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, `{"code":"rest_unsupported_media_type","message":"Content-Type: must be application/json","data":{"status":415}}`},
		"too much":           {"POST", settingsPath, strings.Repeat(" ", 1<<20+1), nil, 413, `{"code":"rest_request_entity_too_large","message":"body: must be at most 1048576 bytes","data":{"status":413}}`},
		"another host":       {"GET", settingsPath, "", []string{"Host", "evil.example"}, 421, wrongHost},
		"a page of another":  {"POST", settingsPath, "{}", []string{"Origin", "http://evil.example"}, 403, `{"code":"rest_forbidden","message":"Origin: a page of another site may not send this; --cors-origin allows one","data":{"status":403}}`},
		"long credentials":   {"GET", settingsPath, "", []string{"Authorization", strings.Repeat("x", 1100)}, 401, `{"code":"rest_forbidden","message":"Authorization: must be Bearer TOKEN, of at most 1024 characters of ASCII","data":{"status":401}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := h.send(c.method, c.path, c.body, c.header...)
			if a.status != c.code || strings.TrimSpace(a.body) != c.want || a.header.Get("X-Request-Id") == "" || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("%d %v\n got %s\nwant %d\n     %s", a.status, a.header, a.body, c.code, c.want)
			}
			if other := h.send("DELETE", "/v1/fleet", ""); other.json["code"] != float64(codes.Unimplemented) {
				t.Errorf("beside WordPress.com's paths: %s", other.body)
			}
		})
	}
	if a := h.send("DELETE", settingsPath, ""); a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("Allow is %q", a.header.Get("Allow"))
	}
}

func TestCodesOfTheCoordinatorBecomeWordPresss(t *testing.T) {
	t.Parallel()
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)}
	for name, c := range map[string]struct {
		err    error
		status int
		code   string
		retry  string
	}{
		"invalid":         {fault.New(fault.Invalid, "m"), 400, "rest_invalid_request", ""},
		"not found":       {fault.New(fault.NotFound, "m"), 404, "unknown_blog", ""},
		"already exists":  {fault.New(fault.AlreadyExists, "m"), 409, "rest_conflict", ""},
		"a lost race":     {fault.New(fault.Conflict, "m"), 409, "rest_conflict", ""},
		"fenced":          {fault.New(fault.Fenced, "m"), 400, "rest_failed_precondition", ""},
		"unauthenticated": {fault.New(fault.Unauthenticated, "m"), 401, "rest_forbidden", ""},
		"not permitted":   {fault.New(fault.Denied, "m"), 403, "rest_forbidden", ""},
		"exhausted":       {fault.New(fault.Exhausted, "m").With(retry), 429, "rest_too_many_requests", "3"},
		"unavailable":     {fault.New(fault.Unavailable, "m"), 503, "rest_unavailable", "1"},
		"not implemented": {status.Error(codes.Unimplemented, "m"), 501, "rest_not_implemented", ""},
		"of no one":       {errors.New("m"), 500, "internal_server_error", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.fail = func(context.Context) error { return c.err }
			a := open(t, f).get(settingsPath)
			data, _ := a.json["data"].(map[string]any)
			if a.status != c.status || a.json["code"] != c.code || data["status"] != float64(c.status) || a.header.Get("Retry-After") != c.retry {
				t.Errorf("%d %v %s, want %d %s", a.status, a.header, a.body, c.status, c.code)
			}
		})
	}
	a := openAlone(t, rpc.NewMemory()).get(settingsPath)
	if a.status != 503 || a.json["code"] != "rest_unavailable" || a.header.Get("Retry-After") == "" {
		t.Errorf("without a coordinator: %d %s", a.status, a.body)
	}
	denied := open(t, &fake{access: rpc.NewAuthorizer(rpc.AuthorizerOptions{})}).get(settingsPath)
	if denied.status != 401 || denied.json["code"] != "rest_forbidden" || denied.header.Get("WWW-Authenticate") == "" {
		t.Errorf("without a token: %d %s", denied.status, denied.body)
	}
}

// A POST changes the fields that it has, with values as PHP has them.
func TestAPostOfPHPsValuesIsReadAsItIsMeant(t *testing.T) {
	t.Parallel()
	yes, no, five := proto.Bool(true), proto.Bool(false), proto.Uint32(5)
	for body, want := range map[string]struct {
		settings *wpcomv1.JetpackMonitorSettings
		mask     []string
	}{
		`{}`:                              {&wpcomv1.JetpackMonitorSettings{}, nil},
		` [] `:                            {&wpcomv1.JetpackMonitorSettings{}, nil},
		`{"monitor_active":1}`:            {&wpcomv1.JetpackMonitorSettings{MonitorActive: yes}, []string{"monitor_active"}},
		`{"monitorActive":"TRUE"}`:        {&wpcomv1.JetpackMonitorSettings{MonitorActive: yes}, []string{"monitor_active"}},
		`{"monitor_active":"0"}`:          {&wpcomv1.JetpackMonitorSettings{MonitorActive: no}, []string{"monitor_active"}},
		`{"email_notifications":false}`:   {&wpcomv1.JetpackMonitorSettings{EmailNotifications: no}, []string{"email_notifications"}},
		`{"urls":[]}`:                     {&wpcomv1.JetpackMonitorSettings{}, []string{"urls"}},
		`{"contacts":[]}`:                 {&wpcomv1.JetpackMonitorSettings{Contacts: &wpcomv1.JetpackMonitorContacts{}}, nil},
		`{"contacts":{"sms_numbers":[]}}`: {&wpcomv1.JetpackMonitorSettings{Contacts: &wpcomv1.JetpackMonitorContacts{}}, []string{"contacts.sms_numbers"}},
		`{"contacts":{"emails":[{"email_address":"a@b.example","verified":"1"}]}}`: {
			&wpcomv1.JetpackMonitorSettings{Contacts: &wpcomv1.JetpackMonitorContacts{Emails: []*wpcomv1.JetpackMonitorEmail{{EmailAddress: "a@b.example", Verified: true}}}}, []string{"contacts.emails"},
		},
		`{"urls":[{"monitor_url":"http://a\u002eexample/","check_interval":"5","options":[]}],"sms_notifications":"false"}`: {
			&wpcomv1.JetpackMonitorSettings{Urls: []*wpcomv1.JetpackMonitorUrl{{MonitorUrl: "http://a.example/", CheckInterval: five, Options: &wpcomv1.JetpackMonitorUrlOptions{}}}, SmsNotifications: no},
			[]string{"urls", "sms_notifications"},
		},
	} {
		f := newFake()
		h := open(t, f)
		if a := h.send("POST", settingsPath, body); a.status != 200 || len(f.posts) != 1 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
			continue
		}
		if got := f.posts[0]; got.GetSite() != "7" || !proto.Equal(got.GetSettings(), want.settings) || !slices.Equal(got.GetUpdateMask().GetPaths(), want.mask) {
			t.Errorf("%s is %v, want %v and the mask %v", body, got, want.settings, want.mask)
		}
		// Elsewhere values are as the contract has them.
		if a := h.send("PATCH", "/v1/sites/7", `{"paused":1}`); a.status != 400 {
			t.Errorf("a 1 for true beside WordPress.com's paths: %d %s", a.status, a.body)
		}
	}
	f := newFake()
	if a := open(t, f).send("POST", settingsPath+"?update_mask=urls", `{"monitor_active":1}`); a.status != 200 || !slices.Equal(f.posts[0].GetUpdateMask().GetPaths(), []string{"urls"}) {
		t.Errorf("a mask of the caller's own: %d %v", a.status, f.posts)
	}
}
