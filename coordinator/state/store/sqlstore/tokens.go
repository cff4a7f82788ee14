package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

const tokenQuery = `SELECT id, name, hash, scopes, blogs, creator, created_ms, expires_ms, used_ms, revoked_ms
	FROM jetmon_tokens`

// tokenRow is a row of jetmon_tokens.
type tokenRow struct {
	t                               record.Token
	hash, scopes, blogs             string
	created, expires, used, revoked int64
}

func (r *tokenRow) dest() []any {
	return []any{&r.t.ID, &r.t.Name, &r.hash, &r.scopes, &r.blogs, &r.t.Creator, &r.created, &r.expires, &r.used, &r.revoked}
}

func (r *tokenRow) token() (record.Token, error) {
	t := r.t
	hash, err := hex.DecodeString(r.hash)
	if err != nil || len(hash) != len(t.Hash) {
		return t, fmt.Errorf("the hash of token %d is damaged", t.ID)
	}
	copy(t.Hash[:], hash)
	t.Scopes = strings.Fields(r.scopes)
	for word := range strings.FieldsSeq(r.blogs) {
		blog, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return t, fmt.Errorf("the blogs of token %d are damaged", t.ID)
		}
		t.Blogs = append(t.Blogs, check.BlogID(blog))
	}
	t.Created, t.Expires, t.Used, t.Revoked = fromMillis(r.created), fromMillis(r.expires), fromMillis(r.used), fromMillis(r.revoked)
	return t, nil
}

func scanToken(rows *sql.Rows) (record.Token, error) {
	var r tokenRow
	if err := rows.Scan(r.dest()...); err != nil {
		return record.Token{}, err
	}
	return r.token()
}

// CreateToken implements store.Access.
func (s *Store) CreateToken(ctx context.Context, t record.Token, tell func(record.Token) record.Audit) (record.Token, error) {
	t.Used, t.Revoked = time.Time{}, time.Time{}
	blogs := make([]string, len(t.Blogs))
	for i, b := range t.Blogs {
		blogs[i] = strconv.FormatInt(int64(b), 10)
	}
	err := s.write(ctx, func(w txn) error {
		var live int
		const count = "SELECT COUNT(*) FROM jetmon_tokens WHERE revoked_ms = 0 AND (expires_ms = 0 OR expires_ms > ?)"
		if _, err := w.find([]any{&live}, count, toMillis(t.Created)); err != nil {
			return err
		}
		if live >= store.MaxTokens {
			return fault.New(fault.Fenced, "%d tokens are good, which is the most; revoke some", live)
		}
		id, err := w.insert(`INSERT INTO jetmon_tokens (name, hash, scopes, blogs, creator, created_ms, expires_ms, used_ms, revoked_ms)
	VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)`,
			t.Name, hex.EncodeToString(t.Hash[:]), strings.Join(t.Scopes, " "), strings.Join(blogs, " "),
			clip(t.Creator, maxName), toMillis(t.Created), toMillis(t.Expires))
		if err != nil {
			return err
		}
		t.ID = id
		return keepAudit(w, tell(t))
	})
	if err != nil {
		return record.Token{}, s.fault("create a token", err)
	}
	return t, nil
}

// Token implements store.Access.
func (s *Store) Token(ctx context.Context, id int64) (record.Token, error) {
	found, err := list(ctx, s.reader, scanToken, tokenQuery+" WHERE id = ?", id)
	if err != nil {
		return record.Token{}, s.fault(fmt.Sprintf("read token %d", id), err)
	}
	if len(found) == 0 {
		return record.Token{}, noToken(id)
	}
	return found[0], nil
}

func noToken(id int64) error { return fault.New(fault.NotFound, "there is no token %d", id) }

// ListTokens implements store.Access.
func (s *Store) ListTokens(ctx context.Context, after int64, limit int) ([]record.Token, error) {
	if limit < 1 || limit > maxPage {
		return nil, fault.InvalidField("page_size", "must be from 1 to %d, is %d", maxPage, limit)
	}
	found, err := list(ctx, s.reader, scanToken, tokenQuery+" WHERE id > ? ORDER BY id LIMIT ?", after, limit)
	if err != nil {
		return nil, s.fault("read tokens", err)
	}
	return found, nil
}

// LiveTokens implements store.Access.
func (s *Store) LiveTokens(ctx context.Context, now time.Time) ([]record.Token, error) {
	// A damaged row must not make the others unknown.
	skip := func(rows *sql.Rows) (record.Token, error) {
		var r tokenRow
		if err := rows.Scan(r.dest()...); err != nil {
			return record.Token{}, err
		}
		t, err := r.token()
		if err != nil {
			s.log.Error("token unreadable, nobody can use it", "token_id", r.t.ID, "error", err)
			return record.Token{}, nil
		}
		return t, nil
	}
	found, err := list(ctx, s.leases, skip,
		tokenQuery+" WHERE revoked_ms = 0 AND (expires_ms = 0 OR expires_ms > ?) ORDER BY id", toMillis(now))
	if err != nil {
		return nil, s.fault("read the tokens", err)
	}
	return slices.DeleteFunc(found, func(t record.Token) bool { return t.ID == 0 }), nil
}

// RevokeToken implements store.Access.
func (s *Store) RevokeToken(ctx context.Context, id int64, at time.Time, tell func(record.Token) record.Audit) (t record.Token, err error) {
	err = s.write(ctx, func(w txn) error {
		n, err := w.exec("UPDATE jetmon_tokens SET revoked_ms = ? WHERE id = ? AND revoked_ms = 0", toMillis(at), id)
		if err != nil {
			return err
		}
		var r tokenRow
		switch found, err := w.find(r.dest(), tokenQuery+" WHERE id = ?", id); {
		case err != nil:
			return err
		case !found:
			return noToken(id)
		}
		if t, err = r.token(); err != nil || n == 0 {
			return err
		}
		return keepAudit(w, tell(t))
	})
	if err != nil {
		return record.Token{}, s.fault(fmt.Sprintf("revoke token %d", id), err)
	}
	return t, nil
}

// NoteUse implements store.Access.
func (s *Store) NoteUse(ctx context.Context, used map[int64]time.Time) error {
	err := s.transact(ctx, s.leases, func(w txn) error {
		for id, at := range used {
			if _, err := w.exec("UPDATE jetmon_tokens SET used_ms = ? WHERE id = ? AND used_ms < ?", toMillis(at), id, toMillis(at)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return s.fault("note the use of tokens", err)
	}
	return nil
}
