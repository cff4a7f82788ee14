package signature

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The lengths of nonces: those made here, and the longest accepted.
const (
	nonceBytes    = 10
	maxNonceBytes = 12
)

const nonceAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// NewNonce returns an unguessable nonce.
func NewNonce() string {
	out := make([]byte, 0, nonceBytes)
	var b [1]byte
	for len(out) < nonceBytes {
		rand.Read(b[:]) // never fails
		// Values beyond the largest multiple of the alphabet would favour its first letters.
		if int(b[0]) < 256/len(nonceAlphabet)*len(nonceAlphabet) {
			out = append(out, nonceAlphabet[int(b[0])%len(nonceAlphabet)])
		}
	}
	return string(out)
}

// BodyHash returns the body-hash parameter of a body: base64 of its SHA-1, empty for a
// body that PHP calls empty ("0" is one).
func BodyHash(body []byte) string {
	if isEmpty(body) {
		return ""
	}
	sum := sha1.Sum(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// isEmpty is PHP's empty() of a string.
func isEmpty[T string | []byte](s T) bool { return len(s) == 0 || string(s) == "0" }

// Params are the parameters that authenticate a request.
type Params struct{ Token, Timestamp, Nonce, BodyHash, Signature string }

// message holds the parts of the signed text.
type message struct {
	params Params
	method string
	url    address
}

// text returns the exact text that is signed.
func (m message) text() string {
	lines := []string{
		m.params.Token, m.params.Timestamp, m.params.Nonce, m.params.BodyHash,
		strings.ToUpper(m.method), strings.ToLower(m.url.host), strconv.Itoa(m.url.port), m.url.path,
	}
	lines = append(lines, normalQuery(m.url.query)...)
	return strings.Join(lines, "\n") + "\n"
}

func (m message) sign(c Credential) string {
	mac := hmac.New(sha1.New, c.reveal())
	mac.Write([]byte(m.text()))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// defaultPort fills in the scheme's port, and reports whether the scheme is known.
func (a *address) defaultPort() bool {
	switch {
	case a.port != 0:
	case a.scheme == "http":
		a.port = 80
	case a.scheme == "https":
		a.port = 443
	default:
		return false
	}
	return true
}

// Call is a request to sign.
type Call struct {
	Method string
	// URL is absolute. SignQuery adds the parameters that authenticate.
	URL  string
	Body []byte
	Time time.Time
	// Nonce is used once; empty makes a new one.
	Nonce string
	// As is what is signed instead of the URL's parts: a site behind a proxy may believe that
	// it was called in another way.
	As As
}

// As are parts of a URL as a site sees them; a zero one is the URL's own.
type As struct {
	Host string
	Port int
	Path string
	// Query is added to the URL's, as "lang=en".
	Query string
}

// SignQuery returns the call's URL with the parameters and the signature in its query, as
// WordPress.com calls sites.
func (c Credential) SignQuery(call Call) (string, error) {
	base, query, _ := strings.Cut(call.URL, "?")
	p, m, err := c.prepare(call)
	if err != nil {
		return "", err
	}
	added := "token=" + url.QueryEscape(p.Token) + "&timestamp=" + p.Timestamp + "&nonce=" + url.QueryEscape(p.Nonce)
	if p.BodyHash != "" {
		added += "&body-hash=" + url.QueryEscape(p.BodyHash)
	}
	if query != "" {
		added = query + "&" + added
	}
	m.url.query = added
	if call.As.Query != "" {
		m.url.query += "&" + call.As.Query
	}
	return base + "?" + added + "&signature=" + url.QueryEscape(m.sign(c)), nil
}

// SignHeader returns the value of a call's Authorization header, as sites call
// WordPress.com: the URL does not change.
func (c Credential) SignHeader(call Call, pluginVersion string) (string, error) {
	p, m, err := c.prepare(call)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`X_JETPACK token="%s" timestamp="%s" nonce="%s" body-hash="%s" signature="%s" version="%s"`,
		p.Token, p.Timestamp, p.Nonce, p.BodyHash, m.sign(c), pluginVersion), nil
}

func (c Credential) prepare(call Call) (Params, message, error) {
	if c.IsZero() {
		return Params{}, message{}, errors.New("sign a call: there is no token")
	}
	a, ok := parseURL(call.URL)
	if !ok || !a.defaultPort() {
		return Params{}, message{}, errors.New("sign a call: the URL must be absolute, http or https")
	}
	a.host, a.port, a.path = cmp.Or(call.As.Host, a.host), cmp.Or(call.As.Port, a.port), cmp.Or(call.As.Path, a.path)
	if call.Nonce == "" {
		call.Nonce = NewNonce()
	}
	if len(call.Nonce) > maxNonceBytes || strings.Trim(call.Nonce, nonceAlphabet) != "" {
		return Params{}, message{}, fmt.Errorf("sign a call: a nonce has at most %d letters and digits", maxNonceBytes)
	}
	p := Params{
		Token: c.Token(), Timestamp: strconv.FormatInt(call.Time.Unix(), 10),
		Nonce: call.Nonce, BodyHash: BodyHash(call.Body),
	}
	return p, message{params: p, method: call.Method, url: a}, nil
}

// sameText compares in constant time.
func sameText(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
