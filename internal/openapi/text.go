package openapi

import (
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

// text is a comment without its line breaks, but with its paragraphs and lists.
func text(c protogen.Comments) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(string(c)), "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(paragraph, "\n") {
			lines = append(lines, strings.TrimSpace(line))
		}
		paragraphs = append(paragraphs, strings.Join(lines, " "))
	}
	return strings.Join(paragraphs, "\n\n")
}

// summary is the first sentence of the comment of an RPC, without the name that begins it, and
// the whole comment without that name.
func summary(name, comment string) (first, all string) {
	all = strings.TrimSpace(strings.TrimPrefix(comment, name+" "))
	first = all
	for _, end := range []string{". ", ".\n", ": "} {
		first, _, _ = strings.Cut(first, end)
	}
	return capital(strings.TrimSuffix(first, ".")), capital(all)
}

func capital(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
