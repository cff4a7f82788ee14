package access

import (
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/fault"
)

// Rule says who may call an RPC: whoever one of Public, Roles, Scope and AnyToken names.
type Rule struct {
	// Public means that everybody may, without credentials.
	Public bool
	// Roles are the roles whose nodes may.
	Roles []Role
	// Scope is what an API token needs; 0 means that no API token will do.
	Scope Scopes
	// AnyToken means that every API token will do, whatever its scopes.
	AnyToken bool
	// Edits means that the RPC changes something, which belongs into the audit trail.
	Edits bool
	// AtOnce is how many calls one caller may have running; 0 means any number.
	AtOnce int
	// Free means that calls do not count towards the caller's rate.
	Free bool
}

// Permit returns nil when c may make the call, else a fault: Unauthenticated when c has
// proved nothing, and Denied when what it has proved is not enough.
func (r Rule) Permit(c Caller) error {
	switch {
	case r.Public, c.Open:
		return nil
	case !c.Known():
		return fault.New(fault.Unauthenticated, "credentials are required: %s", r.wants())
	case c.Role != "" && slices.Contains(r.Roles, c.Role):
		return nil
	case c.TokenID != 0 && r.AnyToken:
		return nil
	case c.TokenID != 0 && r.Scope != 0 && c.Scopes.Has(r.Scope):
		return nil
	}
	return fault.New(fault.Denied, "%s may not do this: it takes %s", c, r.wants())
}

// wants names the credentials that the rule accepts.
func (r Rule) wants() string {
	var all []string
	if r.AnyToken {
		all = append(all, "an API token (Authorization: Bearer TOKEN)")
	}
	if r.Scope != 0 {
		all = append(all, "an API token with the scope "+r.Scope.String()+" (Authorization: Bearer TOKEN)")
	}
	for _, role := range r.Roles {
		all = append(all, "a certificate or token of the role "+string(role))
	}
	return strings.Join(all, ", or ")
}
