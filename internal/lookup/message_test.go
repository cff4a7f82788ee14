package lookup

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"golang.org/x/net/dns/dnsmessage"
)

// message packs an answer about site.test from records in zone file notation.
func message(t testing.TB, rcode int, records ...string) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion("site.test.", dns.TypeA)
	m.Response, m.Rcode, m.Compress = true, rcode, true
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestReadingAnswers(t *testing.T) {
	t.Parallel()
	var chain []string
	for n := range maxAliases + 2 {
		chain = append(chain, fmt.Sprintf("c%d.test. 60 IN CNAME c%d.test.", n, n+1))
	}
	for _, c := range []struct {
		name    string
		records []string
		addrs   string
		alias   string
		ttl     uint32
	}{
		{"an address", []string{"site.test. 60 IN A 127.0.0.1"}, "[127.0.0.1]", "", 60},
		{"the least time counts", []string{"site.test. 60 IN A 127.0.0.1", "site.test. 30 IN A 127.0.0.2"}, "[127.0.0.1 127.0.0.2]", "", 30},
		{"in another case", []string{"SITE.test. 60 IN A 127.0.0.1"}, "[127.0.0.1]", "", 60},
		{"an alias with its address", []string{"site.test. 9 IN CNAME x.test.", "x.test. 60 IN A 127.0.0.1"}, "[127.0.0.1]", "", 9},
		{"the same, in the other order", []string{"x.test. 60 IN A 127.0.0.1", "site.test. 9 IN CNAME X.test."}, "[127.0.0.1]", "", 9},
		{"an alias alone", []string{"site.test. 9 IN CNAME x.test."}, "[]", "x.test.", 9},
		{"an alias of itself", []string{"site.test. 9 IN CNAME site.test."}, "[]", "site.test.", 9},
		{"aliases in a circle", []string{"site.test. 9 IN CNAME x.test.", "x.test. 9 IN CNAME site.test."}, "[]", "site.test.", 9},
		{"many aliases", append([]string{"site.test. 60 IN CNAME c0.test."}, chain...), "[]", fmt.Sprintf("c%d.test.", maxAliases-1), 60},
		{"the address of another", []string{"evil.test. 9 IN A 127.0.0.1"}, "[]", "", longestTTL},
		{"other types", []string{"site.test. 9 IN AAAA ::1", `site.test. 9 IN TXT "x"`, "site.test. 9 IN MX 1 y."}, "[]", "", longestTTL},
		{"another class", []string{"site.test. 9 CH A 127.0.0.1"}, "[]", "", longestTTL},
		{"a time beyond all bounds", []string{"site.test. 4000000000 IN A 127.0.0.1"}, "[127.0.0.1]", "", 0},
	} {
		var name dnsmessage.Name
		setName(&name, "site.test")
		var r reading
		if err := r.read(message(t, 0, c.records...), &name, dnsmessage.TypeA); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		alias := string(r.alias.Data[:r.alias.Length])
		if got := fmt.Sprint(r.addrs); got != c.addrs || !strings.EqualFold(alias, c.alias) || r.ttl != c.ttl {
			t.Errorf("%s: got %s, alias %q, for %d s", c.name, got, alias, r.ttl)
		}
	}
}

func TestQuestionsAreWhatOthersRead(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"a", "site.test", "xn--bcher-kva.example", "_x.y_z.test", strings.Repeat("abcdefghi.", 25) + "com"} {
		for _, edns := range []bool{true, false} {
			var name dnsmessage.Name
			setName(&name, host)
			var room [packetBytes]byte
			b, err := compose(room[:0], &name, dnsmessage.TypeAAAA, edns)
			if err != nil {
				t.Fatal(err)
			}
			if &b[0] != &room[0] {
				t.Errorf("%.20s does not fit into %d bytes", host, packetBytes)
			}
			mix(b[headerBytes:][:len(host)+2])
			m := new(dns.Msg)
			if err := m.Unpack(b); err != nil || len(m.Question) != 1 || !m.RecursionDesired {
				t.Fatalf("%.20s: %v %v", host, err, m)
			}
			q := m.Question[0]
			if !strings.EqualFold(q.Name, host+".") || q.Qtype != dns.TypeAAAA || q.Qclass != dns.ClassINET || (m.IsEdns0() != nil) != edns {
				t.Errorf("%.20s is asked for as %v", host, m)
			}
		}
	}
}

// FuzzRead reads packets as the answer to a question, as a reader does.
func FuzzRead(f *testing.F) {
	for _, records := range [][]string{
		nil,
		{"site.test. 60 IN A 127.0.0.1", "site.test. 60 IN AAAA ::1"},
		{"site.test. 9 IN CNAME x.test.", "x.test. 60 IN A 127.0.0.1"},
		{"site.test. 9 IN CNAME x.test.", "x.test. 9 IN CNAME site.test."},
		{`site.test. 9 IN TXT "x"`, "site.test. 9 IN MX 1 y."},
	} {
		for _, code := range []int{dns.RcodeSuccess, dns.RcodeNameError} {
			b := message(f, code, records...)
			f.Add(b)
			f.Add(b[:len(b)-3])
			f.Add(b[:headerBytes])
		}
	}
	var name dnsmessage.Name
	setName(&name, "site.test")
	asked, err := compose(nil, &name, dnsmessage.TypeA, true)
	if err != nil {
		f.Fatal(err)
	}
	nameBytes := int(name.Length) + 1
	f.Fuzz(func(t *testing.T, packet []byte) {
		given := bytes.Clone(packet)
		how := compare(packet, asked, nameBytes)
		if how != foreign {
			if q := packet[headerBytes:]; packet[3]&15 == 0 && !bytes.EqualFold(q[:nameBytes], asked[headerBytes:][:nameBytes]) {
				t.Fatalf("believed: %q", packet)
			}
		}
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			var r reading
			err := r.read(packet, &name, kind)
			for _, a := range r.addrs {
				if a.Is4() != (kind == dnsmessage.TypeA) {
					t.Errorf("%v is no %v", a, kind)
				}
			}
			switch {
			case len(r.addrs) > maxAnswers || r.ttl > longestTTL:
				t.Errorf("%d addresses for %d s", len(r.addrs), r.ttl)
			case err == nil && len(r.addrs) > 0 && r.alias.Length > 0:
				t.Errorf("addresses, and an alias")
			}
		}
		if !bytes.Equal(given, packet) {
			t.Error("the packet was changed")
		}
	})
}
