package keyring

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/access"
	"github.com/Automattic/jetmon/internal/fault"
)

// Prefix begins every token of the API, so that people and scanners of leaked secrets know
// one when they see it.
const Prefix = "jm_"

// maxBlogs bounds the blogs of a token, as the contract does: a coordinator sends them with
// each call that it forwards, and asks for the sites of each.
const maxBlogs = 100

// Make completes a token that is to be created at a time with the hash of a new secret, and
// returns the secret. It returns a fault of kind Invalid that names the field for a token that
// cannot be meant.
func Make(t record.Token, now time.Time) (record.Token, string, error) {
	if err := access.CheckName(t.Name); err != nil {
		return t, "", fault.InvalidField("token.name", "%w", err)
	}
	var scopes access.Scopes
	for i, name := range t.Scopes {
		scope, err := access.ParseScopes([]string{name})
		if err != nil {
			return t, "", fault.InvalidField(fmt.Sprintf("token.scopes[%d]", i), "%w", err)
		}
		scopes |= scope
	}
	if len(t.Blogs) > maxBlogs {
		return t, "", fault.InvalidField("token.blog_ids", "must be at most %d", maxBlogs)
	}
	for i, blog := range t.Blogs {
		if blog <= 0 {
			return t, "", fault.InvalidField(fmt.Sprintf("token.blog_ids[%d]", i), "must be greater than 0")
		}
	}
	switch wide := scopes & access.Wide; {
	case scopes == 0:
		return t, "", fault.InvalidField("token.scopes", "must not be empty")
	case wide != 0 && len(t.Blogs) > 0:
		return t, "", fault.InvalidField("token.scopes", "a token that is limited to some blogs cannot have %s", wide)
	case !t.Expires.IsZero() && !t.Expires.After(now):
		return t, "", fault.InvalidField("token.expire_time", "must be in the future")
	}
	t.Scopes, t.Blogs = scopes.Names(), slices.Compact(slices.Sorted(slices.Values(t.Blogs)))
	secret := Prefix + NewSecret()
	t.Hash = access.Hash(secret)
	t.Created, t.Expires = now.Truncate(time.Millisecond), t.Expires.Truncate(time.Millisecond) // as they are stored
	return t, secret, nil
}

// NewSecret returns 52 random letters and digits, which nobody can guess.
func NewSecret() string { return strings.ToLower(rand.Text() + rand.Text()) } // 130 bits each
