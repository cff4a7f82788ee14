package lookup

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/Automattic/jetmon/test/fakesite"
)

func TestAnswersAreRememberedForTheirTime(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	names.Set("short.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, TTL: 10})
	names.Set("long.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, TTL: 86400})
	names.Set("none.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, TTL: 0})
	names.Set("alias.test", fakesite.Answer{Records: []string{"alias.test. 5 IN CNAME long.test.", "long.test. 500 IN A 127.0.0.1"}})
	names.Set("fails.test", fakesite.Answer{Rcode: dns.RcodeServerFailure})
	for maxAge, asked := range map[time.Duration][][]string{
		0: {
			{"short.test", "long.test", "none.test", "alias.test", "fails.test"},
			{"none.test", "fails.test"},
			{"none.test", "alias.test", "fails.test"},
			{"short.test", "none.test", "alias.test", "fails.test"},
			{"long.test", "short.test", "none.test", "alias.test", "fails.test"},
		},
		7 * time.Second: {
			{"short.test", "long.test", "none.test", "alias.test", "fails.test"},
			{"none.test", "fails.test"},
			{"none.test", "alias.test", "fails.test"},
			{"short.test", "long.test", "none.test", "alias.test", "fails.test"},
			{"long.test", "short.test", "none.test", "alias.test", "fails.test"},
		},
		-1: slices.Repeat([][]string{{"short.test", "long.test", "none.test", "alias.test", "fails.test"}}, 5),
	} {
		r, err := New(Options{Servers: names.Addr(), MaxAge: maxAge})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		for step, after := range []time.Duration{0, 4 * time.Second, time.Second, 5 * time.Second, 50 * time.Second} {
			r.begun = r.begun.Add(-after)
			for _, host := range []string{"short.test", "long.test", "none.test", "alias.test", "fails.test"} {
				before := names.Questions(host, dns.TypeA)
				if _, f := r.Lookup(t.Context(), host); (f != nil) != (host == "fails.test") {
					t.Fatalf("%s: %+v", host, f)
				}
				if got, want := names.Questions(host, dns.TypeA) > before, slices.Contains(asked[step], host); got != want {
					t.Errorf("at most %v: %s, step %d: asked is %v, want %v", maxAge, host, step, got, want)
				}
			}
		}
	}
}

func TestForgottenAnswersAreAskedForAnew(t *testing.T) {
	t.Parallel()
	names := fakesite.NewDNS(t)
	names.Set("site.test", fakesite.Answer{Addrs: []string{"127.0.0.1"}, TTL: 60})
	r, err := New(Options{Servers: names.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	for want := 1; want < 4; want++ {
		wantFound(t, r, "site.test")
		wantFound(t, r, "site.test")
		if got := names.Questions("site.test", dns.TypeA); got != want {
			t.Errorf("asked %d times, want %d", got, want)
		}
		r.Forget("site.test")
	}
}

func TestTheCacheIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	const now = time.Hour
	c := &cache{maxAge: time.Minute, limit: limit}
	addrs := slices.Repeat([]netip.Addr{netip.IPv6Loopback()}, maxAnswers)
	most := 0
	for i := range 5000 {
		host := fmt.Sprintf("h%d.%s.test", i, strings.Repeat("x", i%60))
		c.remember(host, answer{addrs[:1+i%maxAnswers], time.Minute}, now)
		if c.recall(host, now) == nil {
			t.Fatalf("%s was not kept", host)
		}
		if most = max(most, c.bytes()); most > limit {
			t.Fatalf("%d bytes after %d answers, at most %d are allowed", most, i, limit)
		}
	}
	if most < limit/2 {
		t.Errorf("the cache never held more than %d bytes of %d", most, limit)
	}
	// Answers are kept until newer ones take half of the memory.
	c.remember("kept.test", answer{addrs[:1], time.Minute}, now)
	for i := range limit / 2 / (entryBytes + addrBytes + 8) {
		c.remember(fmt.Sprintf("n%07d", i), answer{addrs[:1], time.Minute}, now)
	}
	if c.recall("kept.test", now) == nil {
		t.Error("an answer went while there was room")
	}
	for range 100 {
		c.remember("again.test", answer{addrs, time.Minute}, now)
	}
	c.forget("again.test")
	if c.recall("again.test", now) != nil {
		t.Error("a forgotten answer is still there")
	}
	for host := range c.young.entries {
		c.forget(host)
	}
	for host := range c.old.entries {
		c.forget(host)
	}
	if c.bytes() != 0 {
		t.Errorf("%d bytes of nothing", c.bytes())
	}
	c.limit = 100
	c.remember("large.test", answer{addrs, time.Minute}, now)
	if c.bytes() != 0 {
		t.Error("an answer larger than the cache is in it")
	}
}

func TestTheMachinesHosts(t *testing.T) {
	t.Parallel()
	hosts := parseHosts(strings.NewReader("# comment\n127.0.0.1 localhost Box.example.  box # end\n::1 localhost\nrubbish x\n10.0.0.1\n"))
	for host, want := range map[string]string{
		"localhost": "[127.0.0.1 ::1]", "box.example": "[127.0.0.1]", "box": "[127.0.0.1]", "x": "[]", "end": "[]",
	} {
		if got := fmt.Sprint(hosts[host]); got != want {
			t.Errorf("%s: got %s, want %s", host, got, want)
		}
	}
	r, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "any.localhost"} {
		if addrs, f := r.Lookup(t.Context(), host); f != nil || !addrs[0].IsLoopback() {
			t.Errorf("%s: %v %+v", host, addrs, f)
		}
	}
}

func TestListsOfServers(t *testing.T) {
	t.Parallel()
	for list, ok := range map[string]bool{
		"127.0.0.1:53": true, "[::1]:53": true, "127.0.0.1:53, 127.0.0.2:53": true, "localhost:53": true,
		"127.0.0.1": false, ":53": false, "127.0.0.1:": false, ",": false, "::1": false, "127.0.0.1:0": false, "127.0.0.1:65536": false,
	} {
		if _, err := New(Options{Servers: list}); (err == nil) != ok {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestANameServerMayHaveAName(t *testing.T) {
	t.Parallel()
	s := serve(t, "127.0.0.1:0", func(q asked) [][]byte { return packets(q.good()) })
	r, err := New(Options{Servers: fmt.Sprintf("localhost:%d", s.addr.Port())})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	wantFound(t, r, "site.test")
}
