package accesslog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// formats are one call of Jetpack as different servers write it.
var formats = map[string]struct {
	line   string
	server Server
	bytes  int64
	took   time.Duration
}{
	"nginx, JSON": {
		`{"time_iso8601":"2018-01-02T15:06:09+00:00","remote_addr":"192.0.87.45","request_method":"POST","request_uri":"/xmlrpc.php?for=jetpack&timestamp=1&nonce=n","status":"200","body_bytes_sent":"31551","bytes_sent":"31900","request_time":"0.250","http_user_agent":"Jetpack by WordPress.com"}`,
		ServerNginx, 31551, 250 * time.Millisecond,
	},
	"nginx, JSON with the whole request and numbers": {
		`{ "time_local": "02/Jan/2018:15:06:09 +0000", "request": "POST /xmlrpc.php?for=jetpack&timestamp=1&nonce=n HTTP/1.1", "status": 200, "body_bytes_sent": 31551, "request_time": 0.250, "http_user_agent": "Jetpack by WordPress.com", "upstream_status": - }`,
		ServerNginx, 31551, 250 * time.Millisecond,
	},
	"nginx, JSON with uri and args": {
		`{"msec":"1514905569.000","uri":"/xmlrpc.php","args":"for=jetpack&timestamp=1&nonce=n","request_method":"POST","status":200,"bytes_sent":31551,"http_user_agent":"Jetpack by WordPress.com"}`,
		"", 31551, 0,
	},
	"Apache, JSON": {
		`{"time":"[02/Jan/2018:15:06:09 +0000]", "remoteIP":"192.0.87.45", "request":"/xmlrpc.php", "query":"?for=jetpack&timestamp=1&nonce=n", "method":"POST", "status":"200", "bytes":"31551", "userAgent":"Jetpack by WordPress.com"}`,
		"", 31551, 0,
	},
	"Caddy": {
		`{"level":"info","ts":1514905569.0,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"192.0.87.45","remote_port":"41342","client_ip":"192.0.87.45","proto":"HTTP/2.0","method":"POST","host":"example.com","uri":"/xmlrpc.php?for=jetpack&timestamp=1&nonce=n","headers":{"User-Agent":["Jetpack by WordPress.com"],"Accept":["*/*"]},"tls":{"resumed":false,"version":772}},"bytes_read":0,"user_id":"","duration":0.25,"size":31551,"status":200,"resp_headers":{"Server":["Caddy"]}}`,
		ServerCaddy, 31551, 250 * time.Millisecond,
	},
	"Traefik, JSON": {
		`{"ClientAddr":"192.0.87.45:41342","ClientHost":"192.0.87.45","DownstreamContentSize":31551,"DownstreamStatus":200,"Duration":250000000,"OriginStatus":200,"RequestMethod":"POST","RequestPath":"/xmlrpc.php?for=jetpack\u0026timestamp=1\u0026nonce=n","RequestProtocol":"HTTP/1.1","StartUTC":"2018-01-02T15:06:09.000000001Z","level":"info","msg":"","request_User-Agent":"Jetpack by WordPress.com","time":"2018-01-02T15:06:10Z"}`,
		ServerTraefik, 31551, 250 * time.Millisecond,
	},
	"Traefik, text": {
		`192.0.87.45 - - [02/Jan/2018:15:06:09 +0000] "POST /xmlrpc.php?for=jetpack&timestamp=1&nonce=n HTTP/1.1" 200 31551 "-" "Jetpack by WordPress.com" 12 "wordpress@docker" "http://172.18.0.3:80" 250ms`,
		"", 31551, 250 * time.Millisecond,
	},
	"combined with a response time": {
		`192.0.87.45 - - [02/Jan/2018:15:06:09 +0000] "POST /xmlrpc.php?for=jetpack&timestamp=1&nonce=n HTTP/1.1" 200 31551 "-" "Jetpack by WordPress.com" "203.0.113.9" 0.250`,
		"", 31551, 250 * time.Millisecond,
	},
	"combined with rt= and a number that may be anything": {
		`192.0.87.45 - - [02/Jan/2018:15:06:09 +0000] "POST /xmlrpc.php?for=jetpack&timestamp=1&nonce=n HTTP/1.1" 200 31551 "-" "Jetpack by WordPress.com" 250000 rt=0.250 uct="0.001"`,
		"", 31551, 250 * time.Millisecond,
	},
	"vhost_combined": {
		`example.com:443 192.0.87.45 - - [02/Jan/2018:15:06:09 +0000] "POST /xmlrpc.php?for=jetpack&timestamp=1&nonce=n HTTP/1.1" 200 31551 "-" "Jetpack by WordPress.com"`,
		"", 31551, 0,
	},
	"AWS's load balancer": {
		`https 2018-01-02T15:06:09.000000Z app/my-lb/50dc6c495c0c9188 192.0.87.45:2817 10.0.0.1:80 0.050 0.150 0.050 200 200 340 31551 "POST https://example.com:443/xmlrpc.php?for=jetpack&timestamp=1&nonce=n HTTP/1.1" "Jetpack by WordPress.com" ECDHE TLSv1.2 arn:aws:x "Root=1" "example.com" "arn" 0 2018-01-02T15:06:09.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"`,
		ServerBalancer, 31551, 250 * time.Millisecond,
	},
	"nginx in a container": {
		`{"log":"192.0.87.45 - - [02/Jan/2018:15:06:09 +0000] \"POST /xmlrpc.php?for=jetpack\u0026timestamp=1\u0026nonce=n HTTP/1.1\" 200 31551 \"-\" \"Jetpack by WordPress.com\"\n","stream":"stdout","time":"2018-01-02T15:06:10Z"}`,
		"", 31551, 0,
	},
	"with a collector's own time": {
		`2018-01-02T15:06:10.1Z stdout F 192.0.87.45 - - [02/Jan/2018:15:06:09 +0000] "POST /xmlrpc.php?for=jetpack&timestamp=1&nonce=n HTTP/1.1" 200 31551 "-" "Jetpack by WordPress.com"`,
		"", 31551, 0,
	},
	"Elastic's names": {
		`{"@timestamp":"2018-01-02T15:06:09.000Z","http":{"request":{"method":"POST"},"response":{"status_code":200,"body":{"bytes":31551}}},"url":{"original":"/xmlrpc.php?for=jetpack&timestamp=1&nonce=n"},"user_agent":{"original":"Jetpack by WordPress.com"},"source":{"ip":"192.0.87.45"}}`,
		"", 31551, 0,
	},
}

func TestACallOfJetpackIsTheSameInEachFormat(t *testing.T) {
	t.Parallel()
	for name, tt := range formats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := read(t, tt.line+"\n"+tt.line+"\n")
			if s.Good != 2 || s.Bad != 0 || !s.First.Equal(time.Date(2018, 1, 2, 15, 6, 9, 0, time.UTC)) && s.First.Sub(time.Date(2018, 1, 2, 15, 6, 9, 0, time.UTC)) > time.Microsecond {
				t.Errorf("%d good, %d bad, at %v", s.Good, s.Bad, s.First)
			}
			c := &s.Calls
			if c.Count != 2 || c.Statuses[200] != 2 || c.Entrances[EntranceXMLRPC] != 2 || c.Sizes.Max != tt.bytes || c.Signed != 1 || c.Replays != 1 {
				t.Errorf("%+v", c)
			}
			if len(c.Agents) != 1 || c.Agents[0].Name != agent || c.Times.Max() != tt.took || s.Server != tt.server {
				t.Errorf("agents %+v, %v, server %q", c.Agents, c.Times.Max(), s.Server)
			}
			if s.Founding.Count != 2 || s.Founding.Max != tt.bytes || len(s.Frequent) != 1 || s.Frequent[0].Path != "/xmlrpc.php?for=jetpack" {
				t.Errorf("%+v, %+v", s.Founding, s.Frequent)
			}
		})
	}
}

func TestTheFoundingRuleCountsStatus200AndPHPOnly(t *testing.T) {
	t.Parallel()
	s := read(t, line("GET /index.php HTTP/1.1", 200, 5629, "x")+line("GET /a.php?b HTTP/1.1", 200, 1, "x")+
		line("GET /wp-json/ HTTP/1.1", 200, 376487, "x")+line("GET /b.php HTTP/1.1", 500, 90000, "x")+line("GET /?x=c.php HTTP/1.1", 200, "-", "x"))
	if s.Founding.Count != 3 || s.Founding.Max != 5629 || s.Founding.Average() != 1876 || s.Dynamic.Max != 376487 {
		t.Errorf("%+v of %+v", s.Founding, s.Dynamic)
	}
}

// from makes a line of a client, with a virtual host or without.
func from(client string, i int) string {
	return client + strings.TrimPrefix(line(signed("1", fmt.Sprint("n", i)), 200, 1, agent), "192.0.87.45")
}

func TestAProxyAndItsBackendInOneFileAreNoReplays(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pair                     [2]string
		replays, relayed, signed uint64
	}{
		"other addresses":        {[2]string{"127.0.0.1", "192.0.87.45"}, 0, 5, 5},
		"other ports":            {[2]string{"example.com:8080 192.0.87.45", "example.com:443 192.0.87.45"}, 0, 5, 5},
		"other hosts' collector": {[2]string{"Jan  3 11:07:23 web1 nginx: 192.0.87.45", "Jan  3 11:07:24 web1 nginx: 192.0.87.45"}, 5, 0, 5},
		"the same":               {[2]string{"192.0.87.45", "192.0.87.45"}, 5, 0, 5},
	} {
		var log strings.Builder
		for i := range 5 {
			log.WriteString(from(tt.pair[0], i) + from(tt.pair[1], i))
		}
		if c := read(t, log.String()).Calls; c.Replays != tt.replays || c.Relayed != tt.relayed || c.Signed != tt.signed {
			t.Errorf("%s: %d replays, %d relayed, %d signed", name, c.Replays, c.Relayed, c.Signed)
		}
	}
	// A call that came twice through a proxy is one replay.
	c := read(t, from("127.0.0.1", 1)+from("192.0.87.45", 1)+from("127.0.0.1", 1)+from("192.0.87.45", 1)).Calls
	if c.Replays != 1 || c.Relayed != 2 {
		t.Errorf("%d replays, %d relayed", c.Replays, c.Relayed)
	}
}

func TestALogWithEveryCallTwiceIsToldFromReplays(t *testing.T) {
	t.Parallel()
	var once, some strings.Builder
	for i := range 100 {
		once.WriteString(from("192.0.87.45", i))
		some.WriteString(from("192.0.87.45", i))
		if i%3 == 0 {
			some.WriteString(from("192.0.87.45", i))
		}
	}
	if c := read(t, once.String()+once.String()).Calls; !c.Twice() {
		t.Errorf("%d of %d came again", c.Replays, c.Signed)
	}
	if c := read(t, some.String()).Calls; c.Twice() || c.Replays != 34 {
		t.Errorf("%d of %d are every one", c.Replays, c.Signed)
	}
}

func TestTheServerIsRecognisedByWhatItAloneWrites(t *testing.T) {
	t.Parallel()
	plain := line("GET / HTTP/1.1", 200, 5, "x")
	for log, want := range map[string]Server{
		plain: "", plain + line("GET / HTTP/1.1", 499, 0, "x"): ServerNginx, plain + line(`GET /\x22 HTTP/1.1`, 404, 0, "x"): ServerNginx,
		plain + line("GET / HTTP/1.1", 404, 0, `a \"b\"`):                               ServerApache,
		line("GET / HTTP/1.1", 404, 0, `a \"b\"`) + line("GET / HTTP/1.1", 499, 0, "x"): "",
	} {
		if s := read(t, log); s.Server != want {
			t.Errorf("%q is of %q, want %q", log, s.Server, want)
		}
	}
}

func TestLinesOfJSONThatAreNoRequestsAreBad(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		`{}`, `{`, `{"status":200}`, `{"request_uri":"/"}`, `{"request_uri":"/","status":200`, `{"request_uri":"/","status":200} x`,
		`{"request_uri":"/","status":"ok"}`, `{"request_uri":"/","status":200,"size":"x"}`, `{"request_uri":"/\u00","status":200}`, `{"request_uri":"/` + "\x00" + `","status":200}`,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), `{"a":` + strings.Repeat("[", 10000), `["request_uri"]`,
		"https 2018-01-02T15:06:09.000000Z app/x", `h2 2018-01-02T15:06:09.000000Z a b c d e f g h i j "x`,
	} {
		if s := read(t, bad+"\n"); s.Good != 0 || s.Bad != 1 {
			t.Errorf("%s: %d good, %d bad", bad, s.Good, s.Bad)
		}
	}
}

func FuzzJSONIsReadAsTheStandardLibraryReadsIt(f *testing.F) {
	for _, tt := range formats {
		f.Add([]byte(tt.line))
	}
	f.Add([]byte(`{"request_uri":"\u00e9\ud83d\ude00\"\\\/","status":200,"method":"GET"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var want struct {
			URI    string `json:"request_uri"`
			Status int    `json:"status"`
			Size   int64  `json:"size"`
		}
		made, err := json.Marshal(map[string]any{"request_uri": "/" + string(data), "status": 200, "size": len(data), "nested": map[string]any{"a": []any{string(data), nil, 1.5}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(made, &want); err != nil {
			t.Fatal(err)
		}
		e, ok := new(parser).parse(made)
		if !ok || string(e.uri) != want.URI || e.status != 200 || e.bytes != want.Size {
			t.Errorf("%s: %v, %q, want %q", made, ok, e.uri, want.URI)
		}
		// Anything else must end, and leave the next line alone.
		p := new(parser)
		_, _ = p.parse(data)
		if e, ok := p.parse(made); !ok || string(e.uri) != want.URI || bytes.Contains(e.source, []byte("left")) {
			t.Errorf("after %q: %v", data, ok)
		}
		when(data)
		tookIn(data)
		unwrap(data)
	})
}

func BenchmarkReadJSON(b *testing.B) {
	var log bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		fmt.Fprintf(&log, `{"time_iso8601":"2018-01-02T15:06:09+00:00","remote_addr":"192.0.87.45","request_method":"GET","request_uri":"/page-%d/?a=b","status":"200","body_bytes_sent":"%d","request_time":"0.250","http_referrer":"","http_user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"}`+"\n", random.IntN(3000), random.IntN(90_000))
	}
	b.SetBytes(int64(log.Len()))
	for b.Loop() {
		c := New(Options{Buffers: 32768, Top: 10})
		if err := c.Read(bytes.NewReader(log.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
