package sqlstore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/fault"
)

// tagColumn selects the tags of a legacy row l, with tagSeparator between two.
const (
	tagColumn    = `(SELECT GROUP_CONCAT(g.tag) FROM jetmon_site_tags g WHERE g.site_id = l.jetpack_monitor_site_id)`
	tagSeparator = ","
)

// maxTags bounds the tags of a site, maxTagBytes the bytes of one: together they are less than
// what GROUP_CONCAT cuts off by default.
const (
	maxTags     = 8
	maxTagBytes = 32
)

// sortedTags returns the tags of a row, sorted.
func (r *siteRow) sortedTags() []string {
	if r.tags == "" {
		return nil
	}
	return slices.Sorted(strings.SplitSeq(string(r.tags), tagSeparator))
}

// checkTags returns the tags sorted, or refuses what the table cannot hold.
func checkTags(tags []string) ([]string, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	sorted := slices.Sorted(slices.Values(tags))
	switch {
	case len(sorted) > maxTags:
		return nil, fault.InvalidField("tags", "must be at most %d, are %d", maxTags, len(sorted))
	case len(slices.Compact(slices.Clone(sorted))) < len(sorted):
		return nil, fault.InvalidField("tags", "must be different ones")
	}
	for _, tag := range sorted {
		if tag == "" || len(tag) > maxTagBytes || strings.ContainsFunc(tag, func(r rune) bool { return r <= ' ' || r > '~' || string(r) == tagSeparator }) {
			return nil, fault.InvalidField("tags", "%q must be 1 to %d characters of ASCII, without spaces and commas", fault.Clip(tag, maxTagBytes), maxTagBytes)
		}
	}
	return sorted, nil
}

// saveTags replaces the tags of a site, of which it knows the old ones.
func (s *Store) saveTags(t txn, id check.SiteID, old, tags []string) error {
	var gone []any
	for _, tag := range old {
		if !slices.Contains(tags, tag) {
			gone = append(gone, tag)
		}
	}
	if len(gone) > 0 {
		_, err := t.exec("DELETE FROM jetmon_site_tags WHERE site_id = ? AND tag IN "+marks(len(gone)), append([]any{id}, gone...)...)
		if err != nil {
			return err
		}
	}
	var added [][]any
	for _, tag := range tags {
		if !slices.Contains(old, tag) {
			added = append(added, []any{id, tag})
		}
	}
	err := t.insertRows("INSERT INTO jetmon_site_tags (site_id, tag) VALUES ", added)
	if s.isDuplicate(err) {
		err = fmt.Errorf("another has tagged site %d first: %w", id, errMoved)
	}
	return err
}

// forgetSettings deletes the settings and the tags of a site, or of an earlier row with its id.
func forgetSettings(t txn, id check.SiteID) error {
	for _, table := range []string{"jetmon_site_settings", "jetmon_site_tags"} {
		if _, err := t.exec("DELETE FROM "+table+" WHERE site_id = ?", id); err != nil {
			return err
		}
	}
	return nil
}
