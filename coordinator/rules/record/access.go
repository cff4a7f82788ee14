package record

import (
	"time"

	"github.com/Automattic/jetmon/internal/check"
)

// Token is a token of the API, without its secret.
type Token struct {
	ID int64
	// Name is what it is for.
	Name string
	// Hash is the SHA-256 hash of the secret.
	Hash [32]byte
	// Scopes are the names of what it is good for.
	Scopes []string
	// Blogs are the only blogs that it is for; none means all.
	Blogs []check.BlogID
	// Creator is who made it, at Created.
	Creator string
	Created time.Time
	// Expires is from when on it is refused, zero for never.
	Expires time.Time
	// Used is when it was last used, and Revoked since when it is revoked; zero for never.
	Used, Revoked time.Time
}

// Live reports whether the token is good at a time.
func (t Token) Live(now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

// Audit says who changed what.
type Audit struct {
	ID int64
	At time.Time
	// Caller is who, in words; Method is the RPC or the command.
	Caller, Method string
	// Resource is what was changed, as "sites/7".
	Resource string
	// Before and After are JSON; empty when the resource did not exist.
	Before, After string
	// RequestID is the id by which logs mention the request.
	RequestID string
}

// AuditMark is the place of a record in the trail.
type AuditMark struct {
	At time.Time
	ID int64
}

// Mark returns the place of the record.
func (a Audit) Mark() AuditMark { return AuditMark{a.At, a.ID} }
