package store

import (
	"context"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

// MaxTokens is how many tokens may be good at a time.
const MaxTokens = 10_000

// Access keeps the tokens of the API and the audit trail.
type Access interface {
	// CreateToken adds a token and a record about it, whose Resource and After tell makes of the
	// token as stored. It ignores ID, Used and Revoked. FailedPrecondition when MaxTokens are good.
	CreateToken(ctx context.Context, t record.Token, tell func(record.Token) record.Audit) (record.Token, error)
	// Token reads one token.
	Token(ctx context.Context, id int64) (record.Token, error)
	// ListTokens reads a page of at most limit tokens, revoked ones included, by rising id
	// after one.
	ListTokens(ctx context.Context, after int64, limit int) ([]record.Token, error)
	// LiveTokens reads all tokens that are good at a time. It leaves out one that is damaged.
	LiveTokens(ctx context.Context, now time.Time) ([]record.Token, error)
	// RevokeToken revokes a token from a time on and adds the record that tell makes of it;
	// of a token that is revoked already it changes nothing. NotFound when there is none.
	RevokeToken(ctx context.Context, id int64, at time.Time, tell func(record.Token) record.Audit) (record.Token, error)
	// NoteUse notes when tokens were used, unless a later use is known.
	NoteUse(ctx context.Context, used map[int64]time.Time) error
	// ListAudit reads a page of the audit trail, the newest record first.
	ListAudit(ctx context.Context, q AuditQuery) ([]record.Audit, error)
	// ExpireAudit deletes at most limit records that are older than a time, and returns how
	// many.
	ExpireAudit(ctx context.Context, before time.Time, limit int) (int, error)
}

// AuditQuery selects a page of the audit trail. Zero fields do not restrict.
type AuditQuery struct {
	// Before is the mark of the last record of the previous page.
	Before record.AuditMark
	// Limit is the page's size, 1..10000.
	Limit    int
	Resource string
}
