package page

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// Limits on what an Outline keeps.
const (
	maxText   = 4 << 10
	maxEnding = 8 << 10
	maxList   = 64
	maxValue  = 300
)

// Outline is what a page shows, without its markup. Texts have single blanks between words.
type Outline struct {
	Title string
	// Heading is the first h1.
	Heading string
	// Text is the beginning of the visible text, Ending its end, and TextBytes its length.
	Text, Ending string
	TextBytes    int
	// Scripts, Frames and Links are the addresses that the page refers to, Forms where its
	// forms go, Refresh where it leads by itself.
	Scripts, Frames, Links, Forms []string
	Refresh                       string
	// InlineScripts is the number of scripts in the page itself, Script the beginning of the
	// first.
	InlineScripts int
	Script        string
	BodyID        string
	BodyClass     string
	// Shows is the number of elements that can show something without text, Styles that of
	// styles, which may put a picture behind everything.
	Shows, Styles int
	// Closed is true when the page has its end tag.
	Closed bool
	// Die is the last document in the page if WordPress's wp_die made it.
	Die *Die
}

// Die is a page of wp_die.
type Die struct {
	// Title and Message are its texts, Heading its h1 and Links the addresses in it.
	Title, Message, Heading string
	Links                   []string
	// Marked is true when the message stands in wp_die's own element.
	Marked bool
	// Last is true when nothing follows it.
	Last bool
}

// OutlineOf returns the outline of a page in UTF-8.
func OutlineOf(page []byte) Outline { return outline(page, len(page)) }

// outline returns the outline of a page as far as it has at most this much text.
func outline(page []byte, text int) Outline {
	w := walker{z: html.NewTokenizer(bytes.NewReader(bytes.TrimPrefix(page, []byte("\ufeff"))))}
	for w.text.size <= text && w.next() {
	}
	w.out.Text, w.out.TextBytes = w.text.begin(), w.text.size
	w.out.Ending = w.text.end()
	w.out.Title, w.out.Heading = clean(w.title), clean(w.heading)
	if d := w.die; d != nil {
		d.Message, d.Title, d.Heading = w.message.begin(), clean(w.lastTitle), clean(w.dieHeading)
		d.Last = !w.behindDie
		w.out.Die = d
	}
	return w.out
}

// walker reads a page tag by tag.
type walker struct {
	z   *html.Tokenizer
	out Outline
	// hidden is the element whose text is not visible, and depth how often it is open.
	hidden string
	depth  int
	// The texts that are being collected.
	text, message                         collector
	title, lastTitle, heading, dieHeading string
	inTitle, inHeading, hasHeading        bool
	die                                   *Die
	dieClosed, behindDie                  bool
}

func (w *walker) next() bool {
	switch w.z.Next() {
	case html.ErrorToken:
		return false
	case html.TextToken:
		w.textToken()
	case html.StartTagToken:
		w.start(false)
	case html.SelfClosingTagToken:
		w.start(true)
	case html.EndTagToken:
		name, _ := w.z.TagName()
		w.end(elements[string(name)])
	}
	return true
}

func (w *walker) textToken() {
	raw := w.z.Raw()
	if bytes.IndexByte(raw, '&') >= 0 {
		raw = w.z.Text() // with its references resolved
	}
	if w.inTitle {
		w.lastTitle = bounded(w.lastTitle, raw)
		return
	}
	if w.hidden == "script" && w.out.Script == "" {
		w.out.Script = strings.TrimSpace(bounded("", raw))
	}
	if w.hidden != "" {
		return
	}
	if w.dieClosed && len(bytes.TrimSpace(raw)) > 0 {
		w.behindDie = true
	}
	w.text.write(raw)
	if w.inHeading && !w.hasHeading {
		w.heading = bounded(w.heading, raw)
	}
	if w.die != nil {
		w.message.write(raw)
		if w.inHeading {
			w.dieHeading = bounded(w.dieHeading, raw)
		}
	}
}

// start takes a start tag.
func (w *walker) start(selfClosing bool) {
	raw, more := w.z.TagName()
	name := elements[string(raw)]
	if w.hidden != "" {
		if name == w.hidden && name == "template" && !selfClosing {
			w.depth++
		}
		return
	}
	if w.dieClosed && name != "html" {
		w.behindDie = true
	}
	w.gap(name)
	switch name {
	case "script", "style", "template", "noscript", "textarea", "iframe", "noembed", "noframes", "xmp":
		if !selfClosing || name != "template" {
			w.hidden, w.depth = name, 1
		}
	case "title":
		w.inTitle, w.lastTitle = true, ""
	case "h1":
		w.inHeading = true
	}
	switch name {
	case "body", "script", "iframe", "frame", "form", "meta":
		w.element(name, w.attributes(more))
	case "a", "area":
		if len(w.out.Links) < maxList || w.die != nil {
			w.element(name, w.attributes(more))
		}
	case "div":
		if w.die != nil {
			w.element(name, w.attributes(more))
		}
	default:
		w.element(name, attrs{})
	}
}

func (w *walker) end(name string) {
	if w.hidden != "" {
		if name == w.hidden {
			if w.depth--; w.depth == 0 {
				w.hidden = ""
			}
		}
		return
	}
	if w.dieClosed && name != "body" && name != "html" {
		w.behindDie = true // it ends something around the document
	}
	w.gap(name)
	switch name {
	case "title":
		w.inTitle = false
		if w.title == "" {
			w.title = w.lastTitle
		}
	case "h1":
		w.inHeading = false
		w.hasHeading = w.hasHeading || w.heading != ""
	case "body":
		w.dieClosed = w.die != nil
	case "html":
		w.out.Closed = true
	}
}

// gap separates the texts around a tag, unless it only changes how they look.
func (w *walker) gap(name string) {
	if name == "a" || name == inline {
		return
	}
	w.text.gap()
	w.message.gap()
}

// attrs are the attributes that matter.
type attrs struct{ id, class, src, href, action, content, httpEquiv string }

func (w *walker) attributes(more bool) attrs {
	var a attrs
	for more {
		var key, value []byte
		key, value, more = w.z.TagAttr()
		into := (*string)(nil)
		switch string(key) {
		case "id":
			into = &a.id
		case "class":
			into = &a.class
		case "src", "data-src":
			into = &a.src
		case "href":
			into = &a.href
		case "action":
			into = &a.action
		case "content":
			into = &a.content
		case "http-equiv":
			into = &a.httpEquiv
		}
		if into != nil && *into == "" {
			*into = strings.TrimSpace(string(value[:min(len(value), maxValue)]))
		}
	}
	return a
}

// element notes what an element adds to the outline.
func (w *walker) element(name string, a attrs) {
	o := &w.out
	switch name {
	case "body":
		o.BodyID, o.BodyClass = a.id, a.class
		if a.id == "error-page" {
			w.beginDie()
		}
	case "script":
		if a.src == "" {
			o.InlineScripts++
			return
		}
		add(&o.Scripts, a.src)
	case "iframe", "frame":
		o.Shows++
		add(&o.Frames, a.src)
	case "a", "area":
		add(&o.Links, a.href)
		if w.die != nil {
			add(&w.die.Links, a.href)
		}
	case "form":
		o.Shows++
		add(&o.Forms, a.action)
	case "meta":
		if strings.EqualFold(a.httpEquiv, "refresh") && o.Refresh == "" {
			o.Refresh = a.content
		}
	case "style", "link":
		o.Styles++
	case "div":
		if w.die != nil && hasClass(a.class, "wp-die-message") {
			w.die.Marked = true
		}
	case "html", "title", "h1", "noscript", "template", inline, block:
		// These show nothing but their text.
	default:
		o.Shows++
	}
}

// beginDie begins the last document anew.
func (w *walker) beginDie() {
	w.die, w.message, w.dieHeading = &Die{}, collector{}, ""
	w.dieClosed, w.behindDie = false, false
}

func add(list *[]string, address string) {
	if address != "" && len(*list) < maxList {
		*list = append(*list, address)
	}
}

func hasClass(classes, name string) bool {
	for c := range strings.FieldsSeq(classes) {
		if c == name {
			return true
		}
	}
	return false
}

// bounded appends raw to a short text.
func bounded(text string, raw []byte) string {
	return text + string(raw[:max(0, min(len(raw), maxValue-len(text)))])
}

// clean puts single blanks between the words of a text.
func clean(text string) string { return strings.Join(strings.Fields(text), " ") }
