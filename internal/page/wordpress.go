package page

import "strings"

// wordPress recognises WordPress's own failures.
func (j *Judge) wordPress(o Outline) Verdict {
	if d := o.Die; d != nil && d.Last {
		return j.die(*d)
	}
	if o.TextBytes > maxSentence || o.Shows > 0 || len(o.Scripts)+o.InlineScripts > maxScripts {
		return Verdict{}
	}
	// Before WordPress 4.9, and in pages that hosts copied from there, the text stands alone.
	text := fold(o.Text)
	for _, t := range j.sentences {
		switch {
		case text == t.database:
			return Verdict{Failure, WordPressDatabaseError}
		case text == t.maintenance:
			return Verdict{Failure, WordPressMaintenance}
		case isFatal(text, t, o.Links):
			return Verdict{Failure, WordPressFatalError}
		}
	}
	return Verdict{}
}

// maxSentence is how long a page of one sentence and the link to WordPress's help may be.
const maxSentence = 1 << 10

// maxScripts is how many scripts a page of one sentence may have: hosts and proxies add some
// to every page.
const maxScripts = 2

// isFatal reports whether a text is the sentence about a fatal error, alone or followed by
// the link to WordPress's help.
func isFatal(text string, t translation, links []string) bool {
	rest, ok := strings.CutPrefix(text, t.fatal)
	return ok && (rest == "" || len(rest) < maxHelp && len(links) == 1 && isHelp(links[0]))
}

// maxHelp limits the text of the link to WordPress's help.
const maxHelp = 160

// isHelp reports whether an address is the help that WordPress points to after a fatal
// error. It is the same in nearly all languages.
func isHelp(address string) bool {
	return strings.Contains(address, "wordpress.org/") &&
		(strings.Contains(address, "/faq-troubleshooting") || strings.Contains(address, "/debugging-in-wordpress"))
}

// die judges a page of wp_die.
func (j *Judge) die(d Die) Verdict {
	message := fold(d.Message)
	for _, address := range d.Links {
		if d.Marked && isHelp(address) {
			return Verdict{Failure, WordPressFatalError}
		}
	}
	for _, t := range j.sentences {
		switch {
		case strings.HasPrefix(message, t.fatal):
			return Verdict{Failure, WordPressFatalError}
		case message == t.database, fold(d.Heading) == t.database && strings.HasPrefix(message, t.database):
			return Verdict{Failure, WordPressDatabaseError}
		case message == t.maintenance:
			return Verdict{Failure, WordPressMaintenance}
		}
	}
	if d.Marked {
		return Verdict{Remark, WordPressMessage}
	}
	return Verdict{}
}

// fold makes texts comparable: one case, one kind of apostrophe, no mark at the end.
func fold(text string) string {
	text = strings.ToLower(clean(text))
	return strings.TrimRight(plainMarks.Replace(text), " .!。")
}

var plainMarks = strings.NewReplacer("\u2019", "'", "\u2018", "'", "\u200b", "")
