package signature

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The window around the site's clock in which a site accepts a call.
const (
	maxPast   = 600 * time.Second
	maxFuture = 300 * time.Second
)

// maxTimestampDigits is enough until the year 2286.
const maxTimestampDigits = 10

// Identity is the signer of a request.
type Identity struct {
	// UserID is the local user, 0 for the blog itself.
	UserID int64
	// TokenKey is the public half of the token.
	TokenKey string
}

// Received is a request as the web server passes it to PHP.
type Received struct {
	Method string
	// Host is the Host header (HTTP_HOST), URI the path and query (REQUEST_URI).
	Host, URI string
	HTTPS     bool
	// ServerPort is SERVER_PORT; ForwardedPort the X-Forwarded-Port header, if any.
	ServerPort    int
	ForwardedPort string
	Body          []byte
}

// FromHTTP makes a Received from a request. PHP's SERVER_PORT comes from the web server,
// so the caller passes it.
func FromHTTP(r *http.Request, body []byte, serverPort int) Received {
	return Received{
		Method: r.Method, Host: r.Host, URI: r.RequestURI, HTTPS: r.TLS != nil,
		ServerPort: serverPort, ForwardedPort: r.Header.Get("X-Forwarded-Port"), Body: body,
	}
}

// VerifierOptions are for NewVerifier. Tokens, Nonces and Now are required.
type VerifierOptions struct {
	Tokens Keyring
	Nonces NonceStore
	Now    func() time.Time
	// TimeDiff is how far the callers' clock is ahead of Now, as the site has learned.
	TimeDiff time.Duration
	// HTTPPort and HTTPSPort are JETPACK_SIGNATURE__HTTP_PORT and __HTTPS_PORT: ports of
	// the server behind a proxy that count as the standard ones; 0 means none.
	HTTPPort, HTTPSPort int
}

// Verifier verifies requests as a site does. It is safe for concurrent use.
type Verifier struct{ o VerifierOptions }

// NewVerifier makes a verifier.
func NewVerifier(o VerifierOptions) *Verifier { return &Verifier{o} }

// Verify returns the signer of a request. Its error is ErrNotSigned when the request does
// not claim to be signed, ErrFatal when PHP ends, or an *Error with the code of the first
// check that failed.
func (v *Verifier) Verify(r Received) (Identity, error) {
	_, rawQuery, _ := strings.Cut(r.URI, "?")
	query := parseQuery(rawQuery)
	token, signature := query["token"], query["signature"]
	if token == nil || signature == nil || signature.members == nil && isEmpty(signature.text) {
		return Identity{}, ErrNotSigned
	}
	if token.members != nil {
		return Identity{}, ErrFatal
	}
	id, err := v.verify(r, Params{
		Token: text(query, "token"), Timestamp: text(query, "timestamp"), Nonce: text(query, "nonce"),
		BodyHash: text(query, "body-hash"), Signature: text(query, "signature"),
	})
	if e, ok := errors.AsType[*Error](err); ok && e.Code == SignatureMismatch && signature.members != nil {
		return Identity{}, ErrFatal // only the last check looks at the signature
	}
	return id, err
}

// VerifyREST verifies a call of the REST API, which has _for=jetpack and may be GET or
// POST. Its refusals wrap the underlying one.
func (v *Verifier) VerifyREST(r Received) (Identity, error) {
	_, rawQuery, _ := strings.Cut(r.URI, "?")
	query := parseQuery(rawQuery)
	if text(query, "_for") != "jetpack" || query["token"] == nil && query["signature"] == nil {
		return Identity{}, ErrNotSigned
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return Identity{}, fail(RESTInvalidRequest, "This request method is not supported.")
	}
	if r.Method != http.MethodPost && !isEmpty(r.Body) {
		return Identity{}, fail(RESTInvalidRequest, "This request method does not support body parameters.")
	}
	id, err := v.Verify(r)
	if errors.Is(err, ErrFatal) {
		return Identity{}, err
	}
	if err != nil {
		return Identity{}, &Error{Code: RESTInvalidSignature, Message: "The request is not signed correctly.", cause: err}
	}
	return id, nil
}

// VerifyHeader verifies a call with its parameters in the Authorization header, as
// WordPress.com does with the calls of sites.
func (v *Verifier) VerifyHeader(r Received, authorization string) (Identity, error) {
	p, ok := parseAuthorization(authorization)
	if !ok || p.Token == "" || p.Signature == "" {
		return Identity{}, ErrNotSigned
	}
	return v.verify(r, p)
}

func (v *Verifier) verify(r Received, p Params) (Identity, error) {
	c, refusal := v.credential(p.Token)
	if refusal != nil {
		return Identity{}, refusal
	}
	p.Token, _, _ = strings.Cut(p.Token, ".")
	if !strings.HasPrefix(p.Token, c.key+":") {
		return Identity{}, fail(TokenMismatch, "Incorrect token")
	}
	m, refusal := v.message(r, p)
	if refusal != nil {
		return Identity{}, refusal
	}
	want := m.sign(c)
	// The nonce counts as used whether or not the signature is good.
	timestamp, err := strconv.ParseInt(p.Timestamp, 10, 64)
	if err != nil || !v.o.Nonces.Use(timestamp, p.Nonce) {
		return Identity{}, fail(InvalidNonce, "Could not add nonce")
	}
	if !sameText(want, p.Signature) {
		return Identity{}, fail(SignatureMismatch, "Signature mismatch")
	}
	return Identity{UserID: c.userID, TokenKey: c.key}, nil
}

// credential looks up the token that a request claims.
func (v *Verifier) credential(token string) (Credential, *Error) {
	// Anything after a third colon is ignored.
	parts := append(strings.SplitN(token, ":", 4), "", "", "")
	key, version, user := parts[0], parts[1], parts[2]
	if isEmpty(key) || version != apiVersion {
		return Credential{}, fail(MalformedToken, "Malformed token in request")
	}
	var id int64
	if user != "0" {
		var ok bool
		if id, ok = integer(user); !ok {
			return Credential{}, fail(MalformedUserID, "Malformed user_id in request")
		}
		if id == 0 || !v.o.Tokens.userExists(id) {
			return Credential{}, fail(UnknownUser, "User %d does not exist", id)
		}
	}
	return v.o.Tokens.find(key, id)
}

// message checks the form of a request and builds the text that must be signed.
func (v *Verifier) message(r Received, p Params) (message, *Error) {
	for _, required := range []struct{ name, value string }{
		{"timestamp", p.Timestamp}, {"nonce", p.Nonce}, {"method", r.Method},
	} {
		if required.value == "" {
			return message{}, fail(InvalidSignature, `The required "%s" parameter is missing.`, required.name)
		}
	}
	switch {
	case isEmpty(r.Body) && !isEmpty(p.BodyHash):
		return message{}, fail(InvalidBodyHash, "Invalid body hash for empty body.")
	case !isEmpty(r.Body) && p.BodyHash == "":
		return message{}, fail(InvalidSignature, `The required "body-hash" parameter is missing.`)
	case !isEmpty(r.Body) && !sameText(p.BodyHash, BodyHash(r.Body)):
		return message{}, fail(InvalidBodyHash, "The body hash does not match.")
	}
	a, ok := parseURL(v.url(r))
	if !ok {
		return message{}, malformed("url")
	}
	if !a.defaultPort() {
		return message{}, fail(UnknownSchemePort, "The scheme's port is unknown")
	}
	if !isDigits(p.Timestamp) || len(p.Timestamp) > maxTimestampDigits {
		return message{}, malformed("timestamp")
	}
	seconds, err := strconv.ParseInt(p.Timestamp, 10, 64)
	if err != nil {
		return message{}, malformed("timestamp")
	}
	now := v.o.Now().Unix()
	local := seconds - int64(v.o.TimeDiff/time.Second)
	if local < now-int64(maxPast/time.Second) || local > now+int64(maxFuture/time.Second) {
		return message{}, fail(InvalidSignature, TimestampTooOld)
	}
	if len(p.Nonce) > maxNonceBytes || strings.Trim(p.Nonce, nonceAlphabet) != "" {
		return message{}, malformed("nonce")
	}
	return message{params: p, method: r.Method, url: a}, nil
}

func malformed(name string) *Error {
	return fail(InvalidSignature, `The required "%s" parameter is malformed.`, name)
}

// url returns the URL by which the site believes it was called. It appends the port to the
// unchanged Host header, so a Host with a port makes a URL with two ports. So sites on odd
// ports cannot verify the signatures of others.
func (v *Verifier) url(r Received) string {
	scheme, standard := "http", []int{80, v.o.HTTPPort}
	if r.HTTPS {
		scheme, standard = "https", []int{443, 80, v.o.HTTPSPort}
	}
	port := portText(r.ForwardedPort)
	if port == "" {
		port = portText(strconv.Itoa(r.ServerPort))
	}
	for _, s := range standard {
		if port == strconv.Itoa(s) {
			port = ""
		}
	}
	return cleanURL(stripSlashes(scheme + "://" + r.Host + ":" + port + r.URI))
}

// portText returns a text that is a port, and "" for others. It keeps leading zeros, by which
// a standard port is no longer one.
func portText(s string) string {
	if n, ok := integer(s); !ok || n <= 0 || n > 65535 {
		return ""
	}
	return s
}

// text returns a parameter that is a text, without slashes; an array counts as missing.
func text(query map[string]*value, name string) string {
	if v := query[name]; v != nil && v.members == nil {
		return stripSlashes(v.text)
	}
	return ""
}

// parseAuthorization parses the header that SignHeader makes.
func parseAuthorization(header string) (Params, bool) {
	rest, ok := strings.CutPrefix(header, "X_JETPACK ")
	if !ok {
		return Params{}, false
	}
	var p Params
	fields := map[string]*string{
		"token": &p.Token, "timestamp": &p.Timestamp, "nonce": &p.Nonce, "body-hash": &p.BodyHash, "signature": &p.Signature,
	}
	for rest != "" {
		name, after, ok := strings.Cut(strings.TrimLeft(rest, " ,"), `="`)
		if !ok {
			break
		}
		var v string
		if v, rest, ok = strings.Cut(after, `"`); !ok {
			return Params{}, false
		}
		if to := fields[name]; to != nil {
			*to = v
		}
	}
	return p, true
}
