package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/Automattic/jetmon/coordinator/rules/record"
	"github.com/Automattic/jetmon/internal/fault"
)

// etagField is the name of the checksum in a site. A client sends back what it got, and edits
// nothing by it.
const etagField = "etag"

// etagBytes is the length of the hash in an etag.
const etagBytes = 12

// etagOf returns a checksum of what a caller can edit of a site. It is the same on every
// coordinator, and has no dot and no quotation mark.
func etagOf(row record.Site) string {
	sum := sha256.Sum256(editableText(row))
	return base64.RawURLEncoding.EncodeToString(sum[:etagBytes])
}

// editableText is a text of what a caller can edit of a site, and of its id: JSON, spelled out
// because lists need it of a thousand sites at once. A site without tags and
// without public badges has the text that earlier versions gave it.
func editableText(row record.Site) []byte {
	text := make([]byte, 0, 96+len(row.URL))
	text = strconv.AppendInt(append(text, '['), int64(row.ID), 10)
	text = strconv.AppendInt(append(text, ','), int64(row.BlogID), 10)
	text = appendText(append(text, ','), row.URL)
	text = strconv.AppendInt(append(text, ','), int64(row.Interval), 10)
	text = strconv.AppendBool(append(text, ','), row.Paused)
	if text = append(text, ','); reflect.ValueOf(row.Settings).IsZero() {
		text = append(text, "{}"...)
	} else {
		// Settings come from JSON, and have some.
		settings, _ := json.Marshal(row.Settings)
		text = append(text, settings...)
	}
	if len(row.Tags) > 0 {
		tags, _ := json.Marshal(row.Tags)
		text = append(append(text, ','), tags...)
	}
	if row.PublicBadges {
		text = append(text, `,"badges"`...)
	}
	return append(text, ']')
}

// appendText appends a text as JSON. Nearly all URLs have nothing that JSON escapes.
func appendText(to []byte, text string) []byte {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) }) {
		escaped, _ := json.Marshal(text)
		return append(to, escaped...)
	}
	return append(append(append(to, '"'), text...), '"')
}

// checkETag refuses an edit of a site that its caller has read under another etag; "" is any.
func checkETag(row record.Site, etag string) error {
	current := etagOf(row)
	if etag == "" || etag == current {
		return nil
	}
	return fault.New(fault.Conflict, "site %d was edited since it was read with the etag %q: read it again", row.ID, fault.Clip(etag, maxQuote)).
		With(&errdetails.ErrorInfo{Domain: "jetmon.coordinator", Reason: "ETAG_MISMATCH", Metadata: map[string]string{etagField: current}})
}

// unsure is the answer to an edit under an etag that the owner of the site may have made before
// it stopped answering: made here, it failed for the etag, perhaps because of itself.
func unsure(by made, etag string, err error) error {
	if by != maybeMade || etag == "" || !fault.Is(err, fault.Conflict) {
		return err
	}
	return fault.New(fault.Unavailable, "the coordinator that owns the site did not report whether it was edited; read it again: %s", err.Error())
}
