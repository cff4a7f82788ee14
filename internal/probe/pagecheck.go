package probe

import (
	"slices"
	"unicode/utf8"

	"github.com/Automattic/jetmon/internal/charset"
	"github.com/Automattic/jetmon/internal/check"
	"github.com/Automattic/jetmon/internal/page"
)

// pageCheck keeps of a page what it takes to judge the page as a whole: its beginning and
// its end. A nil pageCheck keeps nothing.
type pageCheck struct {
	head, tail []byte
}

// newPageCheck returns the check of a response whose page is to be judged; nil for others.
func (a *attempt) newPageCheck(h head) *pageCheck {
	if a.target.PageRule == check.PageIgnored || h.status < 200 || h.status > 299 || !h.hasBody(a.verb()) {
		return nil
	}
	return &pageCheck{}
}

func (c *pageCheck) write(piece []byte) {
	if c == nil {
		return
	}
	if room := page.MaxHead - len(c.head); room > 0 {
		n := min(room, len(piece))
		c.head = append(c.head, piece[:n]...)
		piece = piece[n:]
	}
	c.tail = append(c.tail, piece...)
	if len(c.tail) > 4*page.MaxTail {
		// What is dropped is a multiple of four bytes, so that UTF-16 stays readable.
		drop := (len(c.tail) - page.MaxTail) &^ 3
		c.tail = append(c.tail[:0], c.tail[drop:]...)
	}
}

// text returns the page in UTF-8, ready to be judged. The end of a page that was not read
// to its end does not count.
func (c *pageCheck) text(h head, whole bool) page.Page {
	contentType := h.contentType()
	s := charset.NewSniffer(contentType...)
	e, begin, ok := s.Feed(c.head)
	if !ok {
		e, begin = s.End()
	}
	p := page.Page{IsHTML: charset.IsHTML(contentType...), Head: decoded(e, begin)}
	if len(c.tail) == 0 {
		return p
	}
	p.Tail = []byte{}
	if whole {
		p.Tail = decoded(e.WithoutMark(), c.end())
	}
	return p
}

// end returns the last bytes of a page that is longer than its head.
func (c *pageCheck) end() []byte {
	end := c.tail
	if missing := page.MaxTail - len(end); missing > 0 {
		end = slices.Concat(c.head[(len(c.head)-missing)&^3:], end)
	}
	return end[max(0, len(end)-page.MaxTail)&^3:]
}

// decoded returns a part of a page in UTF-8. Where nothing names the charset, a page that
// can be read as UTF-8 is that.
func decoded(e charset.Encoding, part []byte) []byte {
	if e.IsUTF8() || !e.Declared && utf8.Valid(part) {
		return part
	}
	var text []byte
	keep := func(piece []byte) { text = append(text, piece...) }
	d := e.Decoder()
	d.Write(part, keep)
	d.End(keep)
	return text
}

// contentType returns the response's Content-Type fields.
func (h head) contentType() []string {
	var fields []string
	for v := range h.all("Content-Type") {
		fields = append(fields, v)
	}
	return fields
}

// judgePage judges the page of a response that is good otherwise. It notes what it saw, and
// returns the failure that the page means, or nil. A short page that was not read to its end
// is not judged.
func (a *attempt) judgePage(c *pageCheck, h head, whole bool) *failure {
	if c == nil || !whole && len(c.tail) == 0 {
		return nil
	}
	v := a.pages.Verdict(c.text(h, whole))
	a.pageState = check.PageFilled
	switch v.Kind {
	case page.Failure:
		return a.brokenPage(v.Reason, check.AdvisoryPageBroken)
	case page.Empty:
		a.pageState = check.PageEmpty
		if a.target.PageWasFilled {
			return a.brokenPage(v.Reason, check.AdvisoryPageEmpty)
		}
		a.advisories = append(a.advisories, check.AdvisoryPageEmpty)
	case page.Remark:
		a.advisories = append(a.advisories, remarks(v.Reason))
		a.note = aboutPage(v.Reason)
	}
	return nil
}

// brokenPage makes a failure, or an advisory, of a page that is one.
func (a *attempt) brokenPage(reason string, advisory check.Advisory) *failure {
	if a.target.PageRule == check.PageDecides {
		return down(check.FailureContent, reason, aboutPage(reason))
	}
	a.advisories = append(a.advisories, advisory)
	a.note = aboutPage(reason)
	return nil
}

// remarks returns the advisory for a reason.
func remarks(reason string) check.Advisory {
	switch reason {
	case page.DirectoryListing:
		return check.AdvisoryDirectoryListing
	case page.InstallScreen:
		return check.AdvisoryInstallScreen
	case page.PHPSource:
		return check.AdvisoryPHPSource
	case page.WordPressMessage:
		return check.AdvisoryWordPressMessage
	}
	return check.AdvisoryPlaceholder
}

// aboutPage says in words what a page is.
func aboutPage(reason string) string {
	switch reason {
	case page.WordPressFatalError:
		return "the page is WordPress's message about a critical error"
	case page.WordPressDatabaseError:
		return "the page is WordPress's message about its lost database"
	case page.WordPressMaintenance:
		return "the page is WordPress's message during its maintenance"
	case page.PHPFatalError:
		return "the page ends with PHP's message about a fatal error"
	case page.EmptyPage:
		return "the page shows nothing; it did before"
	case page.WordPressMessage:
		return "the page is an error page of WordPress with a text of the site's own"
	case page.DirectoryListing:
		return "the page lists a directory"
	case page.InstallScreen:
		return "the page is the screen of an installation"
	case page.PHPSource:
		return "the page is the source of a PHP file"
	case page.ParkingPage:
		return "the page is that of a parked domain"
	case page.DefaultPage:
		return "the page is that of a new server"
	}
	return ""
}
