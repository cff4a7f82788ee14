package transfer

import (
	"strings"
	"testing"
	"time"

	"buf.build/go/protovalidate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/Automattic/jetmon/gen/jetmon/check/v1"
	"github.com/Automattic/jetmon/gen/jetmon/monitor/v1"
)

func get(url string, every time.Duration) *monitorv1.Site {
	return &monitorv1.Site{Url: url, CheckInterval: durationpb.New(every), Settings: &monitorv1.CheckSettings{Method: checkv1.Method_METHOD_GET}}
}

// with changes a site.
func with(s *monitorv1.Site, change func(*monitorv1.Site, *monitorv1.CheckSettings)) *monitorv1.Site {
	change(s, s.Settings)
	return s
}

type conversion struct {
	name, text string
	want       *monitorv1.Site
	leftOut    []string // beginnings
}

func checkConversions(t *testing.T, tests []conversion, read func(string) ([]Monitor, error)) {
	t.Helper()
	for _, tt := range tests {
		all, err := read(tt.text)
		if err != nil || len(all) != 1 {
			t.Errorf("%s: %d monitors, %v", tt.name, len(all), err)
			continue
		}
		if diff := cmp.Diff(tt.want, all[0].Site, protocmp.Transform()); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if len(all[0].LeftOut) != len(tt.leftOut) {
			t.Errorf("%s: left out %q, want %q", tt.name, all[0].LeftOut, tt.leftOut)
			continue
		}
		for i, want := range tt.leftOut {
			if !strings.HasPrefix(all[0].LeftOut[i], want) {
				t.Errorf("%s: left out %q, want %q", tt.name, all[0].LeftOut[i], want)
			}
		}
		if all[0].Site != nil {
			if err := protovalidate.Validate(all[0].Site); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
}

func TestMonitorsOfUptimeKuma(t *testing.T) {
	t.Parallel()
	const a = "https://a.example/"
	tests := []conversion{
		{"what people mostly have", `{"id":1,"name":"A","type":"http","url":"https://a.example/","method":"GET","interval":60,"maxretries":1,"active":true,
			"keyword":null,"ignoreTls":false,"upsideDown":false,"maxredirects":10,"accepted_statuscodes":["200-299"],"proxyId":null,"notificationIDList":{"1":true},
			"tags":[{"id":1,"monitor_id":1,"tag_id":2,"value":"","name":"shop","color":"#DC2626"}],"headers":null,"body":null,"basic_auth_user":null}`,
			with(get(a, time.Minute), func(s *monitorv1.Site, _ *monitorv1.CheckSettings) { s.Tags = []string{"shop"} }), nil},
		{"a keyword, not active, as numbers", `{"type":"keyword","url":" https://a.example/ ","interval":300,"active":0,"keyword":"Welcome","ignoreTls":1,"maxredirects":0}`,
			with(get(a, 5*time.Minute), func(s *monitorv1.Site, c *monitorv1.CheckSettings) {
				s.Paused, c.RequiredTexts, c.TlsErrors = true, []string{"Welcome"}, checkv1.TLSErrors_TLS_ERRORS_ADVISE
				c.RedirectPolicy = checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL
			}), nil},
		{"a keyword that must not be there, with HEAD", `{"type":"keyword","url":"https://a.example/","interval":60,"method":"HEAD","keyword":"Oops","invertKeyword":true}`,
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) { c.ForbiddenTexts = []string{"Oops"} }), []string{"the method HEAD"}},
		{"intervals", `{"type":"http","url":"https://a.example/","interval":90}`, get(a, 2*time.Minute), []string{"the interval of 1m30s: it is checked every 2m"}},
		{"an interval that is too short", `{"type":"http","url":"https://a.example/","interval":20}`, get(a, time.Minute), []string{"the interval of 20s: it is checked every 1m"}},
		{"an interval that is too long", `{"type":"http","url":"https://a.example/","interval":86400}`, get(a, 255*time.Minute), []string{"the interval of 24h0m0s"}},
		{"headers, a password, a body, a proxy, tags", `{"type":"http","url":"https://a.example/","interval":60,"headers":"{\"X-Probe\": \"1\"}","body":"{}","basic_auth_user":"u","basic_auth_pass":"p",
			"proxyId":3,"tags":[{"name":"Team","value":"Web Shop"},{"name":"!!","value":""}]}`,
			with(get(a, time.Minute), func(s *monitorv1.Site, c *monitorv1.CheckSettings) {
				s.Tags = []string{"team:web-shop"}
				c.Headers = []*checkv1.Header{{Name: "X-Probe", Value: "1"}, {Name: "Authorization", Value: "Basic dTpw"}}
			}), []string{"the body", "the secrecy of the password", "the proxy", `the spelling of the tag "Team:Web Shop"`, `the tag "!!"`}},
		{"statuses", `{"type":"http","url":"https://a.example/","interval":60,"maxredirects":0,"accepted_statuscodes":["200-299","301","401"]}`, get(a, time.Minute),
			[]string{"maxredirects 0 with accepted redirects", "the accepted statuses 200-299, 301, 401"}},
		{"a status that is an error", `{"type":"http","url":"https://a.example/","interval":60,"accepted_statuscodes":["401"],"tags":[{"name":"x"}]}`, nil, []string{"no site: it wants a status of 401"}},
		{"one that is upside down", `{"type":"http","url":"https://a.example/","interval":60,"upsideDown":true}`, nil, []string{"no site: it is upside down"}},
		{"POST", `{"type":"http","url":"https://a.example/","interval":60,"method":"post"}`, nil, []string{"no site: it is asked with POST"}},
		{"a query and another authentication", `{"type":"json-query","url":"https://a.example/","interval":60,"jsonPath":"$.ok","authMethod":"ntlm","basic_auth_user":"u"}`, get(a, time.Minute),
			[]string{"the JSON query $.ok", "the authentication by ntlm"}},
		{"a port", `{"type":"port","hostname":"a.example","port":22,"interval":60}`, nil, []string{`no site: it is of the type "port"`}},
		{"a group", `{"type":"group","name":"G"}`, nil, []string{"no site: it is a group"}},
		{"no URL", `{"type":"http","url":"","interval":60}`, nil, []string{"no site: it has no URL"}},
		{"another scheme", `{"type":"http","url":"ftp://a.example/","interval":60}`, nil, []string{`no site: "ftp://a.example/" is no page`}},
		{"a row of the table of monitors", `{"id":1,"name":"A","active":1,"user_id":1,"interval":60,"url":"https://a.example/","type":"keyword","keyword":"Oops",
			"invert_keyword":1,"ignore_tls":1,"upside_down":0,"maxredirects":0,"accepted_statuscodes_json":"[\"200-299\",\"404\"]","method":"GET","auth_method":"ntlm","proxy_id":3}`,
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) {
				c.ForbiddenTexts, c.TlsErrors = []string{"Oops"}, checkv1.TLSErrors_TLS_ERRORS_ADVISE
				c.RedirectPolicy = checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL
			}), []string{"the accepted statuses 200-299, 404", "the authentication by ntlm", "the proxy"}},
		{"headers of all kinds", `{"type":"http","url":"https://a.example/","interval":"60","headers":"{\"X-A\":\"1\",\"X-B\":2,\"X-C\":{}}"}`,
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) {
				c.Headers = []*checkv1.Header{{Name: "X-A", Value: "1"}, {Name: "X-B", Value: "2"}}
			}), []string{"the header X-C, which is no text"}},
		{"a header too many", `{"type":"http","url":"https://a.example/","interval":60,"headers":"{\"A\":1,\"B\":1,\"C\":1,\"D\":1,\"E\":1,\"F\":1,\"G\":1,\"H\":1,\"I\":1}"}`,
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) {
				for _, name := range strings.Split("ABCDEFGH", "") {
					c.Headers = append(c.Headers, &checkv1.Header{Name: name, Value: "1"})
				}
			}), []string{"the header I: a site has at most 8"}},
		{"headers that are none", `{"type":"http","url":"https://a.example/","interval":60,"headers":"[1]"}`, get(a, time.Minute), []string{"the headers, which are no JSON object"}},
		{"what cannot be read", `{"type":7}`, nil, []string{"no site: it cannot be read"}},
	}
	checkConversions(t, tests, func(text string) ([]Monitor, error) {
		return ReadKuma(strings.NewReader(`{"version":"1.23.16","notificationList":[],"monitorList":[` + text + `]}`))
	})
	const objects = `{"7":{"name":"B","type":"group"},"3":{"name":"A","type":"group"}}`
	for _, text := range []string{`{"monitorList":` + objects + `}`, objects, `[{"name":"B","type":"group"},` + "\n" + `{"name":"A","type":"group"}]`, "\xef\xbb\xbf" + objects} {
		all, err := ReadKuma(strings.NewReader(text))
		if err != nil || len(all) != 2 || all[0].Name != "B" || all[1].Number != 2 {
			t.Errorf("%s: %+v, %v", text, all, err)
		}
	}
	for text, want := range map[string]string{`nonsense`: "is no JSON", `{"a":1}`: "is no backup of Uptime Kuma", `{"monitorList":7}`: "monitorList"} {
		if _, err := ReadKuma(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestEndpointsOfGatus(t *testing.T) {
	t.Parallel()
	const a = "https://a.example/"
	conditions := func(lines string) string { return "{url: 'https://a.example/', conditions: [" + lines + "]}" }
	tests := []conversion{
		{"what people mostly have", "{name: front, group: core, url: 'https://a.example/', interval: 5m, conditions: ['[STATUS] == 200', '[CONNECTED] == true'], alerts: [{type: slack}]}",
			with(get(a, 5*time.Minute), func(s *monitorv1.Site, _ *monitorv1.CheckSettings) { s.Tags = []string{"core"} }), nil},
		{"the default interval, not enabled, HEAD", "{url: 'https://a.example/', enabled: false, method: HEAD}",
			with(get(a, time.Minute), func(s *monitorv1.Site, c *monitorv1.CheckSettings) {
				s.Paused, c.Method = true, checkv1.Method_METHOD_HEAD
			}), nil},
		{"texts", conditions(`'[BODY] == pat(*Welcome*)', '[BODY] != pat(*Oops*)'`),
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) {
				c.RequiredTexts, c.ForbiddenTexts = []string{"Welcome"}, []string{"Oops"}
			}), nil},
		{"stricter texts", conditions(`'[BODY] == OK', '[BODY] == pat(<h1>*</h1>)'`),
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) { c.RequiredTexts = []string{"OK", "<h1>", "</h1>"} }),
			[]string{"the strictness of [BODY] == OK", "the strictness of [BODY] == pat(<h1>*</h1>)"}},
		{"times", conditions(`'[RESPONSE_TIME] < 500', '[RESPONSE_TIME] <= 2m'`),
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) {
				c.SlowAfter = durationpb.New(500 * time.Millisecond)
			}),
			[]string{"the outage by [RESPONSE_TIME] < 500", "the condition [RESPONSE_TIME] <= 2m"}},
		{"statuses", conditions(`'[STATUS] < 300', '[STATUS] <= 400', '[STATUS] == any(200, 204)', '[STATUS] != 500', '[STATUS] == any(200, 429)', '[STATUS] != 200', '[STATUS] < 500'`), get(a, time.Minute),
			[]string{"the condition [STATUS] == any(200, 429)", "the condition [STATUS] != 200", "the condition [STATUS] < 500"}},
		{"a status that is an error", conditions(`'[STATUS] == 401', '[BODY] == pat(*x*)'`), nil, []string{"no site: it wants [STATUS] == 401"}},
		{"a redirect that is wanted", "{url: 'https://a.example/', client: {ignore-redirect: true}, conditions: ['[STATUS] == 301']}", get(a, time.Minute), []string{"client.ignore-redirect with [STATUS] == 301"}},
		{"conditions of other kinds", conditions(`'[BODY].status == UP', '[CERTIFICATE_EXPIRATION] > 48h', '[DOMAIN_EXPIRATION] > 720h', 'len([BODY]) > 3', '[IP] == 1.2.3.4', 'nonsense', '[BODY] == any(a, b)', '[BODY] != OK', '[BODY] == pat(*)'`), get(a, time.Minute),
			[]string{"the condition [BODY].status", "the condition [CERTIFICATE_EXPIRATION]", "the condition [DOMAIN_EXPIRATION]", "the condition len([BODY])", "the condition [IP]", "the condition nonsense",
				"the condition [BODY] == any(a, b)", "the condition [BODY] != OK", "the condition [BODY] == pat(*)"}},
		{"how it is asked for", "{url: 'https://u:p@a.example/', body: x, headers: {X-Probe: '1', X-Key: '${KEY}'}, client: {insecure: true, ignore-redirect: true, proxy-url: 'http://p'}, interval: 1x}",
			with(get(a, time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) {
				c.TlsErrors, c.RedirectPolicy = checkv1.TLSErrors_TLS_ERRORS_ADVISE, checkv1.RedirectPolicy_REDIRECT_POLICY_FAIL
				c.Headers = []*checkv1.Header{{Name: "Authorization", Value: "Basic dTpw"}, {Name: "X-Key", Value: "${KEY}"}, {Name: "X-Probe", Value: "1"}}
			}), []string{"the secrecy", `the interval "1x"`, "the body", "the variable in the header X-Key", "client.proxy-url"}},
		{"a name server", "{url: 8.8.8.8, dns: {query-name: a.example, query-type: A}}", nil, []string{"no site: it asks a name server"}},
		{"SSH", "{url: 'ssh://a.example:22', ssh: {username: x}}", nil, []string{"no site: it speaks SSH"}},
		{"a ping", "{url: 'icmp://a.example'}", nil, []string{`no site: "icmp://a.example" is no page`}},
		{"GraphQL", "{url: 'https://a.example/', graphql: true, body: x}", nil, []string{"no site: it sends a query of GraphQL"}},
		{"a dollar that is written twice", "{url: 'https://a.example/?a=$$b', headers: {X-A: $$5}, conditions: ['[BODY] == pat(*$$9*)']}",
			with(get("https://a.example/?a=$b", time.Minute), func(_ *monitorv1.Site, c *monitorv1.CheckSettings) {
				c.Headers, c.RequiredTexts = []*checkv1.Header{{Name: "X-A", Value: "$5"}}, []string{"$9"}
			}), nil},
		{"a variable beside one", "{url: 'https://a.example/?a=$$b&c=$C'}", nil, []string{"no site: its URL"}},
		{"a variable", "{url: 'https://${HOST}/'}", nil, []string{"no site: its URL"}},
		{"what cannot be read", "{url: [1]}", nil, []string{"no site: it cannot be read"}},
	}
	checkConversions(t, tests, func(text string) ([]Monitor, error) {
		return ReadGatus(strings.NewReader("endpoints:\n  - " + text + "\n"))
	})
	merged, err := ReadGatus(strings.NewReader("x: &d {interval: 3m, group: Core}\nendpoints:\n- <<: *d\n  name: a\n  url: https://a.example/\n"))
	if err != nil || len(merged) != 1 || merged[0].Name != "Core/a" || merged[0].Site.GetCheckInterval().GetSeconds() != 180 {
		t.Errorf("what is merged: %+v, %v", merged, err)
	}
	for text, want := range map[string]string{"\tx": "is no YAML", "a: 1": "is no configuration of Gatus"} {
		if _, err := ReadGatus(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// fuzzed wants of any file that each monitor is a site, or has a reason why not.
func fuzzed(t *testing.T, all []Monitor) {
	for _, m := range all {
		if m.Site == nil && len(m.LeftOut) != 1 {
			t.Fatalf("no site, for the reasons %q", m.LeftOut)
		}
		if c := m.Site.GetSettings(); len(c.GetHeaders()) > maxHeaders || len(c.GetRequiredTexts()) > maxTexts || len(m.Site.GetTags()) > maxTags {
			t.Fatalf("too much of something: %v", m.Site)
		}
	}
}

func FuzzReadKuma(f *testing.F) {
	f.Add([]byte(`{"monitorList":[{"type":"keyword","url":"http://a.example/","interval":60,"keyword":"x","headers":"{\"a\":\"b\"}"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, _ := ReadKuma(strings.NewReader(string(text)))
		fuzzed(t, all)
	})
}

func FuzzReadGatus(f *testing.F) {
	f.Add([]byte("endpoints:\n- url: http://a.example/\n  conditions: ['[BODY] == pat(*x*)', '[STATUS] == any(200,300)']\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, _ := ReadGatus(strings.NewReader(string(text)))
		fuzzed(t, all)
	})
}
