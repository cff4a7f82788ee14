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
// the rest.
func summary(name, comment string) (first, rest string) {
	comment = strings.TrimPrefix(comment, name+" ")
	first, rest = comment, ""
	for _, end := range []string{". ", ".\n", ": "} {
		if i := strings.Index(first, end); i >= 0 {
			first, rest = first[:i], comment[i+1:]
		}
	}
	first = strings.TrimSuffix(strings.TrimSpace(first), ".")
	if first == "" {
		return name, comment
	}
	return strings.ToUpper(first[:1]) + first[1:], strings.TrimSpace(comment)
}
