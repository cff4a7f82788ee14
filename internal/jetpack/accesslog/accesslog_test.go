package accesslog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/Automattic/jetmon/test/seeds"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	stamp = "02/Jan/2018:15:06:09 +0000"
	agent = "Jetpack by WordPress.com"
)

// line makes a line of the combined format.
func line(request string, status int, size any, userAgent string) string {
	return fmt.Sprintf(`192.0.87.45 - - [%s] "%s" %d %v "-" "%s"`+"\n", stamp, request, status, size, userAgent)
}

func signed(timestamp, nonce string) string {
	return "POST /xmlrpc.php?for=jetpack&token=SECRETKEY%3A1%3A3&timestamp=" + timestamp + "&nonce=" + nonce +
		"&body-hash=x%3D&signature=SECRETSIG%3D HTTP/1.1"
}

func read(t *testing.T, text string) Summary {
	t.Helper()
	c := New(Options{Buffers: 32768, Top: 10})
	if err := c.Read(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return c.Summary()
}

func TestTheMaximumIsSeenWhereTheAverageHidesIt(t *testing.T) {
	t.Parallel()
	// The founding document's numbers: at most 64,156 bytes, 1,056 on average.
	var log strings.Builder
	log.WriteString(line("GET /index.php HTTP/1.1", 200, 64156, "x"))
	for range 99 {
		log.WriteString(line("GET /index.php HTTP/1.1", 200, (1056*100-64156)/99, "x"))
	}
	s := read(t, log.String())
	if s.Dynamic.Max != 64156 || s.Dynamic.Average() < 1050 || s.Dynamic.Average() > 1056 || s.Over != 1 {
		t.Errorf("max %d, average %d, over %d", s.Dynamic.Max, s.Dynamic.Average(), s.Over)
	}
	if p := s.Dynamic.Percentile(99); p > 450 {
		t.Errorf("p99 is %d", p)
	}
	if len(s.Large) != 1 || s.Large[0].Path != "/index.php" || s.Large[0].Sizes.Max != 64156 {
		t.Errorf("large: %+v", s.Large)
	}
}

func TestCallsOfJetpackAreCountedByStatusAgentAndDoor(t *testing.T) {
	t.Parallel()
	log := line(signed("1514905569", "CQZziCijFx"), 200, 31551, agent) +
		line(signed("1514905570", "aaaaaaaaaa"), 403, 200, agent) +
		line(signed("1514905570", "aaaaaaaaab"), 403, 200, agent) +
		line("POST /?for=jetpack&jetpack=comms HTTP/1.1", 200, 100, "jetmon/3.0") +
		line("GET /wp-json/jetpack/v4/sync/status?_for=jetpack&nonce=q&timestamp=1 HTTP/1.1", 200, 10, agent) +
		line("GET /about-jetpack HTTP/1.1", 200, 10, "Mozilla") +
		line("POST /xmlrpc.php HTTP/1.1", 200, 10, "Mozilla")
	s := read(t, log)
	c := s.Calls
	if c.Count != 5 || c.Statuses[200] != 3 || c.Statuses[403] != 2 || c.Replays != 0 {
		t.Errorf("%+v", c)
	}
	if c.Entrances[EntranceXMLRPC] != 3 || c.Entrances[EntranceComms] != 1 || c.Entrances[EntranceREST] != 1 {
		t.Errorf("%v", c.Entrances)
	}
	if len(c.Agents) != 2 || c.Agents[0].Name != agent || c.Agents[0].Count != 4 || c.Agents[0].Good != 2 {
		t.Errorf("%+v", c.Agents)
	}
	if text := fmt.Sprintf("%+v", s); strings.Contains(text, "SECRET") || strings.Contains(text, "CQZziCijFx") {
		t.Errorf("a token or nonce is kept: %s", text)
	}
}

func TestANonceThatComesTwiceIsAReplay(t *testing.T) {
	t.Parallel()
	log := line(signed("1", "a"), 200, 1, agent) + line(signed("2", "a"), 200, 1, agent) + line(signed("1", "b"), 200, 1, agent)
	if s := read(t, log); s.Calls.Replays != 0 {
		t.Errorf("%d replays of none", s.Calls.Replays)
	}
	s := read(t, log+line(signed("1", "a"), 200, 1, agent)+line(signed("1", "a"), 200, 1, agent))
	if s.Calls.Replays != 2 || s.Calls.Replay != stamp {
		t.Errorf("%d replays, first at %q", s.Calls.Replays, s.Calls.Replay)
	}
}

func TestNoncesAreRememberedInBoundedMemory(t *testing.T) {
	t.Parallel()
	n := nonces{now: map[uint64]uint64{}}
	for i := range 3*keptNonces + 5 {
		if n.again("1", fmt.Sprint(i), 1) != unseen {
			t.Fatalf("nonce %d came twice", i)
		}
	}
	if len(n.now)+len(n.before) > 2*keptNonces || n.again("1", fmt.Sprint(2*keptNonces+10), 1) != again {
		t.Errorf("%d and %d are remembered", len(n.now), len(n.before))
	}
}

func TestLinesOfManyFormatsAreRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line   string
		method string
		uri    string
		status int
		bytes  int64
		agent  string
	}{
		"combined":             {`1.2.3.4 - - [` + stamp + `] "GET /a?b=c HTTP/1.1" 200 12 "https://r/" "UA"`, "GET", "/a?b=c", 200, 12, "UA"},
		"common":               {`1.2.3.4 - - [` + stamp + `] "GET /a HTTP/1.0" 404 -`, "GET", "/a", 404, 0, ""},
		"with a virtual host":  {`example.com:443 1.2.3.4 - bob [` + stamp + `] "GET / HTTP/2.0" 200 5 "-" "UA"`, "GET", "/", 200, 5, "UA"},
		"IPv6 and more fields": {`2001:db8::1 - - [` + stamp + `] "GET / HTTP/1.1" 200 5 "-" "UA" 0.003 "x"`, "GET", "/", 200, 5, "UA"},
		"quotes in the agent":  {`1.2.3.4 - - [` + stamp + `] "GET / HTTP/1.1" 200 5 "-" "a \"b\" c"`, "GET", "/", 200, 5, `a \"b\" c`},
		"a blank in the path":  {`1.2.3.4 - - [` + stamp + `] "GET /a b HTTP/1.1" 200 5 "-" "UA"`, "GET", "/a b", 200, 5, "UA"},
		"HTTP/0.9":             {`1.2.3.4 - - [` + stamp + `] "GET /" 200 5 "-" "UA"`, "GET", "/", 200, 5, "UA"},
		"a scanner":            {`1.2.3.4 - - [` + stamp + `] "\x16\x03\x01" 400 150 "-" "-"`, "-", "", 400, 150, "-"},
		"an empty request":     {`1.2.3.4 - - [` + stamp + `] "" 408 0 "-" "-"`, "-", "", 408, 0, "-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, ok := new(parser).parse([]byte(c.line))
			if !ok || string(e.method) != c.method || string(e.uri) != c.uri || e.status != c.status || e.bytes != c.bytes || string(e.userAgent) != c.agent {
				t.Errorf("%v: %q %q %d %d %q", ok, e.method, e.uri, e.status, e.bytes, e.userAgent)
			}
			if got := when(e.stamp); !got.Equal(time.Date(2018, 1, 2, 15, 6, 9, 0, time.UTC)) {
				t.Errorf("time %v", got)
			}
		})
	}
}

func TestBadLinesAreCountedAndTheOthersKept(t *testing.T) {
	t.Parallel()
	good := line("GET / HTTP/1.1", 200, 5, "x")
	for name, bad := range map[string]string{
		"text":          "this is not a log\n",
		"binary":        "\x00\x01\x02 [x] \"GET / HTTP/1.1\" 200 5\n",
		"too long":      "1.2.3.4 - - [x] \"GET /" + strings.Repeat("a", 3*chunk) + " HTTP/1.1\" 200 5\n",
		"just too long": "1.2.3.4 - - [x] \"GET /" + strings.Repeat("a", maxLine) + " HTTP/1.1\" 200 5\n",
		"cut":           good[:60] + "\n",
		"no size":       `1.2.3.4 - - [` + stamp + `] "GET / HTTP/1.1" 200 x "-" "-"` + "\n",
		"a huge size":   `1.2.3.4 - - [` + stamp + `] "GET / HTTP/1.1" 200 99999999999999999999 "-" "-"` + "\n",
		"no status":     `1.2.3.4 - - [` + stamp + `] "GET / HTTP/1.1" ok 5 "-" "-"` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := read(t, good+bad+"\n"+good+strings.TrimSuffix(good, "\n"))
			if s.Good != 3 || s.Bad != 1 || s.BadAt != 2 {
				t.Errorf("good %d, bad %d at %d", s.Good, s.Bad, s.BadAt)
			}
		})
	}
}

func TestHEADAndNotModifiedHaveNoBody(t *testing.T) {
	t.Parallel()
	s := read(t, line("HEAD / HTTP/1.1", 200, 0, "x")+line("GET / HTTP/1.1", 304, 0, "x")+line("GET / HTTP/1.1", 200, 100, "x")+
		line("GET /a.css HTTP/1.1", 200, 1e6, "x"))
	if s.Dynamic.Count != 1 || s.Dynamic.Min != 100 || s.Over != 0 {
		t.Errorf("%+v", s.Dynamic)
	}
	if s.Frequent[0].Path != "/" || s.Frequent[0].Count != 3 || s.Frequent[0].Sizes.Count != 1 || s.Frequent[0].Statuses != [5]uint64{0, 2, 1, 0, 0} {
		t.Errorf("%+v", s.Frequent[0])
	}
}

func TestPackedLogsAreTheSame(t *testing.T) {
	t.Parallel()
	text := strings.Repeat(line("GET / HTTP/1.1", 200, 5, "x"), 100)
	pack := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, s)
		_ = w.Close()
		return b.Bytes()
	}
	twice := append(pack(text), pack(text)...)
	c := New(Options{})
	if err := c.Read(bytes.NewReader(twice)); err != nil || c.Summary().Good != 200 {
		t.Errorf("%d lines, %v", c.Summary().Good, err)
	}
	c = New(Options{})
	if err := c.Read(bytes.NewReader(twice[:len(twice)-20])); !errors.Is(err, io.ErrUnexpectedEOF) || c.Summary().Good < 100 {
		t.Errorf("cut: %d lines, %v", c.Summary().Good, err)
	}
}

func TestPercentilesAreCloseAndTheRestIsExact(t *testing.T) {
	t.Parallel()
	seeds.Check(t, []uint64{1}, func(rt *rapid.T) {
		all := rapid.SliceOfN(rapid.Int64Range(0, 1<<rapid.IntRange(1, 43).Draw(rt, "bits")), 1, 300).Draw(rt, "sizes")
		var whole, a, b Sizes
		for i, n := range all {
			whole.add(n)
			if i%2 == 0 {
				a.add(n)
			} else {
				b.add(n)
			}
		}
		a.merge(&b)
		sorted := slices.Sorted(slices.Values(all))
		for _, s := range []*Sizes{&whole, &a} {
			var sum int64
			for _, n := range all {
				sum += n
			}
			if s.Count != uint64(len(all)) || s.Sum != sum || s.Min != sorted[0] || s.Max != sorted[len(sorted)-1] || s.Average() != sum/int64(len(all)) {
				rt.Fatalf("%+v of %v", s, sorted)
			}
			for _, p := range []float64{0, 1, 50, 90, 99, 100} {
				exact := sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)]
				if got := s.Percentile(p); got < exact || got > exact+exact/16+1 {
					rt.Fatalf("p%v is %d, exactly %d", p, got, exact)
				}
			}
		}
		if len(whole.counts) > 700 {
			rt.Fatalf("%d buckets", len(whole.counts))
		}
	})
}

func TestManyURLsAndAgentsAreBounded(t *testing.T) {
	t.Parallel()
	c := New(Options{Buffers: 32768, Top: 10})
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60_000 {
		c.line([]byte(line(fmt.Sprintf("GET /page-%d HTTP/1.1", i), 200, random.IntN(5000), "x")))
		if i%10 == 0 {
			c.line([]byte(line("GET /often HTTP/1.1", 200, 10, "x")))
			c.line([]byte(line(signed(fmt.Sprint(i), "n"), 200, 10, fmt.Sprintf("agent %d", i))))
		}
		if i == 30_000 {
			c.line([]byte(line("GET /large HTTP/1.1", 200, 70_000, "x")))
		}
	}
	s := c.Summary()
	if len(c.traffic.urls) > 2*keptURLs || s.Forgotten == 0 || len(s.Calls.Agents) > maxAgents+1 {
		t.Errorf("%d URLs, %d forgotten, %d agents", len(c.traffic.urls), s.Forgotten, len(s.Calls.Agents))
	}
	if s.Frequent[0].Path != "/often" && s.Frequent[1].Path != "/often" || s.Frequent[0].Count != 6000 {
		t.Errorf("frequent: %+v", s.Frequent[:2])
	}
	if s.Large[0].Path != "/large" || s.Over != 1 || s.Dynamic.Count != 60_000+12_000+1 {
		t.Errorf("large: %+v; over %d of %d", s.Large[0], s.Over, s.Dynamic.Count)
	}
}

func TestTextsOfALogCannotSpeakToATerminal(t *testing.T) {
	t.Parallel()
	s := read(t, line("GET /\x1b[31mred\x07 HTTP/1.1", 200, 5, "x")+line(signed("1", "a"), 200, 1, "\x1b]0;title\x07"))
	for _, text := range []string{s.Frequent[0].Path, s.Frequent[1].Path, s.Calls.Agents[0].Name} {
		if strings.ContainsAny(text, "\x1b\x07") {
			t.Errorf("%q", text)
		}
	}
}

func FuzzReadNeverPanics(f *testing.F) {
	f.Add([]byte(line(signed("1", "a"), 200, 5, "x")))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Add([]byte("x [x] \"\\\"\" 200 5 \"\\\\\" \"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(Options{Buffers: 1, Top: 3})
		_ = c.Read(bytes.NewReader(data))
		s := c.Summary()
		if s.Dynamic.Count > s.Good || s.Calls.Count > s.Good {
			t.Errorf("%+v", s)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var log bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		log.WriteString(line(fmt.Sprintf("GET /page-%d/?a=b HTTP/1.1", random.IntN(3000)), 200, random.IntN(90_000), "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"))
		if i%20 == 0 {
			log.WriteString(line(signed(fmt.Sprint(i), "CQZziCijFx"), 200, 31551, agent))
		}
	}
	b.SetBytes(int64(log.Len()))
	for b.Loop() {
		c := New(Options{Buffers: 32768, Top: 10})
		if err := c.Read(bytes.NewReader(log.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}
