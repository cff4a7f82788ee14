package secondopinion

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/transform"

	"github.com/Automattic/jetmon/internal/check"
)

const (
	// maxBody is how much of a page is read, after decoding; maxRaw limits what comes over the
	// wire for it.
	maxBody = 2 << 20
	maxRaw  = maxBody + 64<<10
	// sniffed is the part of a page that may name its charset.
	sniffed = 1024
	// maxKept is how much of a page is kept to look at it as a whole.
	maxKept = 256 << 10
	// A page of these many links and bytes of text is more than the page of a failure, which
	// has a sentence, at most a trace, and hardly a link.
	plentyLinks, plentyText = 5, 1000
)

// wants is what a good page must have.
type wants struct {
	required, forbidden []string
	// whole means that the engine judged the page as a whole.
	whole    bool
	decoders decoders
}

func wantsOf(t check.Target, doubted check.Observation) wants {
	w := wants{required: t.RequiredTexts, forbidden: t.ForbiddenTexts}
	w.whole = doubted.Failure == check.FailureContent && Doubtful(t, doubted) &&
		doubted.Reason != "unreadable_encoding" && !isTextRule(doubted.Reason)
	return w
}

func isTextRule(reason string) bool {
	return reason == "required_text_missing" || reason == "forbidden_text_present"
}

// judge reads a page with a good status, and returns nil if it is as it should be.
func (w wants) judge(h http.Header, body io.Reader) *finding {
	page, release, known := w.decoders.decode(h, body)
	defer release()
	if !known && (w.whole || len(w.required)+len(w.forbidden) > 0) {
		return &finding{outcome: check.OutcomeUnknown, kind: check.FailureContent, reason: "unreadable_encoding",
			detail: "this reader cannot decode " + h.Get("Content-Encoding") + " now"}
	}
	buffered := bufio.NewReaderSize(io.LimitReader(page, maxRaw), sniffed)
	start, err := buffered.Peek(sniffed)
	if err != nil && err != io.EOF {
		return bodyFinding(err)
	}
	l := w.look(start, h.Get("Content-Type"))
	if err := l.readAll(buffered); err != nil {
		return bodyFinding(err)
	}
	return l.verdict()
}

// look is one look at a page.
type look struct {
	wants
	// shown searches the page in its charset for the required and then the forbidden texts,
	// asSent its bytes: a page may be UTF-8 against its own word.
	shown, asSent *search
	decoded       *transform.Writer
	// kept is the beginning of a page that is judged as a whole.
	kept bytes.Buffer
}

func (w wants) look(start []byte, contentType string) *look {
	all := slices.Concat(w.required, w.forbidden)
	l := &look{wants: w, shown: newSearch(all), asSent: newSearch(all)}
	e, _, _ := charset.DetermineEncoding(start, contentType)
	l.decoded = transform.NewWriter(text{l}, e.NewDecoder())
	return l
}

// text gets a page as UTF-8.
type text struct{ *look }

// Write implements io.Writer.
func (t text) Write(p []byte) (int, error) {
	t.shown.write(p)
	if t.whole {
		t.kept.Write(p[:min(len(p), maxKept-t.kept.Len())])
	}
	return len(p), nil
}

// readAll reads a page to its end, to the limit, or until nothing is left to look for.
func (l *look) readAll(r io.Reader) error {
	buf := make([]byte, 16<<10)
	for size := 0; size < maxBody && !l.settled(); {
		n, err := r.Read(buf)
		size += n
		l.asSent.write(buf[:n])
		// A decoder replaces what it cannot read, and does not fail.
		_, _ = l.decoded.Write(buf[:n])
		switch {
		case err == io.EOF:
			_ = l.decoded.Close()
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// found reports which texts the page has, the required ones and then the forbidden ones.
func (l *look) found() (required, forbidden []bool) {
	all := make([]bool, len(l.shown.found))
	for i := range all {
		all[i] = l.shown.found[i] || l.asSent.found[i]
	}
	return all[:len(l.required)], all[len(l.required):]
}

// settled reports whether the rest of the page changes nothing.
func (l *look) settled() bool {
	required, _ := l.found()
	return !l.whole && len(required) > 0 && len(l.forbidden) == 0 && !slices.Contains(required, false)
}

// verdict returns what is wrong with the page, or nil.
func (l *look) verdict() *finding {
	const kind = check.FailureContent
	required, forbidden := l.found()
	switch {
	case slices.Contains(forbidden, true):
		return bad(kind, "forbidden_text_present", "")
	case slices.Contains(required, false):
		return bad(kind, "required_text_missing", "")
	case l.whole && !isPlenty(l.kept.Bytes()):
		return bad(kind, "little_to_see", "the page has few links or little text, as pages of failures have")
	}
	return nil
}

// isPlenty reports whether a page has more to show than the page of a failure: enough links
// and text in one document, which ends where it should. A failure in the middle of a page
// leaves it without its end, and appends a document of its own or a few words.
func isPlenty(page []byte) bool {
	z := html.NewTokenizer(bytes.NewReader(page))
	var links, text, documents, after int
	hidden, ended := 0, false
	for {
		switch z.Next() {
		case html.ErrorToken:
			return links >= plentyLinks && text >= plentyText && documents == 1 && ended && after == 0
		case html.TextToken:
			switch size := len(bytes.Join(bytes.Fields(z.Text()), []byte{' '})); {
			case hidden > 0:
			case ended:
				after += size
			default:
				text += size
			}
		case html.StartTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "a":
				links++
			case "html":
				documents++
			case "script", "style", "template", "noscript":
				hidden++
			}
		case html.EndTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "html":
				ended = true
			case "script", "style", "template", "noscript":
				hidden = max(hidden-1, 0)
			}
		}
	}
}

// search looks for texts in a stream, also across the borders of its pieces.
type search struct {
	texts [][]byte
	found []bool
	// tail is the end of the stream so far, shorter than the longest text.
	tail []byte
	keep int
}

func newSearch(texts []string) *search {
	s := &search{found: make([]bool, len(texts))}
	for _, t := range texts {
		s.texts = append(s.texts, []byte(t))
		s.keep = max(s.keep, len(t)-1)
	}
	return s
}

func (s *search) write(p []byte) {
	if !slices.Contains(s.found, false) || len(p) == 0 {
		return
	}
	window := slices.Concat(s.tail, p)
	for i, t := range s.texts {
		s.found[i] = s.found[i] || bytes.Contains(window, t)
	}
	s.tail = append(s.tail[:0], window[max(len(window)-s.keep, 0):]...)
}
