package page

import (
	"bytes"
	"strings"
)

// Limits on what of a page is looked at.
const (
	// MaxHead is how much of the beginning of a page is judged, MaxTail how much of the end
	// of a longer one.
	MaxHead = 64 << 10
	MaxTail = 8 << 10
)

// Page is one page as it was received.
type Page struct {
	// Head is the page in UTF-8, of a longer one its first MaxHead bytes.
	Head []byte
	// Tail is the end of a longer page, at most MaxTail bytes; nil when Head is the page, or
	// when its end was not read.
	Tail []byte
	// IsHTML is false for a page of another media type.
	IsHTML bool
}

// Kind is what a page means for the site.
type Kind uint8

// The kinds. The zero value is a page that is as it should be, as far as this package can
// tell.
const (
	Good Kind = iota
	// Failure is the site's own failure.
	Failure
	// Empty is a page that shows nothing. It is a failure of a site that showed something
	// before.
	Empty
	// Remark is something that the site's owner should know.
	Remark
)

// Verdict is the judgement of a page.
type Verdict struct {
	Kind Kind
	// Reason is one of the constants below; "" for a good page.
	Reason string
}

// The reasons.
const (
	WordPressFatalError    = "wordpress_fatal_error"
	WordPressDatabaseError = "wordpress_database_error"
	WordPressMaintenance   = "wordpress_maintenance"
	PHPFatalError          = "php_fatal_error"
	EmptyPage              = "empty_page"
	// WordPressMessage is a page of wp_die with a text of the site's own.
	WordPressMessage = "wordpress_message"
	DirectoryListing = "directory_listing"
	InstallScreen    = "install_screen"
	PHPSource        = "php_source"
	ParkingPage      = "parking_page"
	DefaultPage      = "default_page"
)

// Judge judges pages. It is made once and safe for concurrent use.
type Judge struct{ sentences []translation }

// NewJudge returns a Judge.
func NewJudge() *Judge {
	all := translations()
	for i, t := range all {
		all[i] = translation{t.language, fold(t.fatal), fold(t.database), fold(t.maintenance)}
	}
	return &Judge{all}
}

// Verdict judges a page.
func (j *Judge) Verdict(p Page) Verdict {
	if isSource(p.Head) {
		return Verdict{Remark, PHPSource}
	}
	if len(bytes.TrimSpace(p.Head)) == 0 && p.Tail == nil {
		return Verdict{Empty, EmptyPage}
	}
	if !p.IsHTML {
		return Verdict{}
	}
	if p.Tail != nil {
		return j.end(p.Tail, bytes.Contains(p.Head, []byte("</html")) || bytes.Contains(p.Head, []byte("</HTML")))
	}
	if !mayFail(p.Head) {
		// All that is left to find is known by its title, or is short.
		if o := outline(p.Head, maxUsual); o.TextBytes > maxUsual {
			return remark(o)
		}
	}
	whole := OutlineOf(p.Head)
	for _, look := range []func(Outline) Verdict{j.wordPress, phpFailure, empty, remark} {
		if v := look(whole); v.Kind != Good {
			return v
		}
	}
	return Verdict{}
}

// maxUsual is more text than a page has that is not the site, but for a directory's listing
// and for a page that breaks off with a failure.
const maxUsual = 2 * maxRemarkText

// mayFail reports whether a page has the marks of a failure that may stand behind any text.
func mayFail(page []byte) bool {
	return bytes.Contains(page, []byte("error-page")) || lastFailure(page[max(0, len(page)-maxEnding):]) >= 0
}

// end judges a long page. Such a page is the site itself, unless it breaks off with a
// failure. closed is true when its end tag stands in its beginning.
func (j *Judge) end(tail []byte, closed bool) Verdict {
	if i := lastDocument(tail); i >= 0 {
		if d := OutlineOf(tail[i:]).Die; d != nil && d.Last {
			if v := j.die(*d); v.Kind == Failure {
				return v
			}
		}
	}
	if i := lastFailure(tail); i >= 0 && !closed {
		if o := OutlineOf(tail[i:]); !o.Closed {
			return phpFailure(o)
		}
	}
	return Verdict{}
}

// lastDocument finds where the last document begins in the end of a page, -1 if nowhere.
func lastDocument(tail []byte) int {
	body := bytes.LastIndex(tail, []byte(`<body id="error-page"`))
	if body < 0 {
		return -1
	}
	return max(bytes.LastIndex(tail[:body], []byte("<!DOCTYPE")), bytes.LastIndex(tail[:body], []byte("<!doctype")))
}

// empty recognises a page that shows nothing: no text, no title, and nothing that could put
// anything there.
func empty(o Outline) Verdict {
	if o.TextBytes == 0 && o.Title == "" && o.Shows+o.Styles == 0 && o.InlineScripts == 0 && o.Refresh == "" &&
		len(o.Scripts)+len(o.Frames)+len(o.Links)+len(o.Forms) == 0 {
		return Verdict{Empty, EmptyPage}
	}
	return Verdict{}
}

// isSource reports whether a page is the source of a program in PHP.
func isSource(page []byte) bool {
	page = bytes.TrimLeft(bytes.TrimPrefix(page, []byte("\ufeff")), " \t\r\n")
	return len(page) >= 6 && strings.EqualFold(string(page[:5]), "<?php") && bytes.IndexByte([]byte(" \t\r\n"), page[5]) >= 0
}
