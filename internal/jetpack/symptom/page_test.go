package symptom_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/Automattic/jetmon/internal/jetpack/symptom"
)

const page = "../../../docs/why-jetpack.md"

// section is what the page says about a symptom.
func section(s symptom.Symptom) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n%s\n\n", s.Words[0], s.Means)
	if len(s.Words) > 1 {
		fmt.Fprintf(&b, "Also seen as: \"%s\".\n\n", strings.Join(s.Words[1:], "\", \""))
	}
	fmt.Fprintf(&b, "```\njetmon diagnose https://example.com/ --symptom %s\n```\n\n| step | when it passes |\n|---|---|\n", s.Name)
	for _, step := range s.Steps {
		fmt.Fprintf(&b, "| `%s` | %s |\n", step.Check, step.Well)
	}
	fmt.Fprintf(&b, "\nWhen none of them fails: %s\n", s.Else)
	return b.String()
}

// row leads from the words to the section.
func row(s symptom.Symptom) string {
	anchor := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, s.Words[0])
	var steps []string
	for _, step := range s.Steps[:min(3, len(s.Steps))] {
		steps = append(steps, "`"+step.Check+"`")
	}
	return fmt.Sprintf("| [%s](#%s) | %s |\n", s.Words[0], anchor, strings.Join(steps, ", "))
}

func TestThePageSaysWhatTheTableSays(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var rows, sections strings.Builder
	for _, s := range symptom.All() {
		rows.WriteString(row(s))
		sections.WriteString(section(s) + "\n")
	}
	for _, want := range []string{rows.String(), strings.TrimSpace(sections.String())} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("docs/why-jetpack.md has to have these lines, from table.go:\n%s", want)
		}
	}
	if n := strings.Count(string(raw), "\n### "); n != len(symptom.All()) {
		t.Errorf("the page has %d symptoms, the table %d", n, len(symptom.All()))
	}
}
