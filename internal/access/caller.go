package access

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// Role is what a node is for. A certificate or a token of a role proves it.
type Role string

// The roles that credentials can prove.
const (
	Coordinator Role = "coordinator"
	Checker     Role = "checker"
	Veriflier   Role = "veriflier"
	Gateway     Role = "gateway"
	// Asker is a person or a program that asks verifliers directly, as grpcurl does.
	Asker Role = "caller"
)

// Roles lists all roles.
func Roles() []Role { return []Role{Coordinator, Checker, Veriflier, Gateway, Asker} }

// ParseRole returns the role of a name.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(Roles(), r) {
		return r, nil
	}
	var names []string
	for _, r := range Roles() {
		names = append(names, string(r))
	}
	return "", fmt.Errorf("there is no role %q; the roles are %s", fault.Clip(name, maxQuoted), strings.Join(names, ", "))
}

// maxQuoted bounds what an error repeats of a text.
const maxQuoted = 64

// maxName bounds the name of a node or a token.
const maxName = 128

// CheckName checks the name of a node or of a token: 1 to 128 bytes of UTF-8 without white
// space or control bytes around or in it.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("must have 1 to %d bytes of UTF-8", maxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7F || r == utf8.RuneError }) {
		return fmt.Errorf("must not contain white space or control characters")
	}
	return nil
}

// Caller is who makes a call, as far as credentials prove it. The zero value has proved
// nothing.
type Caller struct {
	// Role is the role of a node; empty for a token of the API.
	Role Role
	// Name is the name of the node, empty when its token is good for any node of the role;
	// or the name of the API token.
	Name string
	// TokenID is the id of the API token, 0 for others.
	TokenID int64
	// Scopes are those of the API token.
	Scopes Scopes
	// Blogs, when not nil, are the only blogs that the API token is for.
	Blogs []check.BlogID
	// Expires is when the API token ends; the zero time means never.
	Expires time.Time
	// Open means that the server asks nobody who they are.
	Open bool
}

// Anybody is the caller of a server that asks nobody who they are.
func Anybody() Caller { return Caller{Open: true} }

// Known reports whether the caller has proved anything, or need not.
func (c Caller) Known() bool { return c.Open || c.Role != "" || c.TokenID != 0 }

// String names the caller for logs and the audit trail, as "token 7 (deploy)".
func (c Caller) String() string {
	switch {
	case c.TokenID != 0:
		return fmt.Sprintf("token %d (%s)", c.TokenID, c.Name)
	case c.Role != "" && c.Name != "":
		return string(c.Role) + " " + c.Name
	case c.Role != "":
		return "a " + string(c.Role)
	case c.Open:
		return "anybody"
	default:
		return "nobody known"
	}
}

// Limited reports whether the caller may see the sites of some blogs only.
func (c Caller) Limited() bool { return c.Blogs != nil && !c.Open }

// Sees reports whether sites of a blog exist for the caller.
func (c Caller) Sees(blog check.BlogID) bool { return !c.Limited() || slices.Contains(c.Blogs, blog) }

// MayBe reports whether the caller may act as a node of this name.
func (c Caller) MayBe(node string) bool {
	return c.Open || c.Role != "" && (c.Name == "" || c.Name == node)
}

type callerKey struct{}

// With returns a context in which c is the caller.
func With(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// From returns the caller of a context; without one, a caller that has proved nothing and
// sees the sites of no blog.
func From(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Blogs: []check.BlogID{}}
}
