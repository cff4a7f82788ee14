package probe

import (
	"strconv"

	"github.com/Automattic/jetmon/internal/charset"
	"github.com/Automattic/jetmon/internal/check"
)

// ruleSearch is the search for a site's required and forbidden texts in one page. Texts are
// matched in the page's charset. ASCII texts in a page whose charset keeps ASCII, and any
// texts in UTF-8, are searched for in the bytes as they are; only another page is decoded.
type ruleSearch struct {
	required, forbidden []string
	sniffer             *charset.Sniffer
	// raw searches the bytes, text the decoded page.
	raw, text *texts
	decoder   *charset.Decoder
	// settled is true once the charset is known, and asIs when raw counts.
	settled, asIs bool
}

// newRuleSearch returns the search of a target's texts in a page.
func newRuleSearch(t *check.Target, h head) *ruleSearch {
	s := &ruleSearch{required: t.RequiredTexts, forbidden: t.ForbiddenTexts}
	if len(s.required)+len(s.forbidden) == 0 {
		return s
	}
	all := make([]string, 0, len(s.required)+len(s.forbidden))
	s.raw = newTexts(append(append(all, s.required...), s.forbidden...))
	s.sniffer = charset.NewSniffer(h.contentType()...)
	s.asIs = true
	return s
}

// isEmpty reports whether there are no rules.
func (s *ruleSearch) isEmpty() bool { return s.raw == nil }

// read searches the next piece of the page. It returns false when all required texts were
// found and there are no others to look for.
func (s *ruleSearch) read(piece []byte) (more bool) {
	if s.isEmpty() {
		return true
	}
	s.raw.write(piece)
	if s.settled {
		s.decode(piece)
	} else if e, held, ok := s.sniffer.Feed(piece); ok {
		s.settle(e)
		s.decode(held)
	}
	return !s.isComplete()
}

// settle decides how to search, now that the charset is known.
func (s *ruleSearch) settle(e charset.Encoding) {
	s.settled = true
	s.asIs = e.IsUTF8() || !e.Declared || e.KeepsASCII() && s.raw.isASCII()
	if e.IsUTF8() || e.KeepsASCII() && s.raw.isASCII() {
		return
	}
	// Where nothing names the charset, a text may stand in UTF-8 or in the default.
	s.text = newTexts(append(append([]string(nil), s.required...), s.forbidden...))
	s.decoder = e.Decoder()
}

func (s *ruleSearch) decode(piece []byte) {
	if s.decoder != nil {
		s.decoder.Write(piece, s.text.write)
	}
}

// isComplete reports whether the rest of the page cannot matter.
func (s *ruleSearch) isComplete() bool {
	if s.isEmpty() {
		return false
	}
	for _, t := range s.forbidden {
		if t != "" {
			return false
		}
	}
	if !s.settled && s.sniffer.MayBeWide() {
		return false
	}
	looked := false
	for i, t := range s.required {
		if !s.found(i) {
			return false
		}
		looked = looked || t != ""
	}
	return looked
}

// end searches what was held back when the page has ended.
func (s *ruleSearch) end() {
	if s.isEmpty() {
		return
	}
	if !s.settled {
		e, held := s.sniffer.End()
		s.settle(e)
		s.decode(held)
	}
	if s.decoder != nil {
		s.decoder.End(s.text.write)
	}
}

// found reports whether the text of this number was found: the required ones come first.
func (s *ruleSearch) found(i int) bool {
	return s.asIs && s.raw.found[i] || s.text != nil && s.text.found[i]
}

// failure returns the failure that the rules mean for a page, or nil.
func (s *ruleSearch) failure(page pageReport) *failure {
	const kind = check.FailureContent
	if s.isEmpty() {
		return nil
	}
	where := ""
	if page.cut {
		where = " in the first " + strconv.Itoa(maxDecoded>>20) + " MiB"
	}
	for i, text := range s.forbidden {
		if text != "" && s.found(len(s.required)+i) {
			return down(kind, "forbidden_text_present", "forbidden text found: "+text)
		}
	}
	for i, text := range s.required {
		if !s.found(i) {
			return down(kind, "required_text_missing", "required text not found"+where+": "+text)
		}
	}
	return nil
}
