package sqlstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/coordinator/state/store"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// CreateSiteOnce implements store.Keys. Two calls for one site wait for each other before they look
// for the key. Of calls for the sites of two blogs, which use one key by mistake, the unique index
// of the keys has one start again, and find the other's.
func (s *Store) CreateSiteOnce(ctx context.Context, key store.Key, site record.Site) (record.Site, error) {
	c, err := s.newCreation(site)
	if err != nil {
		return record.Site{}, err
	}
	var earlier check.SiteID
	err = s.edit(ctx, func(t txn) (err error) {
		if err := s.lockBlog(t, site.BlogID); err != nil {
			return err
		}
		if earlier, err = s.usedKey(t, key); err != nil || earlier != 0 {
			return err
		}
		if err := c.add(t); err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO jetmon_site_keys (key_hash, request_hash, site_id, made_ms) VALUES (?, ?, ?, ?)",
			hex.EncodeToString(key.Hash[:]), hex.EncodeToString(key.Request[:]), c.site.ID, toMillis(key.At))
		if s.isDuplicate(err) {
			return fmt.Errorf("another call has used the key first: %w", errMoved)
		}
		return err
	})
	switch {
	case err != nil:
		return record.Site{}, s.fault("create a site once", err)
	case earlier != 0:
		return s.Site(ctx, earlier)
	}
	return c.site, nil
}

// usedKey returns the site that was added under a key; 0 for none. It forgets one that is too old.
func (s *Store) usedKey(t txn, key store.Key) (check.SiteID, error) {
	var request string
	var id, made int64
	hash := hex.EncodeToString(key.Hash[:])
	found, err := t.find([]any{&request, &id, &made}, "SELECT request_hash, site_id, made_ms FROM jetmon_site_keys WHERE key_hash = ?", hash)
	switch {
	case err != nil || !found:
		return 0, err
	case made < toMillis(key.At.Add(-store.KeyLife)):
		_, err := t.exec("DELETE FROM jetmon_site_keys WHERE key_hash = ? AND made_ms = ?", hash, made)
		return 0, err
	case request != hex.EncodeToString(key.Request[:]):
		return 0, fault.InvalidField("idempotency_key", "was used for another site, less than %v ago: give each site a key of its own", store.KeyLife)
	default:
		return check.SiteID(id), nil
	}
}

// ExpireKeys implements store.Keys.
func (s *Store) ExpireKeys(ctx context.Context, before time.Time, limit int) (n int, err error) {
	if limit < 1 || limit > maxExpire {
		return 0, fault.InvalidField("limit", "must be from 1 to %d, is %d", maxExpire, limit)
	}
	err = s.write(ctx, func(t txn) error {
		keys, err := t.texts("SELECT key_hash FROM jetmon_site_keys WHERE made_ms < ? ORDER BY made_ms, key_hash LIMIT ?", toMillis(before), limit)
		if err != nil {
			return err
		}
		n = len(keys)
		return t.remove("DELETE FROM jetmon_site_keys WHERE key_hash IN ", keys)
	})
	if err != nil {
		return 0, s.fault("expire idempotency keys", err)
	}
	return n, nil
}

// texts reads a column of texts.
func (t txn) texts(query string, args ...any) (all []any, err error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
