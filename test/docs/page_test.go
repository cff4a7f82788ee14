package docs

import (
	"os"
	"strings"
	"testing"
)

// example is a fenced block of a page, or one command of it.
type example struct {
	// line is where it begins.
	line int
	lang string
	text string
	// shown is what the page shows as its output; "" is nothing. It is JSON in which "..." stands
	// for any value, as the last element of a list for any others, and as a name for any others.
	shown string
}

// examples returns the fenced blocks of a page in their order: of a section up to the next
// heading, or of the whole page. Blocks of JSON are shown by the block before them.
func examples(t *testing.T, page, section string) (all []example) {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var in *example
	inSection := section == ""
	for i, line := range strings.Split(string(raw), "\n") {
		switch fence, isFence := strings.CutPrefix(line, "```"); {
		case in == nil && strings.HasPrefix(line, "#"):
			inSection = section == "" || line == section
		case !inSection:
		case in == nil && isFence:
			in = &example{line: i + 2, lang: fence}
		case isFence && in.lang == "json":
			if len(all) == 0 || all[len(all)-1].shown != "" {
				t.Fatalf("%s:%d: there is no example before this output", page, in.line)
			}
			all[len(all)-1].shown = in.text
			in = nil
		case isFence:
			all = append(all, *in)
			in = nil
		case in != nil:
			in.text += line + "\n"
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s has no examples in %q", page, section)
	}
	return all
}

// commands splits a block of a shell into its commands. A comment at the end of one that is JSON
// shows its output; the block's output is that of its last command.
func (e example) commands() (all []example) {
	line := e.line
	for rest := strings.TrimSpace(e.text); rest != ""; {
		one, n := "", 0
		for {
			var next string
			next, rest, _ = strings.Cut(rest, "\n")
			one += next + "\n"
			n++
			code, _, _ := strings.Cut(one, " # ") // a comment may have an apostrophe
			if !strings.HasSuffix(next, `\`) && strings.Count(code, "'")%2 == 0 || rest == "" {
				break
			}
		}
		if text := strings.TrimSpace(one); text != "" && !strings.HasPrefix(text, "#") {
			shown := ""
			if i := strings.LastIndex(text, "# {"); i > 0 {
				shown = text[i+2:]
			}
			all = append(all, example{line: line, lang: e.lang, text: text, shown: shown})
		}
		line += n
	}
	if e.shown != "" && len(all) > 0 {
		all[len(all)-1].shown = e.shown
	}
	return all
}
