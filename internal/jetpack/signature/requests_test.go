//go:build wordpress

package signature

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// signedAsSeen adds the signature that the site computes by our rules. So PHP accepts the
// request only if its signed text is ours.
func (a *asked) signedAsSeen() {
	_, raw, _ := strings.Cut(string(a.URI), "?")
	query := parseQuery(raw)
	p := Params{Token: text(query, "token"), Timestamp: text(query, "timestamp"), Nonce: text(query, "nonce"), BodyHash: text(query, "body-hash")}
	signed := "x"
	v := a.verifier()
	if c, refusal := v.credential(p.Token); refusal == nil {
		p.Token, _, _ = strings.Cut(p.Token, ".")
		if m, refusal := v.message(a.received(), p); refusal == nil {
			signed = m.sign(c)
		}
	}
	a.URI = append(a.URI, "&signature="+url.QueryEscape(signed)...)
}

// oddities are requests of odd shapes, each a change of a good one.
func oddities() map[string]func(*asked) {
	query := func(more string) func(*asked) { return func(a *asked) { a.URI = append(a.URI, "&"+more...) } }
	token := func(other string) func(*asked) {
		return func(a *asked) { a.URI = []byte(strings.Replace(string(a.URI), "blogkey:1:0", other, 1)) }
	}
	forwarded := func(port string, https bool) func(*asked) {
		return func(a *asked) { a.Forwarded, a.HTTPS, a.Port = port, https, 8080 }
	}
	host := func(h string, port int) func(*asked) {
		return func(a *asked) { a.Host, a.Port = []byte(h), port }
	}
	all := map[string]func(*asked){
		"nothing odd": func(*asked) {}, "no query but ours": func(a *asked) { a.URI = []byte(strings.Replace(string(a.URI), "for=jetpack&", "", 1)) },
		"a name of an array": query("a[b]=1&a[c][]=2&a[c][]=3&b[]=x"), "brackets that are escaped": query("a%5Bb%5D=1"), "an open bracket": query("a[b=1"),
		"a fragment": query("a=1#b=2"), "a semicolon and slashes": query("a=b;//c"), "a second question mark": query("a=1?b=2"), "at signs and colons": query("a=b@c:80"),
		"two slashes": func(a *asked) { a.URI = append([]byte("/"), a.URI...) }, "a path with a colon": func(a *asked) { a.URI = append([]byte("/a:80"), a.URI...) },
		"bytes that are not UTF-8": query("a=\xff\x80"), "PUT": func(a *asked) { a.Method = "PUT" }, "a method in small letters": func(a *asked) { a.Method = "post" },
		"a token that is an array":          func(a *asked) { a.URI = []byte(strings.Replace(string(a.URI), "token=", "token[]=", 1)) },
		"a timestamp that is an array":      func(a *asked) { a.URI = []byte(strings.Replace(string(a.URI), "timestamp=", "timestamp[]=", 1)) },
		"a nonce that is an array":          func(a *asked) { a.URI = []byte(strings.Replace(string(a.URI), "nonce=", "nonce[]=", 1)) },
		"a body hash that is an array":      func(a *asked) { a.URI = []byte(strings.Replace(string(a.URI), "body-hash=", "body-hash[]=", 1)) },
		"a user whose id has a zero before": token("userkey:1:03"), "a user 00": token("userkey:1:00"), "a user of twenty digits": token("userkey:1:99999999999999999999"),
		"a user": token("userkey:1:3"), "a user with a sign": token("userkey:1:+3"), "an empty user": token("blogkey:1:"), "four parts": token("blogkey:1:0:7"), "a version 01": token("blogkey:01:0"),
		"a key that ends in a dot": token("blogkey.:1:0"), "a key with the secret's beginning": token("blogkey.blog:1:0"), "a backslash in the token": token(`blog\key:1:0`), "a key 0": token("0:1:0"),
		"no token in the site": func(a *asked) { a.Blog = "" }, "a stored token of three parts": func(a *asked) { a.Blog = "blogkey.blogsecret.1" }, "a stored token of one part": func(a *asked) { a.Blog = "blogkey" },
		"host with a port": host("example.com:8080", 8080), "host with a port on the standard one": host("example.com:8080", 80), "host with a colon": host("example.com:", 80), "host with a user": host("u:p@example.com", 80),
		"an IPv6 address": host("[::1]", 80), "an IPv6 address and a port": host("[::1]:8080", 8080), "no host": host("", 80), "a host with a blank": host("exa mple.com", 80),
		"a host with a slash": host("example.com/x", 80), "a host with an underscore": host("a_b.example.com", 80), "capital letters": host("EXAMPLE.Com", 80), "a host that is not ASCII": host("b\xc3\xbccher.example", 80),
		"port 0": host("example.com", 0), "port 65535": host("example.com", 65535), "https at 80": func(a *asked) { a.HTTPS = true }, "http at 443": host("example.com", 443),
		"a body 0": func(a *asked) { a.Body = []byte("0") }, "no body": func(a *asked) { a.Body = nil },
	}
	for _, c := range []string{"%0a", "%0D", "%0%0aa", "%250a", "%0d%0a", `"`, "<", ">", `\`, `\\`, `\0`, "|", "^", "`", "{", "}", " ", "'", "\t", "%00", "%zz", "%", "+", "~", "*", "$", "!", "(x)", ",", "\u00fc"} {
		all["raw "+url.QueryEscape(c)] = query("a=b" + c + "c")
		all["raw in a name "+url.QueryEscape(c)] = query("a" + c + "c=b")
		all["raw in the path "+url.QueryEscape(c)] = func(a *asked) { a.URI = append([]byte("/a"+c+"b"), a.URI...) }
	}
	for _, port := range []string{"443", "0443", "80", "080", "00080", "0", "8080", "08080", "65535", "65536", "99999999999999999999", "4 43", "443, 80", "-1", "x", "\u0664"} {
		all["X-Forwarded-Port "+port] = forwarded(port, false)
		all["X-Forwarded-Port and https "+port] = forwarded(port, true)
	}
	return all
}

// requests returns the requests that PHP is asked about: each oddity, signed as the site sees
// it and as a caller signs, and random ones.
func requests() []asked {
	good := func(name string) asked {
		return asked{
			Name: name, Now: vectorTime, Method: "POST", Host: []byte("example.com"), Port: 80, Body: []byte("<x/>"),
			URI:  []byte("/xmlrpc.php?for=jetpack&token=blogkey:1:0&timestamp=1700000000&nonce=aBcDeF1234&body-hash=" + url.QueryEscape(BodyHash([]byte("<x/>")))),
			Blog: "blogkey.blogsecret", Tokens: map[int64]string{3: "userkey.usersecret.3"}, Users: []int64{3, 4},
		}
	}
	var all []asked
	for _, name := range slices.Sorted(maps.Keys(oddities())) {
		a := good(name)
		oddities()[name](&a)
		if len(a.Body) == 0 || string(a.Body) == "0" {
			a.URI = []byte(strings.Replace(string(a.URI), "body-hash", "x", 1))
		}
		a.signedAsSeen()
		all = append(all, a)
	}
	for _, signature := range []string{"&signature[]=x", "&signature=", "&signature=0", "&signature=x"} {
		a := good("the query ends in " + signature)
		a.URI = append(a.URI, signature...)
		all = append(all, a)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b[", "]", "[]", "=", "&", "%0a", "%5B", "%2B", "+", "\\", "\"", "<", "|", "?", "#", ";", "//", ":", "@", "%", "%00", ".", " ", "\xe9", "x", "1", "'", "signature", "token"}
	for i := range 400 {
		a := good(fmt.Sprintf("random %d", i))
		a.HTTPS, a.Forwarded = rng.IntN(2) == 0, []string{"", "", "443", "080", "8443"}[rng.IntN(5)]
		a.Port = []int{80, 443, 8080}[rng.IntN(3)]
		more := ""
		for range rng.IntN(9) {
			more += pieces[rng.IntN(len(pieces))]
		}
		a.URI = append(a.URI, "&"+more...)
		a.signedAsSeen()
		all = append(all, a)
	}
	return all
}
