package signature

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// apiVersion is the middle part of every token on the wire.
const apiVersion = "1"

// Credential is a stored Jetpack token: "key.secret" of the blog, or
// "key.secret.user_id" of a user. The zero value signs nothing. Printed in any way it
// shows neither key nor secret.
type Credential struct {
	key    string
	userID int64
	// reveal returns the secret. A function hides it from every printing verb.
	reveal func() []byte
}

// ParseCredential parses a stored token. Its errors never quote the token.
func ParseCredential(stored string) (Credential, error) {
	parts := strings.Split(stored, ".")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return Credential{}, errors.New("a token must be key.secret (of the blog) or key.secret.user_id (of a user)")
	}
	if strings.ContainsFunc(stored, func(r rune) bool { return r <= ' ' || r == 0x7f || r == ':' }) {
		return Credential{}, errors.New("a token must not contain blanks, colons or control characters")
	}
	secret := parts[1]
	c := Credential{key: parts[0], reveal: func() []byte { return []byte(secret) }}
	if len(parts) == 3 {
		id, ok := parseUserID(parts[2])
		if !ok {
			return Credential{}, errors.New("the third part of a user's token must be the user's id, a number above 0")
		}
		c.userID = id
	}
	return c, nil
}

// IsZero reports whether there is no credential.
func (c Credential) IsZero() bool { return c.reveal == nil }

// UserID returns the local user who owns the token; 0 means the blog.
func (c Credential) UserID() int64 { return c.userID }

// Kind returns "blog" or "user".
func (c Credential) Kind() string {
	if c.userID == 0 {
		return "blog"
	}
	return "user"
}

// Token returns the token as sent on the wire: key:version:user_id. It contains no secret.
func (c Credential) Token() string {
	return c.key + ":" + apiVersion + ":" + strconv.FormatInt(c.userID, 10)
}

// Format prints only the kind of the token, whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.describe())) }

// MarshalText keeps the token out of JSON and logs.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.describe()), nil }

func (c Credential) describe() string {
	if c.IsZero() {
		return "[no token]"
	}
	return "[" + c.Kind() + " token]"
}

// parseUserID parses digits that make a number above 0.
func parseUserID(s string) (int64, bool) {
	if !isDigits(s) {
		return 0, false
	}
	id, err := strconv.ParseInt(s, 10, 64)
	return id, err == nil && id > 0
}

// integer is PHP's (int) of digits: what is too large is the largest.
func integer(s string) (int64, bool) {
	if !isDigits(s) {
		return 0, false
	}
	id, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return math.MaxInt64, true
	}
	return id, err == nil
}

// isDigits is PHP's ctype_digit.
func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Keyring holds the stored tokens of one site.
type Keyring struct {
	// Blog is the blog's stored token, "key.secret"; empty on a site that is not connected.
	Blog string
	// Users are the stored tokens of local users, "key.secret.user_id", by id.
	Users map[int64]string
	// UserExists reports whether a local user exists; nil means those of Users.
	UserExists func(id int64) bool
}

func (k Keyring) userExists(id int64) bool {
	if k.UserExists != nil {
		return k.UserExists(id)
	}
	_, ok := k.Users[id]
	return ok
}

// find looks up a token as Jetpack does, with Jetpack's error codes.
func (k Keyring) find(key string, userID int64) (Credential, *Error) {
	key = strings.TrimRight(key, ".")
	if userID == 0 {
		if k.Blog == "" {
			return Credential{}, fail(NoPossibleTokens, "No blog token found")
		}
		stored, _, _ := strings.Cut(k.Blog, ".")
		if !strings.Contains(k.Blog, ".") || !sameText(stored, key) {
			return Credential{}, fail(NoValidBlogToken, "Invalid blog token")
		}
		c, err := ParseCredential(k.Blog)
		if err != nil || c.userID != 0 {
			return Credential{}, fail(InvalidSecret, "Invalid secret")
		}
		return c, nil
	}
	stored := k.Users[userID]
	if stored == "" {
		return Credential{}, fail(NoTokenForUser, "No token for user %d", userID)
	}
	c, err := ParseCredential(stored)
	if err != nil || c.userID == 0 {
		return Credential{}, fail(TokenMalformed, "Token for user %d is malformed", userID)
	}
	if c.userID != userID {
		return Credential{}, fail(UserIDMismatch, "Requesting user_id %d does not match token user_id %d", userID, c.userID)
	}
	if !sameText(c.key, key) {
		return Credential{}, fail(NoValidUserToken, "Invalid token for user %d", userID)
	}
	return c, nil
}
